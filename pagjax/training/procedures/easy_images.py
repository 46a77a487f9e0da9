"""A large average certified radius by way of the easy images."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core.projections import safe_norm
from pagjax.training.attack import ascent
from pagjax.training.procedures.plans import Plan, Step, cross_entropy, flat, noise_of


def acr(step: Step) -> Plan:
    """Gaussian augmentation, from `select_from` on against the nearest noise that misleads.

    Until then the loss is the cross-entropy of m noisy copies. Afterwards each copy's noise climbs
    its own cross-entropy, in up to `attack_steps` steps of `step_length`, scaled back to its own
    length after each, and stops where the network is first wrong. What is more, hard images are
    left out and easy ones seen more often, see `pagjax.training.selection`.

    Reference: Sun, Mao, Mueller and Vechev (2025), "Average certified radius is a poor metric for
    randomized smoothing". It is their point that this raises the average certified radius while
    hard images are given up.
    """
    m, settings = step.settings.num_noise, step.settings
    noisy = step.images[:, None] + noise_of(step, m)
    copies = jax.lax.cond(
        jnp.asarray(step.epoch) >= settings.select_from,
        lambda: _misleading(step, noisy),
        lambda: noisy,
    )
    labels = jnp.repeat(step.labels, m)
    return Plan(flat(copies), lambda logits: cross_entropy(logits, labels).mean())


def _misleading(step: Step, noisy: Array) -> Array:
    m = noisy.shape[1]
    beside = jnp.repeat(step.images, m, axis=0), jnp.repeat(step.labels, m)

    def score(logits: Array, beside: tuple[Array, Array]) -> Array:
        # Without a slope the loop moves nothing: who is misled stays where it is.
        loss = cross_entropy(logits[None], beside[1][None])[0]
        return jnp.where(jnp.argmax(logits) == beside[1], loss, 0)

    def project(point: Array, start: Array, beside: tuple[Array, Array]) -> Array:
        size = safe_norm(point - beside[0])
        scale = safe_norm(start - beside[0]) / jnp.where(size > 0, size, 1)
        return beside[0] + (point - beside[0]) * scale

    moved = ascent(
        step.logits_fn,
        flat(noisy),
        beside,
        score,
        num_steps=step.settings.attack_steps,
        step_size=step.settings.step_length,
        project=project,
    )
    return moved.reshape(noisy.shape)
