"""`python -m pagjax.figures radius`: alignment against certified radius, network by network.

Does what certifies better also align better? Beside a network's average certified radius, from its
card, stand the shares of its pictures in which others see the target: the robust judge, most of the
panel, people in the blind test. The tables are those of `pagjax.align`, `pagjax.figures` and
the blind test, told apart by their columns.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pagjax.alignment.intervals import Interval, share_interval
from pagjax.figures.commands import inputs_of
from pagjax.jobs.errors import JobError
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED
from pagjax.wording.escapes import csv_cell, one_line

PICTURE, TABLE = "alignment-radius.png", "alignment-radius.csv"
# Figures in which networks start from the same pictures; others vary the objective or the draws.
SIDE_BY_SIDE = ("1", "4", "9", "10", "11", "12", "15", "16", "17")
JUDGE, PANEL, PEOPLE = "robust judge", "most of the panel", "people"
_FEW_IMAGES, _FEW_PICTURES = 500, 100
_CLOSE = 0.05  # of the width of a plot, within which names would overlap
_MARKS = {JUDGE: ("o", "C0"), PANEL: ("s", "C1"), PEOPLE: ("^", "C2")}


class Radius(NamedTuple):
    """What a card says of certified radii.

    Attributes:
        sigma: noise level of the certificates.
        images, draws: how many there were, and draws of each at most.
        staged: whether drawing stopped early, so that the average is a lower bound.
        average: average certified radius with a 95% interval.
    """

    sigma: float
    images: int
    draws: int
    staged: bool
    average: Interval


class Seen(NamedTuple):
    """How often one kind of reader saw the target in a network's pictures.

    Attributes:
        network: its name.
        by: `JUDGE`, `PANEL` or `PEOPLE`.
        table: name of the table that says so.
        pictures: how many were read.
        share: of them, with its exact interval.
    """

    network: str
    by: str
    table: str
    pictures: int
    share: Interval


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


def read(path: Path) -> list[Seen]:
    """What a table says, by network.

    Raises:
        JobError: for a file that is none of the known tables, naming it.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = set(rows[0]) if rows else set()
        if {"network", "named", "answers"} <= columns:
            return [_of_people(row, path.name) for row in rows]
        if {"network", "judge_robust_hit"} <= columns:
            return list(_of_judges(rows, path.name))
    except (OSError, UnicodeError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise JobError(f"{path}: cannot be read ({one_line(str(error))[:200]})") from error
    raise JobError(f"{path}: no table of align, figures or the blind test")


def radius_of(name: str) -> Radius | None:
    """A shipped network's radius from its card, at its training's noise; None where it has none."""
    from pagjax.checkpoints import shipped

    if name not in shipped.names():
        return None
    card = shipped.card(name)
    trained = (card.get("settings") or {}).get("sigma")
    entries = [one for one in card.get("certified") or () if one["method"] == "hard"]
    if not entries:
        return None
    entry = next((one for one in entries if one["sigma"] == trained), entries[0])
    return Radius(
        entry["sigma"], entry["images"], entry["draws"], entry["staged"], average_of(entry)
    )


def average_of(entry: Mapping[str, Any]) -> Interval:
    """A card's average certified radius with its interval.

    Cards of before have none: then one of the spread that the accuracies at their radii leave, read
    as straight lines between them and from the last one to where the average needs them to end.

    Example:
        >>> accuracy = [{"radius": 0.0, "value": 1.0}, {"radius": 1.0, "value": 0.0}]
        >>> entry = {"images": 300, "average_certified_radius": 0.5, "certified_accuracy": accuracy}
        >>> [round(end, 3) for end in average_of(entry)]
        [0.5, 0.467, 0.533]
    """
    average: float = entry["average_certified_radius"]
    known = entry.get("average_certified_radius_interval")
    if known is not None:
        return Interval(average, *known)
    at = [share["radius"] for share in entry["certified_accuracy"]]
    shares = [share["value"] for share in entry["certified_accuracy"]]
    left = average - float(np.trapezoid(shares, at))
    if shares[-1] > 0 and left > 0:
        at, shares = [*at, at[-1] + 2 * left / shares[-1]], [*shares, 0.0]
    fine = np.linspace(0, at[-1], 2001)
    squares = float(np.trapezoid(2 * fine * np.interp(fine, at, shares), fine))
    margin = 1.96 * math.sqrt(max(0.0, squares - average**2) / entry["images"])
    return Interval(average, max(0.0, average - margin), average + margin)


def table(seen: Sequence[Seen], radii: Mapping[str, Radius | None]) -> str:
    """A row per network, reader and table."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    card = ["sigma", "certified_images", "draws", "staged", "average_certified_radius"]
    card += ["average_certified_radius_low", "average_certified_radius_high"]
    writer.writerow(["network", *card, "seen_by", "table", "pictures", "share", "low", "high"])
    for one in seen:
        radius = radii[one.network]
        known: Sequence[Any] = [""] * len(card)
        if radius is not None:
            average = [f"{value:.4f}" for value in radius.average]
            known = [radius.sigma, radius.images, radius.draws, int(radius.staged), *average]
        share = [f"{value:.4f}" for value in one.share]
        writer.writerow([csv_cell(one.network), *known, one.by, one.table, one.pictures, *share])
    return buffer.getvalue()


def warnings(seen: Sequence[Seen], radii: Mapping[str, Radius | None]) -> Iterator[str]:
    """Which points rest on few images, certified or painted."""
    few = [
        f"{name} ({radius.images})"
        for name, radius in radii.items()
        if radius is not None and radius.images < _FEW_IMAGES
    ]
    if few:
        yield f"certified on fewer than {_FEW_IMAGES} images: {', '.join(few)}"
    counts: dict[tuple[str, str], list[int]] = {}
    for one in seen:
        counts.setdefault((one.table, one.by), []).append(one.pictures)
    for (name, by), found in counts.items():
        if min(found) < _FEW_PICTURES:
            most = "" if min(found) == max(found) else f" to {max(found)}"
            yield f"{name}, {by}: {min(found)}{most} pictures a network"


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
        axes.set(xlabel="average certified radius", title=_title(family, points, radii))
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


def _of_people(row: Mapping[str, str], name: str) -> Seen:
    share = (float(row[column]) for column in ("named", "named_low", "named_high"))
    return Seen(row["network"], PEOPLE, name, int(row["answers"]), Interval(*share))


def _of_judges(rows: Sequence[Mapping[str, str]], name: str) -> Iterator[Seen]:
    """By network; of a table of figures those rows count whose networks share their starts."""
    kept = [row for row in rows if row.get("figure", SIDE_BY_SIDE[0]) in SIDE_BY_SIDE]
    for network in dict.fromkeys(row["network"] for row in kept):
        own = [row for row in kept if row["network"] == network]
        hits = [float(row["judge_robust_hit"]) for row in own if row["judge_robust_hit"]]
        if hits:
            share = share_interval(np.array(hits) > 0.5)
            yield Seen(network, JUDGE, name, len(hits), share)
        voted = [float(row["panel_share"]) for row in own if row.get("panel_share")]
        if voted:
            yield Seen(network, PANEL, name, len(voted), share_interval(np.array(voted) > 0.5))
