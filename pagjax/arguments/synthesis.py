"""Arguments of `python -m pagjax.synthesize`, read before JAX is imported."""

from __future__ import annotations

import argparse
from pathlib import Path

from pagjax.arguments import shared, types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.arguments.processes import add_processes

OUT = Path("pagjax-pictures")
COSTS = (
    "on two cores, a picture with the preset paper (6,000 gradients) takes about 7 s at 32 pixels "
    "and a minute at 128 with a shipped network, 10 minutes with a ResNet-50 at 224; fast takes a "
    "twentieth, draft a sixtieth. The first picture also waits for compiling, some 10 s. Memory "
    "does not grow with the number of pictures or draws. The example takes 20 s to a minute."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "synthesize",
        "Follows the gradient of a target class's score under a smoothed network, "
        "f_sigma(x) = E[f(x + noise)], from pictures of your own (Kaur, Cohen and Lipton 2019). "
        "Lengths (sigma, epsilon, step size) are l2 lengths in pixel units of [0, 1]. Without "
        "arguments: a shipped network of ten ImageNet classes, free photographs, the preset fast.",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument("--checkpoint", metavar="NAME_OR_PATH", help="base network")
    what.add_argument(
        "--images", nargs="+", metavar="FILE", help="starting images: files, folders, sample:NAME"
    )
    what.add_argument(
        "--targets", nargs="+", metavar="NAME_OR_INDEX", help="target classes, by label or index"
    )
    what.add_argument(
        "--class",
        dest="classes",
        nargs="+",
        metavar="NAME_OR_INDEX",
        help="paint these classes, each from seeds of its own: draws of a Gaussian fitted to "
        "images of the class; needs no images",
    )
    what.add_argument(
        "--count", type=types.count, default=8, metavar="K", help="seeds a class (default: 8)"
    )
    what.add_argument(
        "--statistics",
        metavar="NAME_OR_FILE",
        help="fitted Gaussians: a data set's name, or a file of `pagjax fit-seeds` "
        "(default: the shipped ones of the network's classes)",
    )
    what.add_argument(
        "--pairs",
        choices=["all", "one-to-one"],
        default="all",
        help="every image with every target, or the first with the first, ... (default: all)",
    )
    what.add_argument(
        "--image-size", type=types.count, metavar="PIXELS", help="default: the network's own"
    )
    shared.add_crop(
        what,
        of="starting images of another shape",
        default="subject",
        default_told=", such as 0.5,0.3 (default: the samples' own, and the centre of all else)",
    )
    how = parser.add_argument_group("how")
    shared.add_lengths(how, whose="the network's", around=" around the image")
    shared.add_preset(how, default=None, told="default: paper; fast where no input is given")
    shared.add_steps_and_draws(how)
    how.add_argument(
        "--step-size",
        type=types.length,
        metavar="L",
        help="l2 length of a step (paper, at 224 pixels: 0.7; 2.8 for sigma 0; 2.0 for ce)",
    )
    how.add_argument(
        "--last-num-samples",
        type=types.count,
        metavar="N",
        help="draws grow to this number, doubled every few steps (default: they do not)",
    )
    how.add_argument(
        "--sampling",
        choices=["independent", "antithetic", "latin-hypercube"],
        help="kind of draws: independent; pairs z, -z; or a randomised lattice with one draw in "
        "each of equal strata, quasi-Monte Carlo (default: by preset)",
    )
    how.add_argument(
        "--momentum",
        type=types.fraction,
        metavar="M",
        help="decay of the running sum of normalised gradients (default: by preset)",
    )
    how.add_argument(
        "--schedule",
        choices=["constant", "linear"],
        help="of the step size; linear falls to 0 (default: by preset)",
    )
    how.add_argument(
        "--settles-after",
        type=types.count,
        metavar="W",
        help="stop a picture once W steps raised its objective by no more than the standard error",
    )
    how.add_argument(
        "--objective",
        choices=["tcm", "ce"],
        default="tcm",
        help="tcm: mean target logit, eq. 2; ce: log of the mean probability, eq. 5 (default: tcm)",
    )
    how.add_argument(
        "--noise",
        choices=["fresh", "fixed"],
        default="fresh",
        help="new draws every step, or the same throughout (default: fresh)",
    )
    how.add_argument(
        "--keep",
        choices=["last", "best"],
        default="last",
        help="last iterate, or the one with the best estimated objective (default: last)",
    )
    how.add_argument(
        "--projection",
        choices=["ball-then-box", "nearest"],
        default="ball-then-box",
        help="ball then clip, or the nearest feasible point (default: ball-then-box)",
    )
    how.add_argument(
        "--clip",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep pixels in [0, 1] (default: yes)",
    )
    shared.add_seed(how)
    where = parser.add_argument_group("where and how much at once")
    shared.add_out(where, OUT)
    existing = where.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    existing.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what DIR holds, once the new is whole; goes on where it was interrupted",
    )
    where.add_argument(
        "--certify",
        type=types.count,
        metavar="N",
        help="also prove, from N draws a picture, a ball in which the smoothed network sees the "
        "target (fails with probability 0.001 a picture)",
    )
    where.add_argument("--animate", action="store_true", help="also a GIF of every trajectory")
    where.add_argument(
        "--batch-size", type=types.count, metavar="B", help="pictures at once (default: by memory)"
    )
    where.add_argument(
        "--chunk-size", type=types.count, metavar="C", help="draws at once (default: by memory)"
    )
    add_processes(parser)
    where.add_argument(
        "--repeat",
        type=Path,
        metavar="RECORD",
        help="repeat the run of a record.json, into --out, and compare",
    )
    return parser
