"""The certified radius as a term of the loss."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.training.procedures.plans import Plan, Step, flat, noise_of, of_label

# PhiInv is infinite at 0 and 1, and its slope with it; no margin up to 10 is touched by this.
_LOW = 1e-7


def macer(step: Step) -> Plan:
    """Cross-entropy of the soft-smoothed classifier, and a hinge on its certified radius.

    With ``p`` the mean over m draws of ``softmax(temperature x logits)``, images that the smoothed
    classifier gets right by a margin below `margin` add
    ``weight x sigma / 2 x (margin - (PhiInv(p_label) - PhiInv(max of the others)))``.

    Reference: Zhai et al. (2020), equation 12 and algorithm 1.
    """
    m, settings = step.settings.num_noise, step.settings
    copies = flat(step.images[:, None] + noise_of(step, m))

    def loss(logits: Array) -> Array:
        split = logits.reshape(-1, m, logits.shape[-1])
        soft = jax.nn.softmax(split).mean(axis=1)
        fit = -jnp.log(of_label(soft, step.labels) + 1e-10)
        sharp = jax.nn.softmax(settings.temperature * split).mean(axis=1)
        right = of_label(sharp, step.labels)
        is_label = jax.nn.one_hot(step.labels, logits.shape[-1], dtype=bool)
        other = jnp.where(is_label, 0, sharp).max(axis=-1)
        counted = (right > other) & (right < 1 - _LOW)
        inverse = jax.scipy.special.ndtri(jnp.clip(jnp.stack([right, other]), _LOW, 1 - _LOW))
        missing = settings.margin - (inverse[0] - inverse[1])
        hinge = jnp.where(counted & (missing > 0), missing, 0) * settings.sigma / 2
        return (fit + settings.weight * hinge).mean()

    return Plan(copies, loss)
