"""Averages of the weights over training: a running one, or stochastic weight averaging.

Stochastic weight averaging (Izmailov et al. 2018, "Averaging weights leads to wider optima and
better generalization", algorithm 1) takes equal shares of weights along the steps of a constant
learning rate. No step saw the averaged weights: `pagjax.training.batch_statistics` is for them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.training.settings import Settings

Variables = dict[str, Any]


def averaged(
    settings: Settings, steps_per_epoch: int, step: Array, average: Variables, variables: Variables
) -> Variables:
    """The average after a step.

    Args:
        settings: of the run; `average_from` chooses equal shares, else `average` is the decay.
        steps_per_epoch: of the run.
        step: how many steps were taken before this one.
        average: before this step.
        variables: after it.
    """
    if settings.average_from:
        first = round(settings.average_from * steps_per_epoch)
        taken = step + 1
        count = taken // settings.average_every - first // settings.average_every
        is_due = (taken % settings.average_every == 0) & (taken > first)
        share = jnp.where(taken <= first, 1.0, jnp.where(is_due, 1 / jnp.maximum(count, 1), 0.0))
    elif settings.average:
        # Early on the average forgets faster, so that random initial weights leave no trace.
        share = 1 - jnp.minimum(settings.average, (1 + step) / (10 + step))
    else:
        return variables
    return jax.tree.map(lambda old, new: (1 - share) * old + share * new, average, variables)
