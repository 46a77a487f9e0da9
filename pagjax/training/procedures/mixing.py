"""Mixtures of images with their adversarial ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core.projections import ball_then_box
from pagjax.training.attack import smoothed_ascent
from pagjax.training.procedures.plans import (
    Plan,
    Step,
    cross_entropy,
    flat,
    image_keys,
    kl_from,
    noise_of,
    uniforms_of,
)


def smoothmix(step: Step) -> Plan:
    """Gaussian augmentation, and less confidence on the way to an unbounded adversarial image.

    The attack climbs ``-log F(x)_label`` of the smoothed network F, the mean over m draws of the
    softmax, by `attack_steps` steps of `step_length` in [0, 1], within no ball. The clean end x' is
    the image itself, or its attack of `mix_steps` steps. With a share s, uniform in [0, 1/2),

        x_mix = (1 - s) x' + s x_adversarial,    y_mix = (1 - s) F(x') + s / classes,

    ``1/m sum_i CE(f(x' + noise_i), label)`` is added to ``weight x rise x 1/m sum_i KL(y_mix ||
    f(x_mix + noise_i))`` of the images that F(x') gets right. Gradients flow through F(x') in the
    target. Draws are the same throughout. `warmup_epochs` raises the second term, and how far x'
    may be from the image.

    Reference: Jeong, Park, Kim, Lee, Kim and Shin (2021) (SmoothMix, with their one-step
    adversary for `mix_steps` = 1). Their code passes clean and mixed images one after the other,
    each with its own batch statistics; here both go through together.
    """
    m, settings = step.settings.num_noise, step.settings
    near, far = _ends(step)
    share = uniforms_of(step, 1)[:, 0] / 2
    across = share.reshape(-1, 1, 1, 1)
    mixed = (1 - across) * near + across * far
    noise = noise_of(step, m)
    copies = jnp.concatenate([near[:, None] + noise, mixed[:, None] + noise], axis=1)

    def loss(logits: Array) -> Array:
        clean, moved = jnp.split(logits.reshape(-1, 2 * m, logits.shape[-1]), 2, axis=1)
        fit = cross_entropy(flat(clean), jnp.repeat(step.labels, m)).mean()
        smoothed = jax.nn.softmax(clean).mean(axis=1)
        target = (1 - share)[:, None] * smoothed + share[:, None] / logits.shape[-1]
        divergence = kl_from(target[:, None], jax.nn.log_softmax(moved)).mean(axis=1)
        right = jnp.argmax(smoothed, axis=-1) == step.labels
        return fit + settings.weight * step.rise * jnp.where(right, divergence, 0).mean()

    return Plan(flat(copies), loss)


def _ends(step: Step) -> tuple[Array, Array]:
    """The clean end of the mixture and the adversarial one."""
    settings = step.settings
    keys = image_keys(step)

    def climbed(start: Array, num_steps: int) -> Array:
        return smoothed_ascent(
            step.logits_fn,
            start,
            step.labels,
            keys,
            smoothing=(settings.sigma, settings.num_noise),
            num_steps=num_steps,
            step_size=settings.step_length,
            project=lambda point, _: jnp.clip(point, 0, 1),
        )

    begun = climbed(step.images, settings.mix_steps) if settings.mix_steps else step.images
    far = climbed(begun, settings.attack_steps - settings.mix_steps)
    reach = step.rise * settings.mix_steps * settings.step_length
    near = jax.vmap(lambda point, image: ball_then_box(point, image, reach))(begun, step.images)
    return near, far
