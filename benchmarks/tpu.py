"""The loop compiled for TPUs on a machine without one: memory, traffic, collectives, roofline.

    python benchmarks/tpu.py --out FOLDER [--chips v5e v6e] [--slices 1 8 16] [--pictures 1 16]
                             [--networks resnet50 imagenette-gaussian-0.25]
                             [--precisions float32 bfloat16] [--table]

Needs the TPU's own compiler (`pip install -e '.[tpu-compiler]'`), and no TPU. What is compiled is
the program that `pagjax.targeted_pgd` runs. A configuration takes about a minute of one core and
leaves one file in FOLDER, whole or not at all; those that are there are not compiled again, so the
same command goes on where it was stopped. `--table` only prints what is there.

Floating-point operations are the compiler's count of one step, bytes what its operations read from
and write to memory outside the chip, as laid out there: whole arrays, also where an operation needs
a part. The time of arithmetic at the published peak is from below. Nothing is timed: see
docs/scaling.md. Seconds of compilation are of the processor, whatever else it does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from peers import tpu_slices  # noqa: E402

STEPS, DRAWS, SIDE = 300, 20, 224


class Chip(NamedTuple):
    """Published peaks: multiply-adds count two, in bfloat16; Google Cloud, "TPU versions"."""

    flops: float
    bytes_per_second: float
    memory: float


CHIPS = {"v5e": Chip(197e12, 819e9, 16e9), "v6e": Chip(918e12, 1640e9, 32e9)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--chips", nargs="+", choices=CHIPS, default=list(CHIPS))
    chips = tpu_slices.LAYOUTS
    parser.add_argument("--slices", nargs="+", type=int, choices=chips, default=[1, 8, 16])
    parser.add_argument("--networks", nargs="+", default=["resnet50", "imagenette-gaussian-0.25"])
    parser.add_argument("--pictures", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = itertools.product(
        args.networks, args.pictures, args.precisions, args.chips, args.slices
    )
    for network, pictures, precision, chip, count in () if args.table else wanted:
        path = args.out / f"{network}-{pictures}-{precision}-{chip}-{count}.json"
        if not path.exists():
            row = compiled(network, pictures, precision, chip, count)
            from pagjax.io.files import atomic

            atomic.write_json(path, row)
            print(path.name, f"{row['compile_seconds']:.0f} s", flush=True)
    rows = [json.loads(path.read_text()) for path in args.out.glob("*.json")]
    print("\n".join(table(rows)))


def network_of(name: str, precision: str) -> Any:
    """A shipped network, or a ResNet-50 of arbitrary weights, in a TPU's forms."""
    import jax
    import jax.numpy as jnp

    import pagjax
    from pagjax.networks import NORMALIZERS, ResNetConfig
    from pagjax.networks.base import Description, base_network

    if name != "resnet50":
        return pagjax.load(name, precision=precision, backend="tpu")  # type: ignore[arg-type]
    config = ResNetConfig("imagenet", "bottleneck", (3, 4, 6, 3), 64)
    description = Description(name, config, 1000, NORMALIZERS["none"], (SIDE, SIDE))
    image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    shapes = jax.eval_shape(description.network().init, jax.random.key(0), image)
    ones = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), dict(shapes))
    return base_network(description, ones, precision, "tpu")  # type: ignore[arg-type]


def compiled(name: str, pictures: int, precision: str, chip: str, count: int) -> dict[str, Any]:
    """One configuration's program, as JSON values."""
    devices = tpu_slices.topology(chip, count)
    from pagjax.core import mesh as meshes
    from pagjax.core.program import collectives, lower
    from pagjax.core.recipe import Recipe

    base = network_of(name, precision)
    height, width, channels = base.image_shape
    mesh = meshes.make_mesh(pictures, DRAWS, devices)
    recipe = Recipe(0.5, 40.0, 0.7, STEPS, DRAWS)
    lowered = lower(base.logits_fn, (pictures, height, width, channels), recipe, mesh=mesh)
    start = time.process_time()
    program = lowered.compile()
    seconds = time.process_time() - start
    text = program.as_text() or ""
    memory: Any = program.memory_analysis()
    cost: Any = program.cost_analysis()
    along_images, along_draws = mesh.shape[meshes.IMAGES], mesh.shape[meshes.DRAWS]
    return {
        "network": name,
        "pictures": pictures,
        "precision": precision,
        "chip": chip,
        "count": count,
        "mesh": [along_images, along_draws],
        "visits": visits(math.ceil(pictures / along_images), height * width * channels),
        "compile_seconds": seconds,
        "temporary_bytes": memory.temp_size_in_bytes,
        "argument_bytes": memory.argument_size_in_bytes,
        "flop": cost["flops"],
        "bytes": traffic(text),
        "bytes_on_chip_too": cost["bytes accessed"],
        "collectives": [operation for operation, _ in collectives(text)],
    }


