"""The command behind `convert_torch_weights.py`: parse, convert, say what was found."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="convert_torch_weights.py",
        description="Converts a published PyTorch ResNet checkpoint to a pagjax (Orbax) one. "
        "PyTorch is not needed, and nothing that the file contains is executed.",
    )
    parser.add_argument("source", type=Path, help="the PyTorch or safetensors file")
    parser.add_argument("destination", type=Path, help="the checkpoint directory to write")
    parser.add_argument(
        "--normalizer",
        metavar="NAME",
        help="the network's first layer: imagenet, imagenet-centered (mean only, SmoothAdv), "
        "imagenet-clamped (Madry Lab), cifar10, cifar10-centered, cifar10-clamped, "
        "cifar10-rice2020, restricted-imagenet-clamped, cinic-clamped, half-clamped, none "
        "(default: the layout's usual one)",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the images it is for (default: 224, or 32 for CIFAR networks)",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="class names: a line each, JSON, or one of ImageNet's lists (docs/data.md)",
    )
    parser.add_argument(
        "--sigma",
        type=float,
        metavar="S",
        help="noise level it was trained under, in pixel units of [0, 1]",
    )
    parser.add_argument(
        "--probe",
        type=Path,
        metavar="DIR",
        help="labelled pictures, a folder per class: chooses the normaliser by trying, and refuses "
        "if the candidates do not differ clearly",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the destination")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    from pagjax.checkpoints.convert import convert, read_labels
    from pagjax.checkpoints.store import CheckpointError
    from pagjax.images import ImageError
    from pagjax.torch_files import TorchFileError

    try:
        done = convert(
            args.source,
            args.destination,
            normalizer=args.normalizer,
            image_size=args.image_size,
            labels=None if args.labels is None else read_labels(args.labels),
            sigma=args.sigma,
            probe_folder=args.probe,
            overwrite=args.overwrite,
        )
    except (CheckpointError, TorchFileError, ImageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    description = done.description
    height, width = description.image_size
    print(f"layout: {done.layout}")
    print(
        f"network: {description.architecture}, {description.num_classes} classes, {height}x{width}"
    )
    print(f"normaliser: {done.normalizer} {description.normalizer}")
    if description.origin["inert_globals"]:
        print(f"left inert in the file: {', '.join(description.origin['inert_globals'])}")
    if "probe" in description.origin:
        print(f"probe: {description.origin['probe']}")
    for warning in done.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"written: {done.path}")
    return 0
