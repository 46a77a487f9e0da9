"""Numbers of a set of pictures: rows, means with intervals, a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pagjax.alignment import intervals
from pagjax.wording.escapes import csv_cell

HITS = "_hit"
"""Columns of zeros and ones, whose means are shares, end so."""

_SHARES = ("probability", "probability_start", "panel_share", "panel_agreement")


@dataclass(frozen=True)
class Measurements:
    """Numbers of a set of pictures.

    Attributes:
        columns: arrays of shape ``[pictures]`` by name, see `measure`.
    """

    columns: dict[str, np.ndarray]

    def rows(self) -> list[dict[str, float]]:
        """A row of numbers for every picture."""
        names = list(self.columns)
        return [
            dict(zip(names, map(float, values), strict=True))
            for values in zip(*self.columns.values(), strict=True)
        ]

    def summary(self, alpha: float = 0.05) -> dict[str, intervals.Interval]:
        """The mean of every column with its interval: exact for shares, Student's for the rest."""
        return {name: _interval(name, values, alpha) for name, values in self.columns.items()}


def as_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as CSV with the columns of all of them; a number that a row lacks is left empty.

    Text that a spreadsheet would run is not, see `pagjax.wording.escapes.csv_cell`.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        told = {k: f"{v:.6g}" if isinstance(v, float) else csv_cell(v) for k, v in row.items()}
        writer.writerow(told)
    return buffer.getvalue().encode()


def _interval(name: str, values: np.ndarray, alpha: float) -> intervals.Interval:
    if name.endswith(HITS):
        return intervals.share_interval(values > 0, alpha)
    value, low, high = intervals.mean_interval(values, alpha)
    if name.endswith(_SHARES):  # no mean of probabilities lies outside [0, 1]
        low, high = max(low, 0.0), min(high, 1.0)
    return intervals.Interval(value, low, high)
