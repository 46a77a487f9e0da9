"""Votes of noise draws: counted on the host, and what they prove of one class."""

from __future__ import annotations

import math

import numpy as np

from pagjax.certification.bounds import clopper_pearson_lower, clopper_pearson_upper
from pagjax.certification.certificate import ABSTAIN, Certificate
from pagjax.certification.proofs import proven_clopper_pearson_lower, proven_radius
from pagjax.certification.radius import certified_radius, signed_radius
from pagjax.certification.sampling import DrawStream
from pagjax.certification.staged import DOUBT, Stage
from pagjax.core.outputs import vote


def count_votes(stream: DrawStream, num_draws: int) -> np.ndarray:
    """Votes of a stream's next draws as 64-bit integers on the host, shape ``[classes]``.

    Args:
        stream: of `pagjax.core.outputs.vote`.
        num_draws: how many to count.

    Raises:
        ValueError: if no draw at all votes: a broken network.
    """
    votes = [_votes_of(outputs) for outputs in stream.take(num_draws)]
    counts: np.ndarray = np.sum(votes, axis=0)
    if not counts.any():
        raise ValueError(
            f"logits are NaN or tied under all {num_draws} noise draws: no class to choose; check "
            "the checkpoint and its normaliser"
        )
    return counts


class Votes:
    """Votes for one class against the rest: `staged.Evidence`."""

    of_logits = staticmethod(vote)

    def __init__(self, target: int, sigma: float, *, sound: bool = False) -> None:
        """No votes yet; `sound` proves bound and radius in whole numbers."""
        self.target, self.sigma, self.sound = target, sigma, sound
        self.counts: np.ndarray | None = None
        self.num_draws = 0

    def add(self, outputs: np.ndarray) -> None:
        """Counts votes, shape ``[c, classes]``."""
        votes = _votes_of(outputs)
        if not 0 <= self.target < votes.size:
            raise ValueError(f"target {self.target}: the network has {votes.size} classes")
        self.counts = votes if self.counts is None else self.counts + votes
        self.num_draws += len(outputs)

    def certificate(self, alpha: float) -> Certificate:
        """By Clopper and Pearson's bound and Theorem 1."""
        assert self.counts is not None
        count = int(self.counts[self.target])
        if self.sound:
            lower = proven_clopper_pearson_lower(count, self.num_draws, alpha)
            radius = proven_radius(lower, self.sigma)
        else:
            lower = clopper_pearson_lower(count, self.num_draws, alpha)
            radius = certified_radius(lower, 1 - lower, self.sigma)
        prediction = self.target if lower > 0.5 else ABSTAIN
        return Certificate(
            prediction, radius, lower, 1 - lower, self.counts, self.num_draws, self.sound
        )

    def hope(self, last: Stage) -> float:
        """See `staged.Evidence`."""
        assert self.counts is not None
        count = int(self.counts[self.target])
        share = clopper_pearson_upper(count, self.num_draws, DOUBT)
        at_best = count + math.floor((last.num_draws - self.num_draws) * share)
        lower = clopper_pearson_lower(at_best, last.num_draws, last.alpha)
        return signed_radius(lower, 1 - lower, self.sigma)


def _votes_of(outputs: np.ndarray) -> np.ndarray:
    if outputs.shape[1] < 2:
        raise ValueError("a network of one class has nothing to certify")
    return outputs.sum(axis=0, dtype=np.int64)
