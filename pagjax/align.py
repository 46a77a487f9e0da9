"""`python -m pagjax.align`: numbers of how well several networks' pictures are aligned."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pagjax.arguments import shared, types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED
from pagjax.wording.tables import aligned

if TYPE_CHECKING:
    from pagjax.alignment.intervals import Interval

OUT = Path("pagjax-alignment")
COSTS = (
    "on two cores, 100 pictures of a shipped network of 32 pixels take 12 minutes a network with "
    "the preset paper, a minute with fast; their numbers a minute or two."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "align",
        "Makes targeted pictures with several networks from the same starts, targets "
        "and noise, lets networks that did not make them judge, and prints the numbers with 95% "
        "intervals. Believe the robust judge: adversarial grain carries over between vanilla "
        "networks, so a vanilla judge believes it. Interrupt it at any time: the same command "
        "goes on, and keeps what is done. Lengths (sigma, epsilon) are l2 lengths in pixel units "
        "of [0, 1].",
        costs=COSTS,
    )
    what = parser.add_argument_group("who makes pictures, and who judges them")
    what.add_argument(
        "--networks",
        nargs="+",
        required=True,
        metavar="NAME_OR_PATH",
        help="whose pictures are compared; shipped networks, or folders",
    )
    what.add_argument(
        "--judge",
        action="append",
        metavar="NAME_OR_PATH",
        help="robust network; given again, more of them: the first is the headline, and with the "
        "vanilla judge they are a panel. No judge is asked about pictures that it made itself, or "
        "that a network trained on from it made",
    )
    what.add_argument(
        "--vanilla-judge",
        metavar="NAME_OR_PATH",
        help="vanilla network; judges the pictures, and blurred ones",
    )
    starts = parser.add_argument_group("starts")
    starts.add_argument(
        "--data",
        metavar="NAME",
        help="TFDS name or folder of class folders to start from (default: class seeds)",
    )
    shared.add_class_name(starts, of="--data, a folder without class folders,")
    shared.add_preprocessing(starts)
    shared.add_crop(starts, of="pictures of --data", default="centre")
    starts.add_argument("--split", default="test", help="to start from (default: test)")
    starts.add_argument(
        "--train-split", default="train", help="of the nearest images (default: train)"
    )
    shared.add_data_dir(starts)
    starts.add_argument(
        "--statistics",
        metavar="NAME_OR_FILE",
        help="class Gaussians (default: the shipped ones of the networks' classes)",
    )
    starts.add_argument(
        "--count",
        type=types.count,
        default=100,
        metavar="K",
        help="pictures a network (default: 100)",
    )
    how = parser.add_argument_group("how pictures are made")
    shared.add_lengths(how, whose="each one's")
    shared.add_preset(how)
    shared.add_steps_and_draws(how)
    shared.add_seed(how, "starts, targets and noise")
    measured = parser.add_argument_group("what is measured")
    measured.add_argument(
        "--neighbours",
        type=types.whole,
        default=1,
        metavar="K",
        help="nearest images of the class in --data's --train-split; 0 for none (default: 1)",
    )
    measured.add_argument(
        "--agreement",
        type=types.count,
        nargs="*",
        default=[1, 5, 20],
        metavar="N",
        help="numbers of draws whose gradients' agreement is measured (default: 1 5 20)",
    )
    where = parser.add_argument_group("where")
    shared.add_out(where, OUT)
    where.add_argument(
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
    from pagjax.jobs import environment

    given = dict(vars(args))
    out, overwrite = given.pop("out"), given.pop("overwrite")
    environment.before_computing()
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
    return "\n".join(aligned(rows))


if __name__ == "__main__":
    raise SystemExit(main())
