"""A network, settings and images so small that a training step takes milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pagjax.alignment.bayes import bayes_classifier
from pagjax.core.checks import LogitsFn
from pagjax.core.class_gaussians import ClassGaussian
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.training.procedures import Step
from pagjax.training.settings import Settings

SIDE, CLASSES = 8, 3

SETTINGS = Settings(
    data="squares",
    image_size=SIDE,
    normalizer="none",
    stem="cifar",
    stage_sizes=(1,),
    width=4,
    procedure="gaussian",
    sigma=0.25,
    num_noise=2,
    epsilon=0.5,
    attack_steps=2,
    step_length=0.2,
    mix_steps=1,
    select_from=0.0,
    weight=2.0,
    entropy_weight=0.5,
    epochs=2.0,
    batch_size=4,
    peak_rate=0.05,
    seed=3,
)


def images(count: int, seed: int = 0) -> np.ndarray:
    """8-bit noise, brighter in the channel of the image's class."""
    pixels = np.random.default_rng(seed).integers(0, 128, (count, SIDE, SIDE, 3), dtype=np.uint8)
    pixels[np.arange(count), :, :, np.arange(count) % CLASSES] += 127
    return pixels


def data(count: int, seed: int = 0) -> LabelledImages:
    """Images in memory, class i mod 3."""
    pixels = images(count, seed)

    def read(indices: Sequence[int]) -> list[Any]:
        return list(pixels[indices])

    targets = (np.arange(count) % CLASSES).astype(np.int32)
    return LabelledImages("squares", ("red", "green", "blue"), targets, SIDE, read)


def linear_logits(x: jax.Array) -> jax.Array:
    """A linear classifier of fixed random weights, times a smooth bend."""
    size = SIDE * SIDE * 3
    weights = jax.random.normal(jax.random.key(9), (size, CLASSES)) / 4
    flat = x.reshape(-1, size)
    return jnp.sin(flat @ weights) * 3


def step_of(settings: Settings, count: int = 4) -> Step:
    """What a procedure plans for, with the linear classifier."""
    return Step(
        images=jnp.asarray(images(count), jnp.float32) / 255,
        labels=jnp.arange(count) % CLASSES,
        key=jax.random.key(5),
        logits_fn=linear_logits,
        epsilon=jnp.asarray(settings.epsilon),
        settings=settings,
        soft_labels=jnp.asarray(soft_labels(count)),
        bayes=bayes(settings.sigma),
    )


def soft_labels(count: int) -> np.ndarray:
    """A teacher's answers, one of them sure."""
    shares = np.random.default_rng(8).dirichlet(np.ones(CLASSES), count).astype(np.float32)
    shares[0] = np.eye(CLASSES, dtype=np.float32)[0]
    return shares


def gaussians() -> ClassGaussian:
    """Three classes, each brighter in its channel, with two directions of its own."""
    generator = np.random.default_rng(4)
    means = np.full((CLASSES, SIDE, SIDE, 3), 0.25) + 0.25 * np.eye(CLASSES)[:, None, None]
    factors = generator.normal(size=(CLASSES, 2, SIDE, SIDE, 3)) / 10
    return ClassGaussian(*map(jnp.asarray, (means, factors, np.full(CLASSES, 1.0))))


def bayes(sigma: float) -> LogitsFn:
    """The Bayes-optimal classifier of images of these classes under noise."""
    return bayes_classifier(jax.tree.map(jnp.float32, gaussians()), sigma)
