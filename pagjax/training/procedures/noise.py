"""Cross-entropy under noise, and predictions that noise must not move."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.training.procedures.plans import (
    Plan,
    Step,
    cross_entropy,
    flat,
    kl_divergence,
    noise_of,
)


def vanilla(step: Step) -> Plan:
    """Cross-entropy on the images as they are."""
    return Plan(step.images, lambda logits: cross_entropy(logits, step.labels).mean())


def gaussian(step: Step) -> Plan:
    """Cross-entropy under one fresh noise draw per image and step.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.3.
    """
    noisy = step.images + noise_of(step, 1)[:, 0]
    return Plan(noisy, lambda logits: cross_entropy(logits, step.labels).mean())


def stability(step: Step) -> Plan:
    """Cross-entropy on the clean image, and a pull of the noisy prediction towards the clean one.

    ``CE(f(x), y) + weight x KL(f(x) || f(x + noise))``.

    Reference: Li et al. (2019), section 4; Carmon et al. (2019), equation 4 (their stability loss).
    Where a cross-entropy of the two predictions is meant instead, as in the code of Jeong and Shin
    (2020), it has this divergence and the clean prediction's entropy besides.
    """
    pair = jnp.stack([step.images, step.images + noise_of(step, 1)[:, 0]], axis=1)

    def loss(logits: Array) -> Array:
        clean, noisy = logits[0::2], logits[1::2]
        divergence = kl_divergence(jax.nn.log_softmax(clean), jax.nn.log_softmax(noisy))
        weighted = step.settings.weight * divergence
        return (cross_entropy(clean, step.labels) + weighted).mean()

    return Plan(flat(pair), loss)


def consistency(step: Step) -> Plan:
    """Gaussian augmentation whose m noisy predictions are pulled to their mean.

    ``1/m sum_i CE(f_i, y) + weight x 1/m sum_i KL(mean || f_i) + entropy_weight x H(mean)``.

    Reference: Jeong and Shin (2020), equation 7.
    """
    m, settings = step.settings.num_noise, step.settings
    copies = flat(step.images[:, None] + noise_of(step, m))

    def loss(logits: Array) -> Array:
        log_p = jax.nn.log_softmax(logits).reshape(-1, m, logits.shape[-1])
        log_mean = jax.nn.logsumexp(log_p, axis=1) - jnp.log(m)
        divergence = kl_divergence(log_mean[:, None], log_p).mean(axis=1)
        entropy = -jnp.sum(jnp.exp(log_mean) * log_mean, axis=-1)
        fit = cross_entropy(logits, jnp.repeat(step.labels, m)).reshape(-1, m).mean(axis=1)
        return (fit + settings.weight * divergence + settings.entropy_weight * entropy).mean()

    return Plan(copies, loss)
