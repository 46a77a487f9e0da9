"""Two logs on the same images: which images those are, and what they say of the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pagjax.alignment.intervals import Interval, mean_interval
from pagjax.certification.paired import PairedDifference, paired_difference
from pagjax.certified_logs import reading, settings
from pagjax.certified_logs.logs import Log, LogError
from pagjax.certified_logs.settings import Told
from pagjax.wording.escapes import one_line

_FEW = 30  # images, below which Student's interval of a mean is a guess


@dataclass(frozen=True)
class Side:
    """One of two logs.

    Attributes:
        name: what to call it.
        path: its file.
        log: its lines.
        sigma: noise level, None where neither its settings nor its path say.
    """

    name: str
    path: Path
    log: Log
    sigma: float | None


class Pair(NamedTuple):
    """Two logs' answers to the images that both have.

    Attributes:
        numbers: of the shared images, in order.
        radii: certified radii of both, shape ``[2, images]``; 0 where a log has none.
        correct: whether they are right, shape ``[2, images]``.
        certifies: whether both have radii.
    """

    numbers: tuple[int, ...]
    radii: np.ndarray
    correct: np.ndarray
    certifies: bool


class Comparison(NamedTuple):
    """The first log minus the second.

    Attributes:
        images: that both have.
        radii: of interest.
        shares: certified accuracy of both at each, shape ``[radii, 2]``.
        differences: of them.
        average_radii: of both, or None for predictions.
        radius_difference: of them, with Student's paired interval.
    """

    images: int
    radii: tuple[float, ...]
    shares: np.ndarray
    differences: tuple[PairedDifference, ...]
    average_radii: tuple[float, float] | None
    radius_difference: Interval | None


def match(first: Side, second: Side) -> Pair:
    """The images that two logs share, by number.

    Raises:
        LogError: if they are of other data, share no image, or only one of them has radii.
    """
    _check_same_data(first, second)
    if first.log.certifies != second.log.certifies:
        without = second if first.log.certifies else first
        raise LogError(f"{without.path} has predictions and no radii: compare logs of one kind")
    lines = [{line.number: line for line in side.log.lines} for side in (first, second)]
    numbers = tuple(sorted(lines[0].keys() & lines[1].keys()))
    if not numbers:
        raise LogError(f"{first.path} and {second.path} have no image in common")
    for number in numbers:
        labels = [of[number].label for of in lines]
        if labels[0] != labels[1]:
            raise LogError(
                f"{first.path} and {second.path} are not of the same data: image {number} has "
                f"label {labels[0]} in one and {labels[1]} in the other"
            )
    rows = [[of[number] for number in numbers] for of in lines]
    return Pair(
        numbers,
        np.array([[line.radius or 0.0 for line in row] for row in rows]),
        np.array([[line.correct for line in row] for row in rows]),
        first.log.certifies,
    )


def compare(pair: Pair, radii: Sequence[float], *, alpha: float = 0.05) -> Comparison:
    """Differences of certified accuracy and of the average certified radius.

    Args:
        pair: from `match`.
        radii: of interest; of predictions only 0 counts.
        alpha: of each interval by itself.

    Example:
        >>> right = np.array([[True, True, False], [True, False, False]])
        >>> pair = Pair((0, 1, 2), np.array([[0.5, 0.5, 0.5], [0.25, 0.5, 0.0]]), right, True)
        >>> found = compare(pair, [0.0])
        >>> found.differences[0].only_first, round(found.radius_difference.value, 2)
        (1, 0.25)
    """
    at = tuple(radii) if pair.certifies else (0.0,)
    counts = [pair.correct & (pair.radii >= radius) for radius in at]
    differences = tuple(paired_difference(*both, alpha=alpha) for both in counts)
    shares = np.array([both.mean(axis=1) for both in counts]).reshape(-1, 2)
    if not pair.certifies:
        return Comparison(len(pair.numbers), at, shares, differences, None, None)
    certified = pair.radii * pair.correct
    average = (float(certified[0].mean()), float(certified[1].mean()))
    difference = mean_interval(certified[0] - certified[1], alpha)
    return Comparison(len(pair.numbers), at, shares, differences, average, difference)


def told(first: Side, second: Side, pair: Pair) -> Iterator[str]:
    """What to know before the numbers, a line each: whose logs, how made, which images."""
    for letter, side in (("A", first), ("B", second)):
        name, file = one_line(side.name), one_line(str(side.path))
        where = "" if file.endswith(name) else f" ({file})"
        yield f"{letter}: {name}, {', '.join(how_made(side))}{where}"
    more = [len(side.log.lines) - len(pair.numbers) for side in (first, second)]
    beyond = [
        f"{letter} has {count:,} more" for letter, count in zip("AB", more, strict=True) if count
    ]
    count = f"{len(pair.numbers):,} image{'s' if len(pair.numbers) != 1 else ''} in both"
    yield f"{count}; {', '.join(beyond)}, which do not count" if beyond else count
    if first.sigma != second.sigma:
        shown = ["unknown" if s.sigma is None else f"{s.sigma:g}" for s in (first, second)]
        yield f"noise differs: sigma {shown[0]} in A, {shown[1]} in B"
    told = [reading.settings_of(side.path) for side in (first, second)]
    for name in ("num_draws", "alpha", "method", "image_size", "preprocessing"):
        both = [getattr(one, name) for one in told]
        if None not in both and both[0] != both[1]:
            yield f"`{name}` differs: {both[0]} in A, {both[1]} in B"
    for letter, one in zip("AB", told, strict=True):
        if one.staged:
            yield f"{letter} was drawn in stages: its average certified radius is a lower bound"
    if pair.certifies and len(pair.numbers) < _FEW:
        yield f"fewer than {_FEW} images: the interval of the radius is a guess"


def how_made(side: Side) -> Iterator[str]:
    """Noise, images, draws and confidence of a log, as far as they are known."""
    yield "sigma unknown" if side.sigma is None else f"sigma {side.sigma:g}"
    yield f"{len(side.log.lines):,} images"
    told = reading.settings_of(side.path)
    if told.num_draws is not None:
        yield f"N = {told.num_draws:,}{' in stages' if told.staged else ''}"
    if told.alpha is not None:
        yield f"alpha {told.alpha:g}"


def _check_same_data(first: Side, second: Side) -> None:
    """Refuses logs whose settings say that they are of other images."""
    told = [settings.peek(side.path) or Told() for side in (first, second)]
    ours, theirs = (one.of_data for one in told)
    # Digests say of which images logs are, however their data was named.
    known = ours is not None and theirs is not None
    for what, both in (
        ("data", [None if known else _folder_of(one.data) for one in told]),
        ("split", [one.split for one in told]),
        ("class", [one.class_name for one in told]),
    ):
        if None not in both and both[0] != both[1]:
            shown = f"{what}: {both[0]} and {both[1]}"
            raise LogError(f"{first.path} and {second.path} are not of the same {shown}")
    if ours is None or theirs is None:
        return
    if ours.listing_sha256 != theirs.listing_sha256:
        raise LogError(f"{first.path} and {second.path} are not of the same images and classes")
    # Of other damaged pictures the digests differ anyway.
    if ours.damaged == theirs.damaged and ours.content_sha256 != theirs.content_sha256:
        raise LogError(f"{first.path} and {second.path}: some images had other content in one")


def _folder_of(data: str | None) -> str | None:
    """The last part of a path: the folder may lie elsewhere on another machine."""
    return data.rstrip("/").rpartition("/")[2] if data else None
