"""How many draws a method needs at the least: with fewer it abstains whatever they show."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from pagjax.certification.bounds import MeanBound, check_alpha, mean_margins
from pagjax.certification.staged import plan

Method = Literal["certify", "predict"]


def least_draws(alpha: float, method: Method = "certify", *, staged: bool = False) -> int:
    """The fewest draws that can give an answer, as they do where all of them agree.

    Args:
        alpha: failure probability, in (0, 1).
        method: ``"certify"``: Clopper and Pearson's bound ``alpha ** (1 / n)`` must exceed a half.
            ``"predict"``: the two-sided test's ``2 * 0.5**n`` must not exceed alpha.
        staged: of certificates, whether the draws are looked at in stages that share alpha.

    Returns:
        At least 1.

    Raises:
        ValueError: for alpha outside (0, 1).

    Example:
        >>> least_draws(0.001), least_draws(0.001, "predict")
        (10, 11)
    """
    check_alpha(alpha)
    halvings = -math.log2(alpha)
    if method == "predict":
        return _first(math.ceil(halvings) - 1, lambda n: 2 * 0.5**n <= alpha)

    def suffices(count: int) -> bool:
        share = plan(count, alpha, staged=staged)[-1].alpha
        return bool(share ** (1 / count) > 0.5)

    return _first(math.floor(halvings) - 1, suffices)


def least_soft_draws(alpha: float, bound: MeanBound, sides: int, *, staged: bool = False) -> int:
    """The same for means of probabilities, where a draw gives one class all.

    Args:
        alpha: failure probability, in (0, 1).
        bound: see `pagjax.certification.certify_soft`.
        sides: bounds that share alpha: two a class, or one for a class chosen beforehand.
        staged: see `least_draws`.

    Returns:
        At least 2.

    Example:
        >>> least_soft_draws(0.001, "hoeffding", 1), least_soft_draws(0.001, "hoeffding", 20)
        (14, 20)
    """
    check_alpha(alpha)

    def suffices(count: int) -> bool:
        share = plan(count, alpha, staged=staged)[-1].alpha / sides
        return bool(mean_margins(np.zeros(()), count, share, bound) < 0.5)

    low, high = 1, 2
    while not suffices(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def check_enough(name: str, count: int, least: int, alpha: float) -> None:
    """Refuses a number of draws with which a method abstains whatever they show."""
    if count < least:
        raise ValueError(
            f"{name} = {count}: too few to answer at alpha = {alpha:g}, whatever the draws show; "
            f"take at least {least}"
        )


def _first(start: int, suffices: Callable[[int], bool]) -> int:
    count = max(1, start)
    while not suffices(count):
        count += 1
    return count
