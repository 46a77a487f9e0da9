"""Whether what the paper saw holds for the networks at hand, with the number that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pagjax.alignment.intervals import Interval, mean_interval, share_interval
from pagjax.figures.claims import Claim
from pagjax.figures.rows import Numbers

Verdict = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True)
class Observation:
    """A claim held against a figure's numbers.

    Attributes:
        words: what the paper observed.
        verdict: ``"holds"`` or ``"does not hold"`` where the whole 95% interval says so.
        number: what was found, in words; why nothing was, where there is no number.
    """

    words: str
    verdict: Verdict
    number: str


def hold(claim: Claim, rows: Sequence[Numbers]) -> Observation:
    """Holds a claim against a figure's table.

    Args:
        claim: see `Claim`.
        rows: one a picture: variant by variant, the pictures of every variant in the same order.

    Returns:
        An `Observation`; undecided where the interval reaches both inside and outside the range,
        and where the column is missing, such as a judge's on pictures that it made.

    Example:
        >>> from pagjax.figures.claims import Claim
        >>> claim = Claim("The target is seen.", "judge_robust_hit", least=0.5)
        >>> rows = [Numbers("smoothed", {"judge_robust_hit": 1.0})] * 9
        >>> hold(claim, rows).verdict, hold(claim, rows).number
        ('holds', '1.00 (0.66 to 1.00), 9 pictures')
    """
    values = _column(claim.column, claim.of, rows)
    if values is not None and claim.minus is not None:
        others = _column(claim.column, claim.minus, rows)
        values = None if others is None else values - others
    if values is None:
        told = [f"{name!r}" for name in (claim.of, claim.minus) if name is not None]
        missing = f"no {claim.column.replace('_', ' ')} for {' and '.join(told) or 'the pictures'}"
        return Observation(claim.words, "undecided", missing)
    is_share = claim.column.endswith("_hit") and claim.minus is None
    found = share_interval(values > 0) if is_share else mean_interval(values)
    return Observation(claim.words, _verdict(claim, found), _told(found, claim, len(values)))


def _column(name: str, variant: str | None, rows: Sequence[Numbers]) -> np.ndarray | None:
    own = [row.values for row in rows if variant is None or row.variant == variant]
    if not own or any(name not in values for values in own):
        return None
    return np.array([float(values[name]) for values in own])


def _verdict(claim: Claim, found: Interval) -> Verdict:
    least = -np.inf if claim.least is None else claim.least
    most = np.inf if claim.most is None else claim.most
    if least <= found.low and found.high <= most:
        return "holds"
    return "does not hold" if found.high < least or found.low > most else "undecided"


def _told(found: Interval, claim: Claim, count: int) -> str:
    sign = "+" if claim.minus is not None else ""
    ends = ""
    if np.isfinite(found.low):
        ends = f" ({found.low:{sign}.2f} to {found.high:{sign}.2f})"
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    return f"{found.value:{sign}.2f}{ends}, {pictures}"
