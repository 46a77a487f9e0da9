"""A figure's table as records: a row a picture, and each variant's means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pagjax.alignment.intervals import Interval
from pagjax.alignment.measurements import HITS


class Numbers(NamedTuple):
    """The numbers of a picture.

    Attributes:
        variant: label of the figure's variant that it is of.
        values: by name, see `pagjax.alignment.measure`; which there are depends on the judges.
    """

    variant: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """A picture of a figure.

    Attributes:
        figure: its number.
        network: that made it.
        start: name of the starting image.
        target: label of the target class.
        sigma, epsilon: in pixel units.
        objective: what was maximised.
        draws, steps: of its run.
        numbers: what was measured of it.
    """

    figure: int
    network: str
    start: str
    target: str
    sigma: float
    objective: str
    draws: int
    steps: int
    epsilon: float
    numbers: Numbers

    def to_json(self) -> dict[str, Any]:
        """As it stands in a figure's record and table."""
        return {
            "figure": self.figure,
            "variant": self.numbers.variant,
            "network": self.network,
            "start": self.start,
            "target": self.target,
            "sigma": self.sigma,
            "objective": self.objective,
            "draws": self.draws,
            "steps": self.steps,
            "epsilon": self.epsilon,
            **self.numbers.values,
        }


@dataclass(frozen=True)
class Means:
    """What a variant's pictures have in the mean.

    Attributes:
        variant: its label.
        pictures: how many.
        numbers: means by name, with their intervals.
    """

    variant: str
    pictures: int
    numbers: Mapping[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """As it stands in a figure's table of means."""
        return {"variant": self.variant, "pictures": self.pictures, **columns(self.numbers)}


def columns(means: Mapping[str, Interval]) -> dict[str, float]:
    """Means as a table has them: those of what judges say with the ends of their intervals.

    Example:
        >>> columns({"logit": Interval(2.0, 1.0, 3.0), "judge_robust_hit": Interval(0.5, 0.1, 0.9)})
        {'logit': 2.0, 'judge_robust_hit': 0.5, 'judge_robust_hit_low': 0.1, \
'judge_robust_hit_high': 0.9}
    """
    found: dict[str, float] = {}
    for name, interval in means.items():
        found[name] = interval.value
        if name.endswith(HITS) or name.startswith("panel_"):
            found |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found