# Kind, sides, layout from the fastest side on, and where: S(1) and above lie on the chip.
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+)\w*\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?")
_FREE = re.compile(r" (get-tuple-element|tuple|bitcast|parameter|constant|\S*-done)\(")


def traffic(text: str) -> int:
    """Bytes that a step moves between a chip and its memory.

    Args:
        text: of a compiled program; a step is the largest of its loops' bodies.

    Example, 16 numbers that are read, and take a tile of 8 rows of 128, and stay on the chip:
        >>> body = '''%body.1 (p: f32[2]) -> f32[2] {
        ...   %a = f32[2,8]{1,0:T(8,128)} parameter(0)
        ...   ROOT %b = f32[2,8]{1,0:T(8,128)S(1)} fusion(%a), kind=kLoop, calls=%f
        ... }
        ... ENTRY %main (p: f32[2]) -> f32[2] {
        ...   ROOT %w = f32[2] while(%p), condition=%true, body=%body.1
        ... }'''
        >>> traffic(body)
        4096
    """
    blocks = {}
    for block in re.split(r"\n(?=%|ENTRY)", text):
        if head := re.match(r"(?:ENTRY )?%([\w.$-]+) \(", block):
            blocks[head[1]] = block
    bodies = [blocks[name] for name in re.findall(r"body=%([\w.$-]+)", text) if name in blocks]
    sizes: dict[str, int] = {}
    total = 0
    for line in max(bodies, key=len, default="").splitlines():
        named = re.match(r"\s*(?:ROOT )?(%[\w.-]+) = (.*)", line)
        if not named:
            continue
        result, _, rest = re.sub(r", metadata=.*", "", named[2]).partition("(%")
        sizes[named[1]] = sum(map(_bytes, _ARRAY.finditer(result)))
        if not _FREE.search(f" {named[2]}"):
            # What starts a copy gives back its source beside its target.
            starts = re.search(r" \S*-start\(", f" {named[2]}")
            read = [] if starts else re.findall(r"%[\w.-]+", "%" + rest.partition(")")[0])
            total += sizes[named[1]] + sum(sizes.get(name, 0) for name in read)
    return total


def _bytes(array: re.Match[str]) -> int:
    """What an array takes in memory outside the chip, tiles filled up."""
    kind, sides, order, layout = array.groups()
    if re.search(r"S\([1-9]", layout or ""):
        return 0
    lengths = [int(side) for side in sides.split(",") if side]
    tile = re.search(r"T\(([\d,]+)\)", layout or "")
    if tile and order:
        fastest = [int(axis) for axis in order.split(",")]
        for axis, size in zip(fastest, map(int, reversed(tile[1].split(","))), strict=False):
            lengths[axis] = -(-lengths[axis] // size) * size
    return math.prod(lengths) * max(1, int(re.sub(r"\D", "", kind) or 8) // 8)


def visits(pictures: int, values: int) -> int:
    """How often a step runs on a chip: a block of its pictures after another, as `run_batch` does.

    A chip's draws of a picture go at once at these sizes, 20 at 224x224.
    """
    from pagjax.core import draws
    from pagjax.core.targeted import draws_at_once

    chunk = min(DRAWS, draws_at_once(values, "tpu"))
    return math.ceil(pictures / draws.images_at_once(chunk * values, "tpu"))


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A Markdown table of all rows, with the arithmetic of the roofline."""
    lines = [
        "| network | pictures | precision | chips | mesh | compiled in | memory a chip "
        "| collectives a step | bytes read and written | arithmetic a chip and step | memory "
        "| a picture |",
        "|" + "---|" * 12,
    ]
    order = ("network", "pictures", "precision", "chip", "count")
    for row in sorted(rows, key=lambda row: [row[key] for key in order]):
        chip, repeated = CHIPS[row["chip"]], row["visits"]
        flop, size = repeated * row["flop"], repeated * row["bytes"]
        arithmetic, memory = flop / chip.flops, size / chip.bytes_per_second
        peaks = f"{chip.flops / 1e12:.0f}e12", f"{chip.bytes_per_second / 1e9:.0f}"
        held = (row["temporary_bytes"] + row["argument_bytes"]) / 1e9
        lines.append(
            f"| {row['network']} | {row['pictures']} | {row['precision']} "
            f"| {row['count']} {row['chip']} | {' x '.join(map(str, row['mesh']))} "
            f"| {row['compile_seconds']:.0f} s | {held:.2f} of {chip.memory / 1e9:.0f} GB "
            f"| {', '.join(row['collectives']) or 'none'} "
            f"| {repeated * row['bytes_on_chip_too'] / 1e9:.2f} GB "
            f"| {flop / 1e9:.0f}e9 / {peaks[0]} = "
            f"{1e3 * arithmetic:.3g} ms | {size / 1e9:.3g} / {peaks[1]} = "
            f"{1e3 * memory:.3g} ms "
            f"| {STEPS * max(arithmetic, memory) / row['pictures']:.2g} s |"
        )
    return lines


if __name__ == "__main__":
    main()
