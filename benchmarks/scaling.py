"""What crosses devices in a step, read from the compiled program, for 1, 2, 4 and 8 of them.

    python benchmarks/scaling.py [--side 224] [--images 1] [--num-samples 20]

Devices are forced ones of the host, so nothing is timed: the program that XLA makes for them holds
the same collectives as on accelerators. The network is a small one, as what crosses devices is an
image's gradient and a few numbers, whatever the network.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--num-samples", type=int, default=20)
    args = parser.parse_args()
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
    os.environ["JAX_PLATFORMS"] = "cpu"

    import jax

    from pagjax.core.mesh import make_mesh
    from pagjax.core.program import collectives

    print("devices | mesh, images x draws | collectives a step | bytes of their operands a device")
    for count in (1, 2, 4, 8):
        mesh = make_mesh(args.images, args.num_samples, jax.devices()[:count])
        found = collectives(compiled_text(args.images, args.side, args.num_samples, mesh))
        shape = " x ".join(str(size) for size in mesh.shape.values())
        names = ", ".join(name for name, _ in found) or "none"
        print(f"{count} | {shape} | {names} | {sum(size for _, size in found)}")


def compiled_text(num_images: int, side: int, num_samples: int, mesh: Any) -> str:
    """The optimised program of a few steps of the loop on a mesh."""
    import jax.numpy as jnp

    from pagjax.core.program import lower
    from pagjax.core.recipe import Recipe

    def logits(images: Any) -> Any:
        return jnp.tanh(images).mean((1, 2))

    recipe = Recipe(0.5, 1.0, 1.0, num_steps=3, num_samples=num_samples)
    return str(lower(logits, (num_images, side, side, 3), recipe, mesh=mesh).compile().as_text())


if __name__ == "__main__":
    main()
