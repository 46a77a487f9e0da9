"""The loop compiled for an H100 on a machine without one: kernels a step, and what is fused.

    python benchmarks/gpu_program.py [--network resnet50] [--pictures 1] [--precision bfloat16]
                                     [--form gpu] [--save FILE]

Needs XLA's compiler for GPUs (`pip install -e '.[cuda]'`), and no GPU. Nothing is timed, and what
is chosen by timing on a device is left at its default here: which of a library's algorithms runs,
and whether a matrix product goes to it or to a kernel of XLA's own. What convolutions are fused
with does not depend on that. `--form` takes another backend's forms of the layers, to compare.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import networks  # noqa: E402

# Compute capability 9.0 in NVIDIA's CUDA programming guide, and the data sheet of the H100 SXM.
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84942979072
  cuda_compute_capability { major: 9 feature_extension: ACCELERATED_FEATURES }
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
STEPS, DRAWS = 300, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=list(networks.SHAPES), default="resnet50")
    parser.add_argument("--pictures", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "tf32", "bfloat16"], default="bfloat16")
    parser.add_argument("--form", choices=["cpu", "gpu", "tpu"], default="gpu")
    parser.add_argument("--save", type=Path, metavar="FILE", help="for the whole program")
    args = parser.parse_args()
    os.environ["JAX_PLATFORMS"] = "cpu"
    start = time.perf_counter()
    program = compiled(args)
    text = program.as_text() or ""
    if args.save:
        args.save.write_text(text)
    print(f"{args.network}, {args.pictures} pictures, N = {DRAWS}, {args.precision}, form", end=" ")
    print(f"{args.form}: compiled in {time.perf_counter() - start:.0f} s, ", end="")
    print(f"{program.memory_analysis().temp_size_in_bytes / 1e9:.2f} GB\n")
    found = kernels(text)
    print("| kernels a step | |\n|---|---|")
    for kind, count in sorted(found.items(), key=lambda item: -item[1]):
        print(f"| {kind} | {count} |")
    print(f"| together | {found.total()} |")


def compiled(args: argparse.Namespace) -> Any:
    """The loop's program for one H100."""
    import jax
    from jax.experimental import topologies

    from pagjax.core import mesh as meshes
    from pagjax.core.program import lower
    from pagjax.core.recipe import Recipe

    if args.precision == "float32":  # a GPU's default for float32 is TF32
        jax.config.update("jax_default_matmul_precision", "highest")
    devices = topologies.get_topology_desc(
        "h100", "cuda", target_config=H100, topology="1x1x1"
    ).devices
    narrow = "bfloat16" if args.precision == "bfloat16" else "float32"
    base = networks.base(args.network, networks.weights(args.network), narrow, args.form)
    side = networks.SHAPES[args.network].side
    return lower(
        base.logits_fn,
        (args.pictures, side, side, 3),
        Recipe(0.5, 40.0, 0.7, STEPS, DRAWS),
        mesh=meshes.make_mesh(args.pictures, DRAWS, devices),
    ).compile()


def kernels(text: str) -> Counter[str]:
    """What runs once a step, by kind.

    Args:
        text: of a compiled program; a step is the largest of its loops' bodies.

    Example:
        >>> body = '''%body.1 (p: f32[2]) -> f32[2] {
        ...   %c = (f32[2], u8[0]) custom-call(%p), custom_call_target="__cudnn$convForward"
        ...   %f = f32[2] fusion(%p), kind=kLoop, calls=%fused_max
        ... }
        ... ENTRY %main (p: f32[2]) -> f32[2] {
        ...   ROOT %w = f32[2] while(%p), condition=%true, body=%body.1
        ... }'''
        >>> dict(kernels(body))
        {'convolution, alone': 1, 'elementwise': 1}
    """
    blocks = {}
    for block in re.split(r"\n(?=%|ENTRY)", text):
        if head := re.match(r"(?:ENTRY )?%([\w.$-]+) \(", block):
            blocks[head[1]] = block
    bodies = [blocks[name] for name in re.findall(r"body=%([\w.$-]+)", text) if name in blocks]
    lines = max(bodies, key=len, default="").splitlines()
    return Counter(kind for line in lines if (kind := _kind(line, blocks)))


def _kind(line: str, blocks: dict[str, str]) -> str | None:
    """What a line of a body launches, None for what launches nothing."""
    if target := re.search(r'custom_call_target="([^"]*)"', line):
        name = target[1]
        if "conv" not in name:
            return f"library call {name}"
        if "BackwardInput" in name:
            return "convolution, of the gradient"
        if "kRelu" in line:
            return "convolution with bias and rectifier"
        return "convolution with bias" if "Bias" in name else "convolution, alone"
    if not (fusion := re.search(r" fusion\(.*kind=k(\w+), calls=%([\w.$-]+)", line)):
        return "copy" if " copy(" in line else None
    called = blocks.get(fusion[2], "")
    if " dot(" in called:
        return "product with rectifier" if " maximum(" in called else "product"
    if re.match(r"\s*(ROOT )?%\w*transpose", line):
        return "transpose"
    return "reduction" if fusion[1] == "Input" else "elementwise"


if __name__ == "__main__":
    main()
