"""Every function that takes images, called in one way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import pagjax
from pagjax import certification
from pagjax.alignment import Judge, attribution, measure
from pagjax.alignment.agreement import gradient_agreement, gradients
from pagjax.alignment.judges import judge_probabilities
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import BaseNetwork, Description, base_network
from tests.support import loops

KEY = jax.random.key(0)
SIDE = 8
LABELS = ("cat", "dog", "golf ball, golfball")


def brightness(images: jax.Array) -> jax.Array:
    """Three classes, told apart by the mean pixel."""
    mean = images.mean(axis=(1, 2, 3))
    return jnp.stack([mean, 1 - mean, 0 * mean], axis=-1)


def smoothed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(images: Any, *, network: Any = brightness, key: Any = KEY, **others: Any) -> Any:
        return function(network, images, key, **{"sigma": 0.25, "num_samples": 2, **others})

    return call


def targeted(function: Callable[..., Any], **defaults: Any) -> Callable[..., Any]:
    def call(
        images: Any,
        *,
        network: Any = brightness,
        key: Any = KEY,
        targets: Any = None,
        **others: Any,
    ) -> Any:
        if targets is None:
            targets = [0] * (len(images) if hasattr(images, "__len__") else 1)
        return function(network, images, targets, key, **{"sigma": 0.25, **defaults, **others})

    return call


def certified(function: Callable[..., Any], draws: str) -> Callable[..., Any]:
    def call(images: Any, *, network: Any = brightness, key: Any = KEY, **others: Any) -> Any:
        return function(network, images, key, **{"sigma": 0.25, draws: 20, **others})

    return call


def _measure(network: Any, images: Any, targets: Any, key: Any, **others: Any) -> Any:
    return measure(network, images, images, targets, key, **others)


def _measure_results(network: Any, images: Any, targets: Any, key: Any, **others: Any) -> Any:
    starts = jnp.full((2, SIDE, SIDE, 3), 0.5)
    return measure(network, starts, images, targets, key, **others)


def _judge(network: Any, images: Any, key: Any, *, sigma: float, **others: Any) -> Any:
    return judge_probabilities(Judge("judge", network, sigma), images, key, **others)


def _mean(network: Any, images: Any, key: Any, **others: Any) -> Any:
    return pagjax.smoothed_mean(jnp.tanh, network, images, key, **others)


BATCH: dict[str, Callable[..., Any]] = {
    "smoothed_logits": smoothed(pagjax.smoothed_logits),
    "smoothed_probabilities": smoothed(pagjax.smoothed_probabilities),
    "smoothed_votes": smoothed(pagjax.smoothed_votes),
    "smoothed_mean": smoothed(_mean),
    "judge_probabilities": smoothed(_judge),
    "targeted_pgd": targeted(
        loops.targeted, epsilon=0.5, step_size=0.25, num_steps=2, num_samples=2
    ),
    "gradients": targeted(gradients, num_samples=2),
    "gradient_agreement": targeted(gradient_agreement, num_samples=2, repeats=2),
    "smoothgrad": targeted(attribution.smoothgrad, num_samples=2),
    "measure": targeted(_measure, num_samples=2),
    "measure, results": targeted(_measure_results, num_samples=2),
    "certify": certified(certification.certify, "num_estimation"),
    "predict": certified(certification.predict, "num_draws"),
    "certify_soft": certified(certification.certify_soft, "num_estimation"),
}
"""By name: ``(images, *, network, key, sigma, targets, ...)``."""

TARGETED = [name for name, door in BATCH.items() if door.__qualname__.startswith("targeted")]
CERTIFIED = ("certify", "predict", "certify_soft")


DESCRIPTION = Description(
    "tiny",
    ResNetConfig("cifar", "basic", (1,), 4),
    len(LABELS),
    NORMALIZERS["cifar10"],
    (SIDE, SIDE),
    LABELS,
    0.25,
)


@functools.cache
def tiny_network() -> BaseNetwork:
    """A residual network of three labelled classes, random weights."""
    image = jnp.zeros((1, SIDE, SIDE, 3))
    variables = jax.jit(DESCRIPTION.network().init)(jax.random.key(1), image)
    return base_network(DESCRIPTION, variables)
