"""What crosses devices in a step, read from the compiled program, for 1, 2, 4 and 8 of them.

    python benchmarks/scaling.py [--side 224] [--images 1] [--num-samples 20]

Devices are forced ones of the host, so nothing is timed: the program that XLA makes for them holds
the same collectives as on accelerators. The network is a small one, as what crosses devices is an
image's gradient and a few numbers, whatever the network.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

COLLECTIVES = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute"


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

    print("devices | mesh, images x draws | collectives a step | bytes of their operands a device")
    for count in (1, 2, 4, 8):
        mesh = make_mesh(args.images, args.num_samples, jax.devices()[:count])
        found = collectives(compiled_text(args.images, args.side, args.num_samples, mesh))
        shape = " x ".join(str(size) for size in mesh.shape.values())
        names = ", ".join(name for name, _ in found) or "none"
        print(f"{count} | {shape} | {names} | {sum(size for _, size in found)}")


def compiled_text(num_images: int, side: int, num_samples: int, mesh: object) -> str:
    """The optimised program of a few steps of the loop on a mesh."""
    import jax
    import jax.numpy as jnp

    from pagjax.core import pgd, targeted
    from pagjax.core.objectives import TARGET_CLASS_MAX
    from pagjax.core.projections import ball_then_box

    def logits(images: jax.Array) -> jax.Array:
        return jnp.tanh(images).mean((1, 2))

    start = jnp.full((num_images, side, side, 3), 0.5)
    lengths = jnp.ones(num_images)
    lowered = targeted._run_batch.lower(
        jax.tree_util.Partial(logits),
        jnp.asarray(0.5),
        jax.vmap(pgd.init)(start),
        start,
        jnp.zeros(num_images, jnp.int32),
        jax.random.split(jax.random.key(0), num_images),
        lengths,
        lengths,
        num_samples=(num_samples,) * 3,
        objective=TARGET_CLASS_MAX,
        chunk_size=None,
        bounds=(0.0, 1.0),
        projection=ball_then_box,
        noise="fresh",
        sampling="independent",
        strategy=pgd.PLAIN,
        mesh=mesh,
    )
    return str(lowered.compile().as_text())


def collectives(text: str) -> list[tuple[str, int]]:
    """Collective operations of a compiled program in which each occurs once a step, with bytes.

    Example:
        >>> collectives("%r = f32[2,30]{1,0} all-reduce(%a), channel_id=1")
        [('all-reduce', 240)]
    """
    found = []
    for line in text.splitlines():
        match = re.search(rf"= (.*?) ({COLLECTIVES})(?:-start)?\(", line)
        if match and not match[1].startswith("("):
            kind, shape = re.findall(r"([a-z]+\d+)\[([\d,]*)\]", match[1])[0]
            size = int(re.sub(r"\D", "", kind)) // 8
            for length in filter(None, shape.split(",")):
                size *= int(length)
            found.append((match[2], size))
        elif match:
            found.append((match[2], -1))
    return found


if __name__ == "__main__":
    main()
