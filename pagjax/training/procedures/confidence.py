"""Robustness asked of each image by how well noise leaves it recognised."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core.projections import onto_ball, safe_norm
from pagjax.training.attack import ascent
from pagjax.training.procedures.plans import (
    Plan,
    Step,
    cross_entropy,
    flat,
    kl_from,
    noise_of,
    uniforms_of,
)


def catrs(step: Step) -> Plan:
    """Confidence-aware training: the easiest draws of hard images, the worst of easy ones.

    Of m noisy copies, the share that the network gets right is p, and K is drawn from Bin(m, p), at
    least 1. With the copies' cross-entropies in ascending order, CE_(1) first,

        low = 1/m sum_{i <= K} CE_(i),    high = [K = m] max_i KL(soft label || f(x + noise_i*)),

    and the loss is ``low + weight x high``. ``noise_i*`` climbs that divergence from noise_i by
    `attack_steps` steps within an l2 ball of `epsilon` around it, each step rescaled to the mean
    and the root mean square of noise_i, so that it looks like noise still. Soft labels are the
    shares of noisy predictions of a network trained with Gaussian augmentation (`teacher`).

    Reference: Jeong, Kim and Shin (2023) (bottom-K and worst-case Gaussian training).
    Their code passes noisy and attacked copies one after the other, each with its own batch
    statistics; here both go through together. Their variant for ImageNet, with p by the teacher, is
    not here.

    Raises:
        ValueError: without soft labels.
    """
    if step.soft_labels is None:
        raise ValueError("catrs needs soft labels: pass `teacher`")
    m, settings, soft = step.settings.num_noise, step.settings, step.soft_labels
    noisy = step.images[:, None] + noise_of(step, m)
    copies = jnp.concatenate([noisy, _worst(step, noisy, soft)], axis=1)
    uniforms = uniforms_of(step, m)

    def loss(logits: Array) -> Array:
        easy, worst = jnp.split(logits.reshape(-1, 2 * m, logits.shape[-1]), 2, axis=1)
        right = jnp.argmax(easy, axis=-1) == step.labels[:, None]
        share = right.mean(axis=1, keepdims=True)
        kept = jnp.maximum(1, jnp.sum(uniforms < share, axis=1))
        fits = cross_entropy(flat(easy), jnp.repeat(step.labels, m)).reshape(-1, m)
        low = jnp.where(jnp.arange(m) < kept[:, None], jnp.sort(fits, axis=1), 0).mean(axis=1)
        high = kl_from(soft[:, None], jax.nn.log_softmax(worst)).max(axis=1)
        return (low + settings.weight * jnp.where(kept == m, high, 0)).mean()

    return Plan(flat(copies), loss)


def _worst(step: Step, noisy: Array, soft: Array) -> Array:
    """Each copy at the end of its attack, shape of `noisy`."""
    m, epsilon = noisy.shape[1], step.epsilon
    each = flat(noisy), jnp.repeat(step.images, m, axis=0), jnp.repeat(soft, m, axis=0)

    def score(logits: Array, beside: tuple[Array, Array]) -> Array:
        return kl_from(beside[1], jax.nn.log_softmax(logits))

    def project(point: Array, start: Array, beside: tuple[Array, Array]) -> Array:
        noise = start - beside[0]
        return beside[0] + _as_noise(onto_ball(point, start, epsilon) - beside[0], noise)

    moved = ascent(
        step.logits_fn,
        each[0],
        each[1:],
        score,
        num_steps=step.settings.attack_steps,
        step_size=2 * epsilon / step.settings.attack_steps,
        project=project,
    )
    return moved.reshape(noisy.shape)


def _as_noise(moved: Array, noise: Array) -> Array:
    """A perturbation with the mean and the root mean square that the noise had."""
    size = safe_norm(moved)
    scaled = (moved - moved.mean()) / jnp.where(size > 0, size, 1) * safe_norm(noise)
    return noise.mean() + scaled
