"""Cross-entropy at the end of attacks."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from pagjax.training.attack import attack
from pagjax.training.procedures.plans import (
    Plan,
    Step,
    cross_entropy,
    flat,
    image_keys,
    noise_of,
)


def adversarial(step: Step) -> Plan:
    """Cross-entropy at the end of an l2 attack on the base network.

    Reference: Madry et al. (2018), equation 2.1.
    """
    attacked = _attack(step, sigma=0.0, num_noise=1)
    return Plan(attacked, lambda logits: cross_entropy(logits, step.labels).mean())


def smoothadv(step: Step) -> Plan:
    """Cross-entropy under noise at the end of an l2 attack on the smoothed classifier.

    The attack climbs ``-log(1/m sum_i p_label(x + noise_i))``; its m draws stay fixed over its
    steps and are the draws of the update, whose loss is the mean of the copies' cross-entropies.

    Reference: Salman et al. (2019), algorithm 1 (SmoothAdv-PGD).
    """
    m = step.settings.num_noise
    attacked = _attack(step, sigma=step.settings.sigma, num_noise=m)
    copies = flat(attacked[:, None] + noise_of(step, m))
    labels = jnp.repeat(step.labels, m)
    return Plan(copies, lambda logits: cross_entropy(logits, labels).mean())


def _attack(step: Step, *, sigma: float, num_noise: int) -> Array:
    return attack(
        step.logits_fn,
        step.images,
        step.labels,
        image_keys(step),
        sigma=sigma,
        epsilon=step.epsilon,
        num_steps=step.settings.attack_steps,
        num_samples=num_noise,
    )
