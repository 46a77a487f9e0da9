"""The best published certified accuracies on CIFAR-10: what a network is to be held against.

Numbers of ResNet-110s on all 10,000 test images, N = 100,000, alpha = 0.001, recomputed from the
logs that were published with the methods.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pagjax.certified_logs.report import Summary
from pagjax.certified_logs.tables import Cell, Measured, Table

IMAGES = 10_000
_FEW = 500
SOURCES = {
    "Gaussian (Cohen et al. 2019)": "ICML; logs of alinlab/smoothing-catrs, data/cifar10",
    "Gaussian, trained anew": "logs of eth-sri/acr-weakness, data/certify/cifar10, as all below",
    "MACER": "Zhai et al. 2020, ICLR",
    "SmoothAdv": "Salman et al. 2019, NeurIPS",
    "Consistency": "Jeong and Shin 2020, NeurIPS",
    "SmoothMix": "Jeong et al. 2021, NeurIPS",
    "CAT-RS": "Jeong et al. 2023, AAAI",
    "Sun et al. 2025": "ICML, arXiv 2410.06895",
}
RADII = {
    0.25: (0.0, 0.25, 0.5, 0.75),
    0.5: (0.0, 0.25, 0.5, 0.75, 1.0, 1.5),
    1.0: (0.0, 0.5, 1.0, 1.5, 2.0),
}
# By noise level, in the order of `SOURCES`: average certified radius, then percent at `RADII`.
_NUMBERS = {
    0.25: (
        (0.424, 76.7, 61.2, 42.2, 25.1),
        (0.487, 80.4, 66.8, 50.5, 32.7),
        (0.529, 78.7, 68.3, 55.9, 40.8),
        (0.545, 74.0, 66.2, 56.7, 47.5),
        (0.547, 75.8, 67.4, 57.5, 46.0),
        (0.543, 77.1, 67.6, 56.8, 45.0),
        (0.562, 76.3, 68.1, 58.8, 48.2),
        (0.564, 76.6, 69.0, 59.3, 48.3),
    ),
    0.5: (
        (0.525, 65.7, 54.9, 42.8, 32.5, 22.0, 8.3),
        (0.571, 68.8, 58.2, 46.2, 34.5, 24.5, 10.2),
        (0.680, 64.7, 57.4, 49.5, 42.0, 34.0, 19.2),
        (0.703, 66.4, 58.6, 50.8, 43.0, 35.1, 20.2),
        (0.716, 64.1, 57.6, 50.3, 42.9, 35.9, 22.6),
        (0.738, 60.6, 55.2, 49.3, 43.3, 37.6, 26.4),
        (0.757, 62.3, 56.8, 50.5, 44.6, 38.5, 27.1),
        (0.760, 59.3, 54.8, 49.6, 44.4, 38.9, 29.0),
    ),
    1.0: (
        (0.511, 47.1, 33.8, 22.1, 13.3, 6.6),
        (0.543, 50.9, 36.5, 23.9, 13.7, 6.5),
        (0.760, 39.5, 34.6, 28.9, 23.8, 18.6),
        (0.796, 43.6, 37.0, 30.7, 24.5, 18.8),
        (0.757, 45.7, 37.8, 29.7, 22.9, 16.6),
        (0.788, 42.4, 36.7, 30.0, 23.9, 18.6),
        (0.815, 43.2, 37.2, 31.0, 24.9, 19.3),
        (0.844, 42.0, 36.5, 31.1, 25.6, 20.6),
    ),
}


class Anchor(NamedTuple):
    """A published network.

    Attributes:
        method: how it was trained.
        average_radius: average certified radius in pixel units.
        accuracies: certified accuracy by radius, shares.
    """

    method: str
    average_radius: float
    accuracies: dict[float, float]


def anchors(sigma: float) -> list[Anchor]:
    """The published networks at a noise level, weakest first; none at levels but .25, .5 and 1.

    Example:
        >>> best = max(anchors(0.5), key=lambda anchor: anchor.average_radius)
        >>> best.method, best.average_radius, best.accuracies[1.0]
        ('Sun et al. 2025', 0.76, 0.389)
    """
    return [
        Anchor(
            method,
            radius,
            {r: round(p / 100, 4) for r, p in zip(RADII[sigma], shares, strict=True)},
        )
        for method, (radius, *shares) in zip(SOURCES, _NUMBERS.get(sigma, ()), strict=False)
    ]


class Own(NamedTuple):
    """A network to hold against them.

    Attributes:
        summary: of its log, or what its card says of one.
        draws: at most, or None where nobody says.
        staged: whether they stopped early, so that the average radius is a lower bound.
    """

    summary: Summary
    draws: int | None
    staged: bool


def tables_of(own: Sequence[Own]) -> Iterator[tuple[float, Table]]:
    """A table per noise level of the anchors, with one's own networks at that level below."""
    for sigma, radii in RADII.items():
        rows: list[list[Cell]] = [
            [
                one.method,
                f"{IMAGES:,}",
                "100,000",
                Measured(one.average_radius, percent=False),
                *(Measured(one.accuracies[radius], digits=1) for radius in radii),
            ]
            for one in anchors(sigma)
        ]
        rows += [_row(one, radii) for one in own if one.summary.sigma == sigma]
        columns = [f"r = {radius:g}" for radius in radii]
        yield sigma, Table(["network", "images", "N", "ACR", *columns], rows)


def told(own: Sequence[Own]) -> Iterator[str]:
    """What to know of the tables, a line each."""
    yield (
        "certified accuracy in percent by radius, with exact 95% intervals of one's own; ACR: "
        "average certified radius in pixel units, with Student's"
    )
    yield (
        "published: ResNet-110, 10,000 test images, N = 100,000, alpha 0.001; their 95% intervals "
        "reach one point to either side"
    )
    yield from (f"{method}: {source}" for method, source in SOURCES.items())
    few = [f"{one.summary.name} ({one.summary.images})" for one in own if one.summary.images < _FEW]
    if few:
        yield f"fewer than {_FEW} images, so take them for hints: {', '.join(few)}"
    if any(one.staged for one in own):
        yield "average radii with >= are lower bounds, as draws were made in stages"


def _row(own: Own, radii: Sequence[float]) -> list[Cell]:
    found = dict(zip(own.summary.radii, own.summary.accuracies, strict=True))
    average: Cell = "-"
    if own.summary.average_radius is not None:
        known = own.summary.radius_interval
        low, high = known[1:] if known else (math.nan, math.nan)
        average = Measured(own.summary.average_radius, low, high, percent=False)
        if own.staged:
            average = f">= {own.summary.average_radius:.3f}"
    return [
        own.summary.name,
        f"{own.summary.images:,}",
        "-" if own.draws is None else f"{own.draws:,}",
        average,
        *(Measured(*found[radius]) if radius in found else "-" for radius in radii),
    ]
