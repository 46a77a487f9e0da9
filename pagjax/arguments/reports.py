"""Arguments of `python -m pagjax.certify report`, read before JAX is imported."""

from __future__ import annotations

from pathlib import Path

from pagjax.arguments import types
from pagjax.arguments.parsing import Parser, parser_of

RADII = (0.0, 0.25, 0.5, 0.75, 1.0)


def report_parser() -> Parser:
    """The arguments of `report`."""
    parser = parser_of(
        "certify report",
        "Certified accuracy in percent with its 95% interval, average certified "
        "radius (ACR) and abstentions of logs, ours and published ones. Radii are l2 lengths in "
        "pixel units of [0, 1].",
        costs="seconds a log.",
    )
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG")
    what = parser.add_argument_group("what").add_mutually_exclusive_group()
    what.add_argument(
        "--paired",
        action="store_true",
        help="two logs, A and B, on the images that both have: differences of certified accuracy "
        "and ACR with paired intervals, and McNemar's test",
    )
    what.add_argument(
        "--distribution",
        action="store_true",
        help="how sure the smoothed network is over the test set: the share of images whose label "
        "has at least probability p under the noise (Sun et al. 2025)",
    )
    what.add_argument(
        "--anchors",
        action="store_true",
        help="the best published networks on CIFAR-10, the shipped ones and the logs, if any, by "
        "noise level",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--radii",
        nargs="+",
        type=types.length,
        default=RADII,
        metavar="R",
        help=f"columns of the table (default: {' '.join(f'{radius:g}' for radius in RADII)})",
    )
    how.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="of the logs, in order (default: their files; in LaTeX, Markdown and curves the "
        "networks, where logs say them)",
    )
    how.add_argument(
        "--sigma",
        type=types.noise,
        metavar="S",
        help="noise of logs that do not say it, neither by settings beside them nor in their path",
    )
    how.add_argument(
        "--format",
        choices=["text", "csv", "latex", "markdown"],
        default="text",
        help="of the table (default: text)",
    )
    how.add_argument(
        "--plot", type=Path, metavar="FILE", help="also draw the curves: .png, .pdf or .svg"
    )
    how.add_argument(
        "--card",
        metavar="NAME_OR_PATH",
        help="also write the accuracies into the card of the network that the logs are of",
    )
    return parser
