"""Arguments that several commands have, with the same words, types and metavars.

Each function adds one to a group of a command's help.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pagjax.arguments import types

Group = argparse._ArgumentGroup

# Those of `pagjax.presets`, which arguments are read without: a test holds them together.
PRESETS = ("paper", "fast", "draft")


def add_data_dir(group: Group) -> None:
    """Adds ``--data-dir``."""
    group.add_argument("--data-dir", type=Path, metavar="DIR", help="where TFDS prepared data")


def add_class_name(group: Group, *, of: str, also: str = "") -> None:
    """Adds ``--class``, what all pictures of a folder without class folders are of."""
    told = f"all pictures of {of} are of this class{also}"
    group.add_argument("--class", dest="class_name", metavar="NAME", help=told)


def add_preprocessing(group: Group) -> None:
    """Adds ``--preprocessing``, of pictures that are starts or fitted."""
    group.add_argument(
        "--preprocessing",
        choices=["cover", "cohen"],
        default="cover",
        help="how pictures are brought to size, see certify (default: cover)",
    )


def add_crop(group: Group, *, of: str, default: str, default_told: str = "") -> None:
    """Adds ``--crop``; `of` says of which pictures."""
    group.add_argument(
        "--crop",
        default=default,
        metavar="WHERE",
        help=f"what is kept of {of}: centre, top, bottom, left, right; x,y: a point that comes to "
        f"the middle; left,top,right,bottom: a box; as shares of width and height{default_told}",
    )


def add_lengths(group: Group, *, whose: str, around: str = "") -> None:
    """Adds ``--sigma`` and ``--epsilon`` of painting."""
    group.add_argument(
        "--sigma", type=types.sigma, metavar="S", help=f"noise level (default: {whose} training's)"
    )
    group.add_argument(
        "--epsilon",
        type=types.length,
        metavar="E",
        help=f"radius of the l2 ball{around} (default: 40 at 224 pixels, scaled by side)",
    )


def add_preset(
    group: Group, *, default: str | None = "paper", told: str = "default: paper"
) -> None:
    """Adds ``--preset``, the loop's settings by name."""
    group.add_argument(
        "--preset",
        choices=PRESETS,
        default=default,
        help="paper: 300 steps of 20 draws; fast: a twentieth of the gradients, draft: a sixtieth, "
        "both with antithetic draws, momentum and longer, falling steps; options below override "
        f"({told})",
    )


def add_steps_and_draws(group: Group, *, draws: str = "noise draws") -> None:
    """Adds ``--steps`` and ``--num-samples``, that override the preset."""
    group.add_argument(
        "--steps", type=types.count, metavar="K", help="of a picture (default: the preset's)"
    )
    group.add_argument(
        "--num-samples",
        type=types.count,
        metavar="N",
        help=f"{draws} a step (default: the preset's)",
    )


def add_seed(group: Group, of: str = "all noise") -> None:
    """Adds ``--seed``."""
    group.add_argument(
        "--seed", type=types.seed, default=0, metavar="I", help=f"of {of} (default: 0)"
    )


def add_out(group: Group, default: Path, what: str = "results") -> None:
    """Adds ``--out``, a folder."""
    group.add_argument(
        "--out", type=Path, default=default, metavar="DIR", help=f"{what} (default: {default})"
    )
