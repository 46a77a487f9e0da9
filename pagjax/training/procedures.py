"""Training procedures: which images a step sees, and the loss on their logits.

Each is one pure function from images, labels and a key to a `Plan`. The paper compares the first
five; the last two are the usual next ones for smoothed classifiers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core import draws
from pagjax.core.checks import LogitsFn
from pagjax.training.attack import attack
from pagjax.training.settings import Settings


class Plan(NamedTuple):
    """A step's work.

    Attributes:
        images: what the network is evaluated on, all copies of an image in a row, shape
            ``[batch x copies, height, width, channels]``.
        loss: scalar function of the logits ``[batch x copies, classes]``.
    """

    images: Array
    loss: Callable[[Array], Array]


class Step(NamedTuple):
    """What a procedure plans for.

    Attributes:
        images: shape ``[batch, height, width, channels]`` in [0, 1], augmented.
        labels: class indices ``[batch]``.
        key: of this step.
        logits_fn: the network as it stands, for attacks; its weights are constants here.
        epsilon: radius of the attack at this step, scalar.
        settings: of the run.
    """

    images: Array
    labels: Array
    key: Array
    logits_fn: LogitsFn
    epsilon: Array
    settings: Settings


Procedure = Callable[[Step], Plan]


def vanilla(step: Step) -> Plan:
    """Cross-entropy on the images as they are."""
    return Plan(step.images, lambda logits: cross_entropy(logits, step.labels).mean())


def gaussian(step: Step) -> Plan:
    """Cross-entropy under one fresh noise draw per image and step.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.3.
    """
    noisy = step.images + noise_of(step, 1)[:, 0]
    return Plan(noisy, lambda logits: cross_entropy(logits, step.labels).mean())


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
    copies = _flat(attacked[:, None] + noise_of(step, m))
    labels = jnp.repeat(step.labels, m)
    return Plan(copies, lambda logits: cross_entropy(logits, labels).mean())


def stability(step: Step) -> Plan:
    """Cross-entropy on the clean image, and a pull of the noisy prediction towards the clean one.

    ``CE(f(x), y) + weight x KL(f(x) || f(x + noise))``.

    Reference: Li et al. (2019), section 4; Carmon et al. (2019), equation 4 (their stability loss).
    """
    pair = jnp.stack([step.images, step.images + noise_of(step, 1)[:, 0]], axis=1)

    def loss(logits: Array) -> Array:
        clean, noisy = logits[0::2], logits[1::2]
        divergence = kl_divergence(jax.nn.log_softmax(clean), jax.nn.log_softmax(noisy))
        weighted = step.settings.weight * divergence
        return (cross_entropy(clean, step.labels) + weighted).mean()

    return Plan(_flat(pair), loss)


def consistency(step: Step) -> Plan:
    """Gaussian augmentation whose m noisy predictions are pulled to their mean.

    ``1/m sum_i CE(f_i, y) + weight x 1/m sum_i KL(mean || f_i) + entropy_weight x H(mean)``.

    Reference: Jeong and Shin (2020), equation 7.
    """
    m, settings = step.settings.num_noise, step.settings
    copies = _flat(step.images[:, None] + noise_of(step, m))

    def loss(logits: Array) -> Array:
        log_p = jax.nn.log_softmax(logits).reshape(-1, m, logits.shape[-1])
        log_mean = jax.nn.logsumexp(log_p, axis=1) - jnp.log(m)
        divergence = kl_divergence(log_mean[:, None], log_p).mean(axis=1)
        entropy = -jnp.sum(jnp.exp(log_mean) * log_mean, axis=-1)
        fit = cross_entropy(logits, jnp.repeat(step.labels, m)).reshape(-1, m).mean(axis=1)
        return (fit + settings.weight * divergence + settings.entropy_weight * entropy).mean()

    return Plan(copies, loss)


def macer(step: Step) -> Plan:
    """Cross-entropy of the soft-smoothed classifier, and a hinge on its certified radius.

    With ``p`` the mean over m draws of ``softmax(temperature x logits)``, images that the smoothed
    classifier gets right by a margin below `margin` add
    ``weight x sigma / 2 x (margin - (PhiInv(p_label) - PhiInv(max of the others)))``.

    Reference: Zhai et al. (2020), equation 12 and algorithm 1.
    """
    m, settings = step.settings.num_noise, step.settings
    copies = _flat(step.images[:, None] + noise_of(step, m))

    def loss(logits: Array) -> Array:
        split = logits.reshape(-1, m, logits.shape[-1])
        soft = jax.nn.softmax(split).mean(axis=1)
        fit = -jnp.log(_of_label(soft, step.labels) + 1e-10)
        sharp = jax.nn.softmax(settings.temperature * split).mean(axis=1)
        right = _of_label(sharp, step.labels)
        is_label = jax.nn.one_hot(step.labels, logits.shape[-1], dtype=bool)
        other = jnp.where(is_label, 0, sharp).max(axis=-1)
        # PhiInv is infinite at 0 and 1, and its slope with it.
        low, high = 1e-3, 1 - 1e-3
        counted = (right > other) & (right < high)
        inverse = jax.scipy.special.ndtri(jnp.clip(jnp.stack([right, other]), low, high))
        missing = settings.margin - (inverse[0] - inverse[1])
        hinge = jnp.where(counted & (missing > 0), missing, 0) * settings.sigma / 2
        return (fit + settings.weight * hinge).mean()

    return Plan(copies, loss)


BY_NAME: dict[str, Procedure] = {
    procedure.__name__: procedure
    for procedure in (vanilla, gaussian, adversarial, smoothadv, stability, consistency, macer)
}


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Of every row of ``[n, classes]`` with its label, shape ``[n]``."""
    return -_of_label(jax.nn.log_softmax(logits), labels)


def kl_divergence(log_p: Array, log_q: Array) -> Array:
    """``KL(p || q)`` along the last axis."""
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def noise_of(step: Step, count: int) -> Array:
    """Draws of scale sigma, shape ``[batch, count, height, width, channels]``.

    They are the draws that an attack with fixed noise and the same key meets.
    """
    shape, dtype = step.images.shape[1:], step.images.dtype

    def of_image(key: Array) -> Array:
        return draws.gaussian(jax.random.fold_in(key, 0), jnp.arange(count), shape, dtype)

    return step.settings.sigma * jax.vmap(of_image)(_image_keys(step))


def _image_keys(step: Step) -> Array:
    return draws.image_keys(step.key, step.images.shape[0])


def _attack(step: Step, *, sigma: float, num_noise: int) -> Array:
    return attack(
        step.logits_fn,
        step.images,
        step.labels,
        _image_keys(step),
        sigma=sigma,
        epsilon=step.epsilon,
        num_steps=step.settings.attack_steps,
        num_samples=num_noise,
    )


def _flat(copies: Array) -> Array:
    return copies.reshape(-1, *copies.shape[2:])


def _of_label(rows: Array, labels: Array) -> Array:
    return jnp.take_along_axis(rows, labels[:, None], axis=-1)[:, 0]
