"""`python -m pagjax.align`: numbers of how well several networks' pictures are aligned."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pagjax.arguments import types
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED

if TYPE_CHECKING:
    from pagjax.alignment.intervals import Interval

OUT = Path("pagjax-alignment")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.align",
        description="Makes targeted pictures with several networks from the same starts, targets "
        "and noise, lets networks that did not make them judge, and prints the numbers with 95% "
        "intervals. Believe the robust judge: adversarial grain carries over between vanilla "
        "networks, so a vanilla judge believes it. Interrupt it at any time: the same command "
        "goes on, and keeps what is done.",
    )
    parser.add_argument("--networks", nargs="+", required=True, metavar="NAME_OR_PATH")
    parser.add_argument(
        "--judge",
        action="append",
        metavar="NAME_OR_PATH",
        help="robust network; given again, more of them: the first is the headline, and with the "
        "vanilla judge they are a panel. No judge is asked about pictures that it made itself, or "
        "that a network trained on from it made",
    )
    parser.add_argument(
        "--vanilla-judge",
        metavar="NAME_OR_PATH",
        help="vanilla network; judges the pictures, and blurred ones",
    )
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="TFDS name or folder of class folders to start from (default: class seeds)",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="all pictures of --data, a folder without class folders, are of this class",
    )
    parser.add_argument(
        "--preprocessing",
        choices=["cover", "cohen"],
        default="cover",
        help="how pictures are brought to size, see certify (default: cover)",
    )
    parser.add_argument(
        "--crop",
        default="centre",
        metavar="WHERE",
        help="what is kept of pictures of --data: centre, top, bottom, left, right; x,y: a point "
        "that comes to the middle; left,top,right,bottom: a box; as shares of width and height",
    )
    parser.add_argument("--split", default="test", help="to start from (default: test)")
    parser.add_argument(
        "--train-split", default="train", help="of the nearest images (default: train)"
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where TFDS prepared data")
    parser.add_argument(
        "--statistics",
        metavar="NAME_OR_FILE",
        help="class Gaussians (default: the shipped ones of the networks' classes)",
    )
    parser.add_argument("--count", type=types.count, default=100, metavar="K", help="default: 100")
    parser.add_argument(
        "--sigma", type=types.sigma, metavar="S", help="default: each one's training's"
    )
    parser.add_argument(
        "--epsilon",
        type=types.length,
        metavar="E",
        help="default: 40 at 224 pixels, scaled by side",
    )
    parser.add_argument(
        "--preset",
        choices=["paper", "fast"],
        default="paper",
        help="fast: the same ball with a twentieth of the work (default: paper)",
    )
    parser.add_argument("--steps", type=types.count, metavar="K", help="default: the preset's")
    parser.add_argument(
        "--num-samples", type=types.count, metavar="N", help="default: the preset's"
    )
    parser.add_argument(
        "--neighbours",
        type=types.whole,
        default=1,
        metavar="K",
        help="nearest images of the class in --data's --train-split; 0 for none (default: 1)",
    )
    parser.add_argument(
        "--agreement",
        type=types.count,
        nargs="*",
        default=[1, 5, 20],
        metavar="N",
        help="numbers of draws whose gradients' agreement is measured (default: 1 5 20)",
    )
    parser.add_argument("--seed", type=types.seed, default=0, metavar="I", help="default: 0")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"default: {OUT}")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what DIR holds, once the new is done"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return guarded(run, parser().parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax.comparison import places
    from pagjax.comparison.compare import compare
    from pagjax.comparison.settings import Comparison
    from pagjax.core.mesh import use_cores

    given = dict(vars(args))
    out, overwrite = given.pop("out"), given.pop("overwrite")
    use_cores()
    summaries, skipped = compare(Comparison(**given), out, overwrite=overwrite)
    print(table(summaries, args.count))
    for why in dict.fromkeys(skipped):
        print(f"skipped: {why}", file=sys.stderr)
    print(f"numbers: {out / places.TABLE}   record: {out / places.RECORD}")
    return EXIT_SOME_SKIPPED if skipped else EXIT_DONE


def table(summaries: Mapping[str, Mapping[str, Interval]], count: int) -> str:
    """Numbers down, networks across, each mean with its interval."""
    names = list(dict.fromkeys(name for summary in summaries.values() for name in summary))
    rows = [[f"{count} pictures", *(Path(network).name for network in summaries)]]
    for name in names:
        cells = [summary.get(name) for summary in summaries.values()]
        told = ["-" if c is None else f"{c.value:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in cells]
        rows.append([name.replace("_", " "), *told])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    raise SystemExit(main())
