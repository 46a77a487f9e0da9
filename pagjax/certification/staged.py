"""Certificates from draws in stages: stop as soon as the question is decided.

Every stage bounds with an alpha of its own and their sum is alpha, so with probability 1 - alpha
all of them hold at once: the largest radius of the stages looked at is sound, whatever made the
drawing stop. One stage with all draws is the plain procedure.

Where the looks are and how alpha is shared was chosen on the published radii of Cohen et al.'s
CIFAR-10 networks, 10,000 draws at most and radii 0, 0.25, 0.5, 0.75, 1: the last look keeps nearly
all of alpha, so that a radius at the edge of what all draws prove is rarely lost.

Reference: Voráček (2024), "Treatment of statistical estimation problems in randomized smoothing for
adversarial robustness", union-bound confidence sequences; Hoeffding's and Clopper and Pearson's
bounds in place of the ones there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from jax import Array

from pagjax.certification.bounds import check_alpha
from pagjax.certification.certificate import ABSTAIN, Certificate
from pagjax.certification.sampling import DrawStream

LEAST_DRAWS = 100
# From one look to the next; and the last look's share of alpha.
_GROWTH, _LAST_SHARE = 1.5, 0.9
# How unlikely a share of votes must be for drawing to stop because of it: touches power alone.
DOUBT = 0.01


class Stage(NamedTuple):
    """A look at the draws: how many there are by then, and its failure probability."""

    num_draws: int
    alpha: float


class Evidence(Protocol):
    """Statistics of draws, and what follows from them."""

    @property
    def of_logits(self) -> Callable[[Array], Array]:
        """What a draw contributes."""

    def add(self, outputs: np.ndarray) -> None:
        """Counts draws, shape ``[c, ...]``."""

    def certificate(self, alpha: float) -> Certificate:
        """Sound with probability 1 - alpha."""

    def hope(self, last: Stage) -> float:
        """The radius at the last look if the draws to come go as well as is believable.

        That is at a confidence bound of level `DOUBT`; negative where nothing would be certified.
        Only says when to stop: a mistake here makes a radius smaller, never wrong.
        """


def plan(num_draws: int, alpha: float, *, staged: bool) -> list[Stage]:
    """When to look: after all draws, or also each time that there are half as many again.

    Args:
        num_draws: in all, at least 1.
        alpha: of all stages together, in (0, 1): nine tenths for the last, the rest in equal parts.
        staged: whether to look before the end.

    Returns:
        Stages in order, the first of at least `LEAST_DRAWS`.

    Example:
        >>> plan(100_000, 0.001, staged=False)
        [Stage(num_draws=100000, alpha=0.001)]
        >>> [stage.num_draws for stage in plan(1000, 0.001, staged=True)]
        [132, 198, 297, 445, 667, 1000]
    """
    check_alpha(alpha)
    counts = [num_draws]
    while staged and counts[0] >= _GROWTH * LEAST_DRAWS:
        counts.insert(0, math.ceil(counts[0] / _GROWTH))
    early = len(counts) - 1
    shares = [(1 - _LAST_SHARE) / early] * early + [_LAST_SHARE] if early else [1.0]
    return [Stage(count, alpha * share) for count, share in zip(counts, shares, strict=True)]


def run(
    evidence: Evidence,
    stream: DrawStream,
    stages: Sequence[Stage],
    radii: Sequence[float] | None = None,
    label: int | None = None,
) -> Certificate:
    """Draws stage by stage until it is decided which of `radii` are reached.

    Args:
        evidence: empty statistics.
        stream: of the draws that they count.
        stages: from `plan`.
        radii: of interest, l2 lengths in pixel units; 0 asks whether anything is certified. None
            makes all draws.
        label: with `radii`, the class that they are about: once another is certified, they are
            decided.

    Returns:
        The certificate of the stage with the largest radius, with all draws that were made.
    """
    check_radii(radii or ())
    undecided = radii
    best: Certificate | None = None
    done = 0
    for stage in stages:
        for outputs in stream.take(stage.num_draws - done):
            evidence.add(outputs)
        done = stage.num_draws
        found = evidence.certificate(stage.alpha)
        better = best is None or (found.prediction != ABSTAIN and found.radius >= best.radius)
        best = found if better else best
        assert best is not None
        reached = best.radius if best.prediction != ABSTAIN else -math.inf
        if undecided is not None:
            hope = evidence.hope(stages[-1])
            undecided = [radius for radius in undecided if reached < radius <= hope]
            another = label is not None and best.prediction not in (ABSTAIN, label)
            if another or not undecided:
                break
    assert best is not None
    return dataclasses.replace(best, totals=found.totals, num_draws=done)


def check_radii(radii: Sequence[float]) -> None:
    """Refuses radii that are negative or not finite."""
    for radius in radii:
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError(f"radius {radius}: must be finite and at least 0, in pixel units")
