"""The command `pagjax convert`: parse, convert, say what was found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pagjax.arguments import types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE
from pagjax.wording.flags import in_flags

EXIT_NOT_CONVERTED = 1
COSTS = (
    "seconds, and twice the file's size in memory; --probe a forward pass a picture and candidate."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "convert",
        "Converts a published PyTorch ResNet checkpoint to a pagjax (Orbax) one. "
        "PyTorch is not needed, and nothing that the file contains is executed.",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument("source", type=Path, metavar="SOURCE", help="the PyTorch or safetensors file")
    what.add_argument(
        "destination", type=Path, metavar="DESTINATION", help="the checkpoint directory to write"
    )
    what.add_argument("--overwrite", action="store_true", help="replace the destination")
    what.add_argument(
        "--weights",
        metavar="KEY",
        help="which network of a file that holds several, such as state_dict_ema or encoder_q: a "
        "key, a prefix or both; an unknown one lists what is there",
    )
    described = parser.add_argument_group("what it is", "said in the checkpoint")
    described.add_argument(
        "--normalizer",
        metavar="NAME|MEAN/SD",
        help="the network's first layer: imagenet, imagenet-centered (mean only, SmoothAdv), "
        "imagenet-clamped (Madry Lab), cifar10, cifar10-centered, cifar10-clamped, "
        "cifar10-rice2020, cifar100, cifar100-clamped, restricted-imagenet-clamped, cinic-clamped, "
        "half, half-clamped, none; or numbers in units of [0, 1], one or three of each, such as "
        "0.5071,0.4865,0.4409/0.2673,0.2564,0.2762 or 0.5/0.25-clamped; or stored, stored-clamped "
        "for mean and sd in the file (default: the layout's usual one)",
    )
    structure = parser.add_argument_group(
        "structure", "what a network's tensors do not tell; --probe tries what is not given"
    )
    structure.add_argument(
        "--stem-stride", type=int, choices=(1, 2), help="stride of the first convolution"
    )
    structure.add_argument(
        "--max-pool",
        action=argparse.BooleanOptionalAction,
        help="whether a 3x3 max-pool of stride 2 follows the first convolution",
    )
    structure.add_argument(
        "--stride-on",
        choices=("3x3", "1x1"),
        help="which convolution of a bottleneck halves the resolution: 3x3 (torchvision's, v1.5) "
        "or the first 1x1 (v1, Caffe)",
    )
    structure.add_argument(
        "--shortcut",
        metavar="KIND",
        help="shortcuts where several kinds have the same tensors, such as padding, padding_end",
    )
    described.add_argument(
        "--image-size",
        type=types.count,
        metavar="PIXELS",
        help="side of the images it is for (default: 224, or 32 for CIFAR networks)",
    )
    described.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="class names: a line each, JSON, or one of ImageNet's lists (docs/data.md)",
    )
    described.add_argument(
        "--sigma",
        type=types.sigma,
        metavar="S",
        help="noise level it was trained under, in pixel units of [0, 1]",
    )
    structure.add_argument(
        "--probe",
        type=Path,
        metavar="DIR",
        help="labelled pictures, a folder per class: chooses the normaliser and the structure by "
        "trying, and refuses if the candidates do not differ clearly",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return guarded(run, parser().parse_args(argv), again="", refused=EXIT_NOT_CONVERTED)


def run(args: argparse.Namespace) -> int:
    """Converts, and says what was found; returns the exit status."""
    from pagjax.convert.conversion import convert, read_labels

    done = convert(
        args.source,
        args.destination,
        weights=args.weights,
        normalizer=args.normalizer,
        structure=_structure(args),
        image_size=args.image_size,
        labels=None if args.labels is None else read_labels(args.labels),
        sigma=args.sigma,
        probe_folder=args.probe,
        overwrite=args.overwrite,
    )
    description = done.description
    height, width = description.image_size
    origin = description.origin
    place = "the top of the file" if origin["weights"] == "." else origin["weights"]
    print(f"layout: {done.layout}")
    print(f"weights: {place}")
    print(
        f"network: {description.architecture}, {description.num_classes} classes, {height}x{width}"
    )
    print(f"normaliser: {done.normalizer} {description.normalizer}")
    if origin["inert_globals"]:
        print(f"left inert in the file: {', '.join(origin['inert_globals'])}")
    if "probe" in origin:
        print(f"probe: {origin['probe']}")
    for note in done.notes:
        print(f"note: {in_flags(note, vars(args))}")
    for warning in done.warnings:
        print(f"warning: {in_flags(warning, vars(args))}", file=sys.stderr)
    print(f"written: {done.path}")
    return EXIT_DONE


def _structure(args: argparse.Namespace) -> dict[str, Any]:
    names = ("stem_stride", "max_pool", "stride_on", "shortcut")
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}
