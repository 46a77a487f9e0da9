"""Attacks on certified predictions, just inside their radius: none may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from pagjax import certification
from pagjax.core.checks import LogitsFn, as_partial
from pagjax.training.attack import attack

_INSIDE = 0.999  # of the radius, at which the attack looks
_OWN_DRAWS = 2**31  # keys from here on are none of a certificate's


class AttackSettings(NamedTuple):
    """How certificates are attacked.

    Attributes:
        sigma: noise level of the certificates, in pixel units of [0, 1].
        num_draws: that predict after the attack.
        num_steps: of the attack.
        num_samples: draws a step of the attack.
        seed: of all draws.
    """

    sigma: float
    num_draws: int
    num_steps: int
    num_samples: int
    seed: int = 0


class Outcome(NamedTuple):
    """Of one certified image.

    Attributes:
        certified, attacked: class before and after, -1 for abstention.
        radius, distance: certified, and how far the attack went, in pixel units.
        share: of the votes after the attack that are for the certified class.
    """

    certified: int
    attacked: int
    radius: float
    distance: float
    share: float


def attack_certificates(
    logits_fn: LogitsFn,
    images: np.ndarray,
    predictions: Sequence[int],
    radii: Sequence[float],
    settings: AttackSettings,
    *,
    report: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """What becomes of certified images that projected gradient descent attacks inside their radius.

    An answer other than the certified class or abstention would refute the certificate, but for the
    two failure probabilities.

    Args:
        logits_fn: the base network.
        images: shape ``[n, height, width, 3]``, floats in [0, 1].
        predictions, radii: of their certificates, radii above 0.
        settings: of the attack, and of the prediction after it.
        report: called after each image.

    Returns:
        An `Outcome` for each image.

    Reference: Salman et al. (2019), equation 6; Cohen, Rosenfeld and Kolter (2019).

    Example, where every image is of class 0 by far:
        >>> def sure(images):
        ...     return jnp.stack([images.sum((1, 2, 3)), -images.sum((1, 2, 3))], -1)
        >>> image = np.full((1, 4, 4, 3), 0.5, np.float32)
        >>> settings = AttackSettings(0.1, num_draws=100, num_steps=2, num_samples=2)
        >>> [outcome] = attack_certificates(sure, image, [0], [0.2], settings)
        >>> outcome.attacked, outcome.distance < 0.2
        (0, True)
    """
    outcomes = []
    first = jax.random.key(settings.seed)
    for number, (picture, label, radius) in enumerate(zip(images, predictions, radii, strict=True)):
        keys = jax.random.split(jax.random.fold_in(first, _OWN_DRAWS + number))
        moved = _attack(
            as_partial(logits_fn),
            jnp.asarray(picture)[None],
            jnp.array([label]),
            keys[:1],
            jnp.float32(_INSIDE * radius),
            sigma=settings.sigma,
            num_steps=settings.num_steps,
            num_samples=settings.num_samples,
        )[0]
        answer = certification.predict(
            logits_fn, moved, keys[1], sigma=settings.sigma, num_draws=settings.num_draws
        )
        distance = float(np.linalg.norm(np.asarray(moved, np.float64) - picture))
        share = float(answer.counts[label] / settings.num_draws)
        outcomes.append(Outcome(label, answer.prediction, radius, distance, share))
        report()
    return outcomes


@partial(jax.jit, static_argnames=("sigma", "num_steps", "num_samples"))
def _attack(
    network: Partial,
    images: jax.Array,
    labels: jax.Array,
    keys: jax.Array,
    epsilon: jax.Array,
    **settings: Any,
) -> jax.Array:
    return attack(network, images, labels, keys, epsilon=epsilon, **settings)
