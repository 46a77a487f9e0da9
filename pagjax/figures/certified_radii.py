"""Alignment beside certified radius, network by network: from tables and cards.

Does what certifies better also align better? Beside a network's average certified radius, from its
card, stand the shares of its pictures in which others see the target: the robust judge, most of the
panel, readers of the blind test.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pagjax.alignment.intervals import Interval, share_interval
from pagjax.jobs.errors import JobError
from pagjax.wording.escapes import csv_cell, one_line

if TYPE_CHECKING:
    from pagjax.checkpoints.cards import Certified

# Figures in which networks start from the same pictures; others vary the objective or the draws.
SIDE_BY_SIDE = ("1", "4", "9", "10", "11", "12", "15", "16", "17")
JUDGE, PANEL, READERS = "robust judge", "most of the panel", "readers"
_FEW_IMAGES, _FEW_PICTURES = 500, 100


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
        by: `JUDGE`, `PANEL` or `READERS`.
        table: name of the table that says so.
        pictures: how many were read.
        share: of them, with its exact interval.
    """

    network: str
    by: str
    table: str
    pictures: int
    share: Interval


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
            return [_of_readers(row, path.name) for row in rows]
        if {"network", "judge_robust_hit"} <= columns:
            return list(_of_judges(rows, path.name))
    except (OSError, UnicodeError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise JobError(f"{path}: cannot be read ({one_line(str(error))[:200]})") from error
    raise JobError(f"{path}: no table of align, figures or the blind test")


def radius_of(name: str) -> Radius | None:
    """A shipped network's radius from its card, at its training's noise; None where it has none."""
    from pagjax.checkpoints import cards, shipped

    if name not in shipped.names():
        return None
    card = cards.read(shipped.path(name))
    entries = [one for one in card.certified or () if one.method == "hard"]
    if not entries:
        return None
    trained = card.settings.get("sigma")
    entry = next((one for one in entries if one.sigma == trained), entries[0])
    return Radius(entry.sigma, entry.images, entry.draws, entry.staged, average_of(entry))


def average_of(entry: Certified) -> Interval:
    """A card's average certified radius with its interval.

    Cards of before have none: then one of the spread that the accuracies at their radii leave, read
    as straight lines between them and from the last one to where the average needs them to end.

    Example:
        >>> import dataclasses
        >>> from pagjax.certification import Share
        >>> from pagjax.checkpoints import cards, shipped
        >>> entry = cards.read(shipped.path("cifar10-gaussian-0.25")).certified[0]
        >>> entry = dataclasses.replace(entry, images=300, average_radius=0.5,
        ...     radius_interval=None, radii=(0, 1), accuracies=(Share(1, 1, 1), Share(0, 0, 0)))
        >>> [round(end, 3) for end in average_of(entry)]
        [0.5, 0.467, 0.533]
    """
    average = math.nan if entry.average_radius is None else entry.average_radius
    if entry.radius_interval is not None:
        return Interval(average, *entry.radius_interval)
    at, shares = list(entry.radii), [share.value for share in entry.accuracies]
    left = average - float(np.trapezoid(shares, at))
    if shares[-1] > 0 and left > 0:
        at, shares = [*at, at[-1] + 2 * left / shares[-1]], [*shares, 0.0]
    fine = np.linspace(0, at[-1], 2001)
    squares = float(np.trapezoid(2 * fine * np.interp(fine, at, shares), fine))
    margin = 1.96 * math.sqrt(max(0.0, squares - average**2) / entry.images)
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


def _of_readers(row: Mapping[str, str], name: str) -> Seen:
    share = (float(row[column]) for column in ("named", "named_low", "named_high"))
    return Seen(row["network"], READERS, name, int(row["answers"]), Interval(*share))


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
