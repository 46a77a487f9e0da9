"""A normal distribution rounded to whole levels, as a table that is drawn from exactly.

Its weights are whole multiples of 2^-64; how far they are from the rounded normal distribution's is
bounded from above, and charged to alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from pagjax.certification.normal import ONE, cdf_bounds
from pagjax.core.grid import LEVELS, GridNoise

WHOLE = 1 << 64
"""All weights together."""

# So many standard deviations from 0 less than half a unit of weight is left.
_FARTHEST = Fraction(95, 10)
_FEWEST_COLUMNS = 256


class Rounded(NamedTuple):
    """A normal distribution rounded to whole levels.

    Attributes:
        weights: of each outcome, in units of 2^-64, at least 1; `WHOLE` together.
        distance: at least the total variation distance of one draw from the rounded normal's.
    """

    weights: Mapping[int, int]
    distance: Fraction

    def distance_of(self, num_values: int) -> Fraction:
        """At least the distance of so many independent draws together.

        Total variation distances of independent parts add up at most.
        """
        return num_values * self.distance


@lru_cache(maxsize=16)
def rounded_normal(sigma: float) -> Rounded:
    """The outcomes n with weights next to ``Phi((n + 1/2) / s) - Phi((n - 1/2) / s)``, s in levels.

    Args:
        sigma: noise level in pixel units of [0, 1], taken as the very number that the double is.

    Returns:
        Symmetric weights; 0 takes what rounding leaves over.

    Example:
        >>> found = rounded_normal(0.25)
        >>> sum(found.weights.values()) == WHOLE, max(found.weights)
        (True, 570)
        >>> 0 < found.distance < 1e-16
        True
    """
    spread = Fraction(sigma) * LEVELS
    farthest = math.ceil(_FARTHEST * spread)
    weights, errors = {}, 0
    below = cdf_bounds(Fraction(1, 2) / spread)
    inner = below
    for n in range(1, farthest + 1):
        above = cdf_bounds(Fraction(2 * n + 1, 2) / spread)
        least, most = above[0] - below[1], above[1] - below[0]
        weight = (least * WHOLE + ONE // 2) // ONE
        errors += _farther(weight, least, most)
        if weight > 0:
            weights[n] = weights[-n] = weight
        below = above
    weights[0] = WHOLE - sum(weights.values())
    # Both sides' outcomes, both sides' tails that no outcome stands for, and 0 between them.
    tails = 2 * (ONE - below[0])
    middle = _farther(weights[0], 2 * inner[0] - ONE, 2 * inner[1] - ONE)
    distance = Fraction(2 * errors + tails + middle, 2 * ONE)
    return Rounded(dict(sorted(weights.items())), distance)


def _farther(weight: int, least: int, most: int) -> int:
    """At most how far a weight is from a probability between two bounds, in units of 2^-192."""
    scaled = weight * (ONE // WHOLE)
    return max(abs(scaled - least), abs(scaled - most))


@lru_cache(maxsize=16)
def grid_noise(sigma: float) -> GridNoise:
    """The table that draws from `rounded_normal`'s weights, which it holds exactly.

    Example:
        >>> grid_noise(0.25).high.shape
        (2048,)
    """
    columns = _columns(rounded_normal(sigma).weights)
    thresholds = [threshold for threshold, _, _ in columns]
    return GridNoise(
        jnp.asarray(np.array([t >> 32 for t in thresholds], np.uint32)),
        jnp.asarray(np.array([t & (2**32 - 1) for t in thresholds], np.uint32)),
        jnp.asarray(np.array([first for _, first, _ in columns], np.int16)),
        jnp.asarray(np.array([second for _, _, second in columns], np.int16)),
    )


def _columns(weights: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Columns of equal mass, each a threshold and the outcomes on its two sides.

    Reference: Vose (1991), "A linear algorithm for generating random numbers with a given
    distribution", here in whole numbers.
    """
    count = max(_FEWEST_COLUMNS, 1 << (len(weights) - 1).bit_length())
    mass = WHOLE // count
    left = list(weights.items()) + [(0, 0)] * (count - len(weights))
    small = [(n, weight) for n, weight in left if weight < mass]
    large = [(n, weight) for n, weight in left if weight >= mass]
    columns = []
    while small:
        n, weight = small.pop()
        other, more = large.pop()
        columns.append((weight, n, other))
        more -= mass - weight
        (small if more < mass else large).append((other, more))
    # What is left fills columns by itself: all mass was dealt out in whole numbers.
    columns += [(0, n, n) for n, _ in large]
    return columns
