"""The votes behind a line of a log: a column of pagjax's own, which others' readers skip by name.

A cell is ``10000[3:9988+5:12]``: of 10,000 estimation draws 9,988 said class 3 and 12 class 5. A
soft certificate has summed probabilities in place of votes. No separator of any log is in it, and
without the bracket at its end it was cut off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

VOTES = "votes"
_CELL = re.compile(r"([0-9]{1,12})\[([0-9:+.]*)\]")
_SHARE = re.compile(r"([0-9]{1,9}):([0-9]{1,12}(?:\.[0-9]{1,2})?)")
_LEAST = 1e-4  # share of the draws


class Tally(NamedTuple):
    """What the draws of one image said.

    Attributes:
        draws: that were made; in stages, up to where drawing stopped.
        of_class: votes or summed probabilities by class index; none where there were none.
    """

    draws: int
    of_class: Mapping[int, float]

    @property
    def votes(self) -> float:
        """Of all classes together; fewer than draws where some were of no class."""
        return math.fsum(self.of_class.values())

    def share(self, label: int) -> float:
        """The share of the draws that said `label`.

        Example:
            >>> Tally(100, {3: 90.0, 5: 10.0}).share(5)
            0.1
        """
        return self.of_class.get(label, 0.0) / self.draws


def tally_of(totals: np.ndarray, draws: int) -> Tally:
    """From a certificate's totals, or a prediction's counts, shape ``[classes]``.

    Votes are kept all. Of summed probabilities those below a ten thousandth of the draws are not,
    which every class has.
    """
    cut = np.floor(np.asarray(totals, np.float64) * 100 + 1e-6) / 100
    if np.issubdtype(np.asarray(totals).dtype, np.floating):
        cut = np.where(cut < draws * _LEAST, 0, cut)
    return Tally(int(draws), {int(index): float(cut[index]) for index in np.flatnonzero(cut)})


def cell_of(tally: Tally) -> str:
    """As a log has it.

    Example:
        >>> cell_of(tally_of(np.array([0, 12, 9988]), 10_000))
        '10000[1:12+2:9988]'
    """
    shares = (f"{index}:{round(amount, 2):.12g}" for index, amount in tally.of_class.items())
    return f"{tally.draws}[{'+'.join(shares)}]"


def parse(text: str) -> Tally | None:
    """What a cell says; None where it is empty, cut off, or of somebody else's column `votes`.

    Raises:
        ValueError: for a class that is named twice.

    Example:
        >>> parse("10000[3:9988+5:12]").share(3), parse("10000[3:9988+5:1"), parse("many")
        (0.9988, None, None)
    """
    found = _CELL.fullmatch(text)
    if found is None:
        return None
    named = found[2].split("+") if found[2] else []
    shares = [_SHARE.fullmatch(share) for share in named]
    if not all(shares):
        return None
    of_class = {int(share[1]): float(share[2]) for share in shares if share}
    draws = int(found[1])
    if len(of_class) < len(named):
        raise ValueError(f"votes {text[:40]!r}: a class is named twice")
    return Tally(draws, of_class) if draws else None
