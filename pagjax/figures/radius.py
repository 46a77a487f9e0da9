"""`python -m pagjax.figures radius`: alignment against certified radius, drawn.

The tables are those of `pagjax.align`, `pagjax.figures` and the blind test, told apart by their
columns; radii are those of shipped networks' cards.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pagjax.figures.certified_radii import (
    JUDGE,
    PANEL,
    READERS,
    Radius,
    Seen,
    radius_of,
    read,
    table,
    warnings,
)
from pagjax.figures.commands import inputs_of
from pagjax.jobs.errors import JobError
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED

PICTURE, TABLE = "alignment-radius.png", "alignment-radius.csv"
_CLOSE = 0.05  # of the width of a plot, within which names would overlap
_MARKS = {JUDGE: ("o", "C0"), PANEL: ("s", "C1"), READERS: ("^", "C2")}


def run(args: argparse.Namespace) -> int:
    """Draws the plot and writes its numbers; returns the exit status."""
    from pagjax.figures import places
    from pagjax.io.files import atomic, locks

    if not args.tables:
        raise JobError("--tables: name tables of align, figures or the blind test")
    seen = [one for path in args.tables for one in read(path)]
    radii = {name: radius_of(name) for name in dict.fromkeys(one.network for one in seen)}
    places.begin(args.out, [*inputs_of(args), *map(str, args.tables)])
    with locks.held(args.out):
        places.claim(args.out, [], {PICTURE, TABLE})
        atomic.write_bytes(args.out / TABLE, table(seen, radii).encode())
        atomic.write_bytes(args.out / PICTURE, draw(seen, radii))
    without = [name for name, radius in radii.items() if radius is None]
    if without:
        print(f"no certified radius in the cards of {', '.join(without)}", file=sys.stderr)
    for line in warnings(seen, radii):
        print(line)
    print(f"plot: {args.out / PICTURE}   numbers: {args.out / TABLE}")
    return EXIT_SOME_SKIPPED if without else EXIT_DONE


def draw(seen: Sequence[Seen], radii: Mapping[str, Radius | None]) -> bytes:
    """Shares against average certified radii, a plot per family of networks, as PNG."""
    from matplotlib.figure import Figure

    families: dict[str, list[Seen]] = {}
    for one in seen:
        if radii[one.network] is not None:
            families.setdefault(one.network.partition("-")[0], []).append(one)
    count = max(1, len(families))
    figure = Figure(figsize=(0.8 + 4.6 * count, 5.2), layout="constrained")
    plots = figure.subplots(1, count, squeeze=False, sharey=True)[0]
    used = {}
    for axes, (family, points) in zip(plots, families.items(), strict=False):
        for one in points:
            radius = radii[one.network]
            assert radius is not None
            mark, colour = _MARKS[one.by]
            shift = 0.004 * (list(_MARKS).index(one.by) - 1)  # that bars are seen beside each other
            centre = radius.average.value + shift
            used[one.by] = axes.errorbar(
                centre,
                one.share.value,
                xerr=[[radius.average.value - radius.average.low], [radius.average.high - centre]],
                yerr=[[one.share.value - one.share.low], [one.share.high - one.share.value]],
                **{"fmt": mark, "color": colour, "elinewidth": 0.6, "markersize": 5},
            )
        _name_networks(axes, points, radii, family)
        axes.set_xlabel("average certified radius")
        axes.set_title(_title(family, points, radii), fontsize=10)
        axes.set_ylim(0, 1.03)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
    plots[0].set_ylabel("share of pictures in which the target is seen")
    if used:
        figure.legend(used.values(), used, loc="outside lower center", ncols=3, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _name_networks(
    axes: Any, points: Sequence[Seen], radii: Mapping[str, Radius | None], family: str
) -> None:
    """Names along the bottom, each upright below its points; close ones above each other."""
    known = {one.network: radii[one.network] for one in points}
    placed = sorted((radius.average.value, name) for name, radius in known.items() if radius)
    close = _CLOSE * max(radius.average.high for radius in known.values() if radius)
    last, height = -math.inf, 0.0
    for centre, name in placed:
        height = (height + 0.2) % 0.6 if centre - last < close else 0.0
        last = centre
        label = name.removeprefix(f"{family}-").replace("$", r"\$")
        style = {"rotation": 90, "fontsize": 7, "ha": "right", "va": "bottom", "color": "0.3"}
        axes.text(centre, 0.01 + height, label, **style)
        axes.axvline(centre, color="0.85", linewidth=0.6, zorder=0)


def _title(family: str, points: Sequence[Seen], radii: Mapping[str, Radius | None]) -> Any:
    known = [radii[one.network] for one in points]
    images = sorted({radius.images for radius in known if radius is not None})
    pictures = sorted({one.pictures for one in points})
    staged = any(radius.staged for radius in known if radius is not None)
    return (
        f"{family}\n{_range(images)} images certified"
        f"{' (in stages: lower bounds)' if staged else ''}, {_range(pictures)} pictures"
    )


def _range(counts: Sequence[int]) -> str:
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
