"""`python -m pagjax.export`: a network as an ONNX file, for browsers, phones, C++ and servers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pagjax.arguments.parsing import Parser, parser_of
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE

COSTS = "half a minute for a shipped network; with --kernels float32 a few seconds."


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "export",
        "Writes one step of the loop as an ONNX file: from an image, noise draws and "
        "weights of the target classes to the objective, its standard error and its gradient. "
        "The normaliser is inside; labels, sigma and size stand in the file. Noise is in pixel "
        "units of [0, 1].",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument("network", metavar="NETWORK", help="a shipped network's name, or a folder")
    where = parser.add_argument_group("where")
    where.add_argument("--out", type=Path, metavar="FILE", help="default: NETWORK.onnx, here")
    what.add_argument(
        "--forward", action="store_true", help="logits of images alone, without a gradient"
    )
    what.add_argument(
        "--objective",
        choices=["tcm", "ce"],
        default="tcm",
        help="tcm: mean target logit; ce: log of the mean probability (default: tcm)",
    )
    what.add_argument(
        "--kernels",
        choices=["auto", "float16", "float32"],
        default="auto",
        help="float16 halves the file; auto does so where logits and gradients stay within half a "
        "percent and five percent (default: auto)",
    )
    where.add_argument("--overwrite", action="store_true", help="replace FILE")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return guarded(run, parser().parse_args(argv), again="repeat the command")


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax import checkpoints
    from pagjax.onnx_files.errors import ExportError
    from pagjax.onnx_files.export import export

    name = Path(args.network).name
    out = Path(f"{name}.onnx") if args.out is None else args.out
    if out.is_dir():
        raise ExportError(f"--out {out}: this is a folder, name a file in it")
    if out.exists() and not args.overwrite:
        raise ExportError(f"--out {out}: this exists: choose another name, or pass --overwrite")
    if not out.absolute().parent.is_dir():
        raise ExportError(f"--out {out}: there is no folder {out.absolute().parent}: make it first")
    network = checkpoints.load(args.network)
    made = export(
        network,
        out,
        name=name,
        what="forward" if args.forward else "step",
        objective=args.objective,
        kernels=args.kernels,
    )
    told = made.metadata
    print(f"{made.path}: {made.size / 1e6:.1f} MB, kernels in {told['kernels']}")
    if told["rounding"] != "null":
        print(f"error by rounding, relative: {told['rounding']}")
    print(f"sha256 {made.sha256}")
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
