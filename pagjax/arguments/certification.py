"""Arguments of `python -m pagjax.certify`, read before JAX is imported."""

from __future__ import annotations

from pathlib import Path

from pagjax.arguments import shared, types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.arguments.processes import add_processes
from pagjax.arguments.reports import RADII as RADII
from pagjax.arguments.reports import report_parser as report_parser

OUT = Path("pagjax-certificates")
PREDICT_DRAWS, CERTIFY_DRAWS = 1000, 100_000
COSTS = (
    "on two cores, an image at N = 10,000 takes about 7 s with a shipped network of 32 pixels, "
    "7 minutes with a ResNet-50 at 224; time grows with N, and --staged takes about a third of "
    "it. Memory does not grow with N."
)


def parser() -> Parser:
    """The arguments of certification."""
    parser = parser_of(
        "certify",
        "Certifies l2 balls in which a smoothed network's prediction is constant "
        "(Cohen et al. 2019; soft smoothing: Kaur et al. 2019, theorem 1). Writes Cohen's log, a "
        "line an image; the same command goes on after an interruption. `pagjax certify "
        "report LOG...` makes tables and curves. Lengths (sigma, radii) are l2 lengths in pixel "
        "units of [0, 1].",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument("--checkpoint", required=True, metavar="NAME_OR_PATH", help="base network")
    what.add_argument(
        "--data", default="cifar10", help="TFDS name, or a folder of class folders (cifar10)"
    )
    what.add_argument("--split", default="test", help="default: test")
    shared.add_data_dir(what)
    shared.add_class_name(
        what,
        of="--data, a folder without class folders,",
        also=": a label, index or WordNet id",
    )
    what.add_argument(
        "--preprocessing",
        choices=["cohen", "cover"],
        help="cohen: shorter side to 256 for a centre of 224, bilinear, as in the published "
        "ImageNet logs; cover: all of the shorter side, bicubic (default: cohen for ImageNet "
        "networks, else cover)",
    )
    what.add_argument(
        "--stride",
        type=types.count,
        default=1,
        metavar="I",
        help="every I-th image; those of CIFAR-10 are numbered as in published logs (all)",
    )
    what.add_argument("--limit", type=types.count, metavar="M", help="at most M images")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--sigma",
        type=types.noise,
        nargs="+",
        metavar="S",
        help="noise levels, a log each (default: the network's training's)",
    )
    kind = how.add_mutually_exclusive_group()
    kind.add_argument("--predict", action="store_true", help="predict or abstain, no radius")
    kind.add_argument(
        "--soft",
        choices=["hoeffding", "bernstein", "better"],
        help="soft smoothing with this bound (default: hard smoothing)",
    )
    how.add_argument(
        "--rivals",
        choices=["bounded", "rest"],
        default="bounded",
        help="soft smoothing: bound all classes at once, or the rest by 1 - p (default: bounded)",
    )
    how.add_argument(
        "--num-selection",
        type=types.count,
        default=100,
        metavar="N0",
        help="noise draws that choose the class (default: 100)",
    )
    how.add_argument(
        "--num-draws",
        type=types.count,
        metavar="N",
        help=f"noise draws that certify it (default: {CERTIFY_DRAWS:,}; {PREDICT_DRAWS:,} for "
        "--predict); N draws prove at most the radius at which all of them agree",
    )
    how.add_argument(
        "--alpha",
        type=types.probability,
        default=0.001,
        metavar="A",
        help="probability, over the draws, that a certificate is wrong (default: 0.001)",
    )
    how.add_argument(
        "--staged",
        nargs="*",
        type=types.length,
        metavar="R",
        help="stop drawing once it is decided which of these radii are reached "
        f"(without R: {' '.join(f'{radius:g}' for radius in RADII)})",
    )
    how.add_argument(
        "--sound",
        action="store_true",
        help="certificates that hold in floating point too, for all pictures of whole 8-bit "
        "levels in the ball: noise rounded to levels, drawn exactly, bounds proven in whole "
        "numbers (default: float32 noise, as in the field)",
    )
    shared.add_seed(how)
    how.add_argument(
        "--precision",
        choices=["float32", "bfloat16"],
        default="float32",
        help="of the network's products; what is certified is the network so run (float32)",
    )
    where = parser.add_argument_group("where and how much at once")
    shared.add_out(where, OUT, "logs")
    where.add_argument(
        "--overwrite",
        action="store_true",
        help="make the logs anew; the old ones stay until all new ones are whole",
    )
    where.add_argument(
        "--chunk-size",
        type=types.count,
        metavar="C",
        help="draws that a device holds at once (default: what suits it)",
    )
    add_processes(parser)
    return parser
