"""What a procedure is given, what it answers, and what several procedures share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core import draws
from pagjax.core.checks import LogitsFn
from pagjax.training.settings import Settings

Pull = Callable[[Array], Array]
"""A cotangent of the logits to one of the images: the network's transposed Jacobian."""


class Plan(NamedTuple):
    """A step's work.

    Attributes:
        images: what the network is evaluated on, all copies of an image in a row, shape
            ``[batch x copies, height, width, channels]``. They go through in one pass, so that
            batch statistics are those of all of them.
        loss: scalar function of the logits ``[batch x copies, classes]``.
        gradient_loss: scalar function of the logits and their `Pull`, added to the loss; None where
            the loss asks nothing of input gradients.
    """

    images: Array
    loss: Callable[[Array], Array]
    gradient_loss: Callable[[Array, Pull], Array] | None = None


class Step(NamedTuple):
    """What a procedure plans for.

    Attributes:
        images: shape ``[batch, height, width, channels]`` in [0, 1], augmented.
        labels: class indices ``[batch]``.
        key: of this step.
        logits_fn: the network as it stands, for attacks; its weights are constants here.
        epsilon: radius of the attack at this step, scalar.
        settings: of the run.
        rise: share of the warm-up that is over, scalar in [0, 1].
        epoch: of this step, as a fraction, scalar.
        soft_labels: probabilities that the teacher gives, ``[batch, classes]``; None without one.
        bayes: the Bayes-optimal classifier of images under noise of level sigma; None where the
            procedure asks for none.
    """

    images: Array
    labels: Array
    key: Array
    logits_fn: LogitsFn
    epsilon: Array
    settings: Settings
    rise: Array | float = 1.0
    epoch: Array | float = 0.0
    soft_labels: Array | None = None
    bayes: LogitsFn | None = None


Procedure = Callable[[Step], Plan]


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Of every row of ``[n, classes]`` with its label, shape ``[n]``."""
    return -of_label(jax.nn.log_softmax(logits), labels)


def kl_divergence(log_p: Array, log_q: Array) -> Array:
    """``KL(p || q)`` along the last axis."""
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def kl_from(p: Array, log_q: Array) -> Array:
    """``KL(p || q)`` along the last axis, of probabilities that may be 0."""
    return jnp.sum(jax.scipy.special.xlogy(p, p) - p * log_q, axis=-1)


def noise_of(step: Step, count: int) -> Array:
    """Draws of scale sigma, shape ``[batch, count, height, width, channels]``.

    They are the draws that an attack with fixed noise and the same key meets.
    """
    shape, dtype = step.images.shape[1:], step.images.dtype

    def of_image(key: Array) -> Array:
        return draws.gaussian(jax.random.fold_in(key, 0), jnp.arange(count), shape, dtype)

    return step.settings.sigma * jax.vmap(of_image)(image_keys(step))


def uniforms_of(step: Step, count: int) -> Array:
    """Numbers in [0, 1) beside the noise, shape ``[batch, count]``."""

    def of_image(key: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, 1), (count,), step.images.dtype)

    return jax.vmap(of_image)(image_keys(step))


def image_keys(step: Step) -> Array:
    """One key per image of the step."""
    return draws.image_keys(step.key, step.images.shape[0])


def flat(copies: Array) -> Array:
    """``[batch, copies, ...]`` as ``[batch x copies, ...]``."""
    return copies.reshape(-1, *copies.shape[2:])


def of_label(rows: Array, labels: Array) -> Array:
    """Of every row of ``[n, classes]`` the label's entry, shape ``[n]``."""
    return jnp.take_along_axis(rows, labels[:, None], axis=-1)[:, 0]
