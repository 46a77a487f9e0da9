"""Input gradients that point to the target classes, asked for by themselves."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.training.procedures.plans import (
    Plan,
    Pull,
    Step,
    cross_entropy,
    flat,
    noise_of,
    uniforms_of,
)


def aligned(step: Step) -> Plan:
    """Cross-entropy under noise, and input gradients along those of the best classifier there is.

    ``CE(f(x), label) + weight x sum_t (1 - cos(grad_x log f(x)_t, grad_x log b(x)_t))`` over target
    classes t, for m noisy copies x of each image. b is the Bayes-optimal classifier of noisy images
    whose classes are Gaussians (`pagjax.alignment.bayes`), so that g_t points to class t from where
    the copy is. With `num_targets` classes, drawn anew for every image and step, their mean stands
    for that of all.

    Reference: Ganz, Kawar and Elad (2023); their targets are differences of a diffusion
    model's scores, or directions to images of the class. As in their code, input gradients are
    those of the network in training form, batch statistics included.

    Raises:
        ValueError: without the Bayes-optimal classifier.
    """
    if step.bayes is None:
        raise ValueError("aligned needs the Bayes-optimal classifier: pass `statistics`")
    m, settings, bayes = step.settings.num_noise, step.settings, step.bayes
    copies = flat(step.images[:, None] + noise_of(step, m))
    labels = jnp.repeat(step.labels, m)

    def gradient_loss(logits: Array, pull: Pull) -> Array:
        num_classes = logits.shape[-1]
        targets = _targets(step, num_classes)
        densities, pull_bayes = jax.vjp(bayes, copies)

        def missed(targets: Array) -> Array:
            ours = pull(_odds_slope(logits, targets))
            theirs = jax.lax.stop_gradient(pull_bayes(_odds_slope(densities, targets))[0])
            return 1 - jax.vmap(_cosine)(ours, theirs)

        return settings.weight * num_classes * jax.lax.map(missed, targets).mean()

    return Plan(copies, lambda logits: cross_entropy(logits, labels).mean(), gradient_loss)


def _odds_slope(logits: Array, targets: Array) -> Array:
    """Gradient of the targets' log-odds by the logits: along that of their log-probabilities.

    It is that over ``1 - p_target``, which tells the direction where p rounds to 1.
    """
    chosen = jax.nn.one_hot(targets, logits.shape[-1], dtype=bool)
    others = jax.nn.softmax(jnp.where(chosen, -jnp.inf, logits))
    return chosen.astype(logits.dtype) - others


def _targets(step: Step, num_classes: int) -> Array:
    """Target classes of every copy, shape ``[num_targets, batch x copies]``."""
    count = step.settings.num_targets or num_classes
    orders = jnp.argsort(uniforms_of(step, num_classes), axis=1)[:, :count]
    return jnp.repeat(orders, step.settings.num_noise, axis=0).T


def _cosine(a: Array, b: Array) -> Array:
    """Of the angle between two images, 0 where one has no length; differentiable everywhere."""
    a, b = _scaled(a), _scaled(b)
    square = jnp.vdot(a, a) * jnp.vdot(b, b)
    return jnp.vdot(a, b) / jnp.sqrt(jnp.where(square > 0, square, 1))


def _scaled(vector: Array) -> Array:
    """A multiple whose square neither overflows nor underflows."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vector)))
    return vector / jnp.where(largest > 0, largest, 1)
