"""What the projected-gradient loop maximises: a score of each draw and how draws are combined.

An objective is maximised; the paper's losses (equations 5 and 6) are its negatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
from jax import Array

__all__ = ("CROSS_ENTROPY", "TARGET_CLASS_MAX", "Objective", "Reduction", "as_objective")

Reduction = Literal["mean", "log_mean_exp"]


@dataclass(frozen=True)
class Objective:
    """A Monte Carlo objective over noise draws.

    Attributes:
        name: what records and plots call it.
        score: ``(logits [classes], target) -> scalar`` of one noisy copy, differentiable.
        reduction: how the scores s_i of N draws become the objective's value:
            ``"mean"`` is ``1/N sum s_i`` (its gradient estimate is unbiased);
            ``"log_mean_exp"`` is ``log(1/N sum exp s_i)``, for scores that are logarithms of what
            is averaged (a plug-in estimate, biased downwards by Jensen's inequality).

    Example, the margin between the target and the best other class:
        >>> import jax.numpy as jnp
        >>> def margin(logits, target):
        ...     others = jnp.where(jnp.arange(logits.size) == target, -jnp.inf, logits)
        ...     return logits[target] - others.max()
        >>> objective = Objective("margin", margin, "mean")
        >>> float(objective.score(jnp.array([1.0, 4.0, 2.0]), 1))
        2.0
    """

    name: str
    score: Callable[[Array, Array], Array]
    reduction: Reduction

    def __post_init__(self) -> None:
        """Refuses a reduction that the estimator does not know."""
        if self.reduction not in ("mean", "log_mean_exp"):
            raise ValueError(
                f"reduction {self.reduction!r}: choose 'mean' or 'log_mean_exp', or write the "
                "score so that one of them fits"
            )


def _target_logit(logits: Array, target: Array) -> Array:
    return logits[target]


def _target_log_probability(logits: Array, target: Array) -> Array:
    return jax.nn.log_softmax(logits)[target]


TARGET_CLASS_MAX = Objective("tcm", _target_logit, "mean")
"""The target class's expected logit, E[logits(x + noise)_t] (Kaur et al. 2019, eq. 2 and 6)."""

CROSS_ENTROPY = Objective("ce", _target_log_probability, "log_mean_exp")
"""The log of the smoothed probability, log E[softmax(logits(x + noise))_t] (ibid., eq. 5)."""

BY_NAME = {objective.name: objective for objective in (TARGET_CLASS_MAX, CROSS_ENTROPY)}


def as_objective(objective: Objective | str) -> Objective:
    """An objective, or the one of a name in `BY_NAME`.

    Raises:
        ValueError: for another name.
        TypeError: for what is neither.

    Example:
        >>> as_objective("ce") is CROSS_ENTROPY
        True
    """
    if isinstance(objective, Objective):
        return objective
    known = f"{', '.join(map(repr, BY_NAME))} or an Objective(name, score, reduction)"
    if isinstance(objective, str):
        if objective in BY_NAME:
            return BY_NAME[objective]
        raise ValueError(f"objective {objective!r}: choose {known}")
    raise TypeError(f"objective is a {type(objective).__name__}: choose {known}")
