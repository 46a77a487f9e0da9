"""Every number of a set of pictures: one row a picture, and means with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from pagjax.alignment import bayes, coherence, directions, roughness
from pagjax.alignment.agreement import gradient_agreement, gradients
from pagjax.alignment.batches import draws_held, in_batches
from pagjax.alignment.judges import Judge, judge_probabilities, log_odds, panel, transfer
from pagjax.alignment.measurements import HITS, Measurements
from pagjax.core import draws
from pagjax.core.checks import (
    UNIT_BOX,
    Bounds,
    LogitsFn,
    as_images,
    as_key,
    as_partial,
    as_targets,
    num_classes,
)
from pagjax.core.class_gaussians import ClassGaussian, repeat_pixels
from pagjax.core.outputs import probabilities
from pagjax.core.smoothing import smoothed_mean


def measure(  # a keyword for each kind of number, and each may be left out
    logits_fn: LogitsFn,
    starts: Array,
    results: Array,
    targets: Array,
    key: Array,
    *,
    sigma: float,
    judges: Sequence[Judge] = (),
    statistics: ClassGaussian | None = None,
    others: Array | None = None,
    neighbours: tuple[Array, Array] | None = None,
    num_samples: int = 100,
    gradient_samples: int = 20,
    agreement_samples: Sequence[int] = (),
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Measurements:
    """Measures how well perturbations and gradients are aligned with their target classes.

    Columns, one number a picture:

    - ``probability_start``, ``probability``, ``logit_start``, ``logit``: of the target, of the
      smoothed network that made the pictures, at x0 and at x* (Kaur et al. 2019, eq. 1 and 6).
    - ``distance``: l2 length of ``x* - x0``, in pixel units.
    - ``high_frequencies``: share of the perturbation's spectral energy above a quarter of the
      Nyquist frequency; ``total_variation``: relative, see `roughness`.
    - ``correlation_length``: of the perturbation, in pixels; ``features``: how many features of
      that length its area holds, 1 for a single object; see `coherence`.
    - ``judge_<name>_hit``, ``judge_<name>_probability``, ``judge_<name>_log_odds``: what a `Judge`
      says of x*; the last in nats, see `log_odds`, where probabilities have come to 1.
    - with two judges or more that are ``on_panel``: ``panel_probability``, ``panel_share``,
      ``panel_agreement``, see `panel`.
    - with `statistics`: ``gradient_to_mean``, ``change_to_mean``: cosine of the smoothed gradient
      of the target's logit at x0, and of ``x* - x0``, with the direction from x0 to the target
      class's mean; ``..._other`` with that to a random other class's mean (Ganz et al. 2023).
    - with `statistics` and sigma above 0: ``gradient_to_bayes``: cosine of the gradient with that
      of the target's log-probability under the Bayes-optimal classifier at this sigma (Srinivas et
      al. 2023), ``..._other`` with that of the other class.
    - with `neighbours`: ``gradient_to_nearest``, ``change_to_nearest``: mean cosine with the
      directions to the nearest training images of the target class; ``..._other`` likewise.
    - ``agreement_<N>``: see `gradient_agreement`.

    Args:
        logits_fn: of the network that made the pictures.
        starts: x0, shape ``[batch, height, width, channels]``, in [0, 1].
        results: x*, same shape.
        targets: class indices, shape ``[batch]``.
        key: a typed key; none of its draws should have made the pictures.
        sigma: noise level of that network in pixel units of [0, 1].
        judges: see `Judge`; none may be the network itself.
        statistics: all classes' Gaussians, at the images' resolution or a divisor of it.
        others: a class index other than the target for every picture; drawn where None.
        neighbours: nearest images of the target class and of the other class, each of shape
            ``[batch, k, height, width, channels]``; see `directions.nearest`. Needs `others`.
        num_samples: noise draws of smoothed probabilities.
        gradient_samples: noise draws of the gradient at x0.
        agreement_samples: numbers of draws N whose agreement is measured.
        chunk_size: the most draws of a picture held at once.
        bounds: lowest and highest pixel value, or None for pixels in other units.

    Returns:
        `Measurements`.

    Raises:
        ValueError: for shapes and targets that do not fit together, or neighbours without `others`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mean = lambda x: jnp.stack([x.mean((1, 2, 3)), -x.mean((1, 2, 3))], -1)
        >>> starts = jnp.full((3, 4, 4, 3), 0.5)
        >>> found = measure(mean, starts, starts + 0.25, jnp.zeros(3, int), jax.random.key(0),
        ...                 sigma=0.0, judges=[Judge("itself", mean)])
        >>> found.summary()["judge_itself_hit"].value, float(found.columns["logit"][0])
        (1.0, 0.75)
    """
    network = as_partial(logits_fn)
    starts, results = _pairs(network, starts, results, bounds)
    classes = num_classes(network, starts)
    targets = as_targets(targets, starts.shape[0], classes, network)
    if others is not None:
        others = as_targets(others, starts.shape[0], classes, network)
    if neighbours is not None and others is None:
        raise ValueError("neighbours need others: pass the classes that the second set is of")
    key = as_key(key)
    if key.ndim:
        raise ValueError(f"keys of shape {key.shape}: pass one key, not one key per image")
    streams = [jax.random.fold_in(key, number) for number in range(5)]
    keys = [draws.image_keys(stream, starts.shape[0]) for stream in streams]
    chunk_size = chunk_size or draws_held(starts)
    estimate: dict[str, Any] = {"sigma": sigma, "chunk_size": chunk_size, "bounds": bounds}
    columns: dict[str, Array] = {}
    of_both = partial(smoothed_mean, _logits_and_probabilities, logits_fn, num_samples=num_samples)
    for suffix, pictures in (("_start", starts), ("", results)):
        both = in_batches(partial(of_both, **estimate), pictures, keys[0])
        of_target = jnp.take_along_axis(both, targets[:, None, None], axis=2)[:, :, 0]
        columns |= {f"logit{suffix}": of_target[:, 0], f"probability{suffix}": of_target[:, 1]}
    change = results - starts
    columns |= _of_change(change)
    columns |= _judged(judges, results, targets, keys[1], num_samples, bounds)
    if statistics is not None or neighbours is not None:
        ascent = partial(gradients, logits_fn, num_samples=gradient_samples, **estimate)
        gradient = in_batches(ascent, starts, targets, keys[2])
        vectors = {"gradient": gradient, "change": change}
        if others is None:
            others = directions.other_classes(streams[3], targets, classes)
        if statistics is not None:
            columns |= _to_class_means(vectors, starts, targets, others, statistics)
            if sigma > 0:
                columns |= _to_bayes(gradient, starts, targets, others, statistics, sigma)
        if neighbours is not None:
            columns |= _to_nearest(vectors, starts, neighbours)
    for count in agreement_samples:
        agree = partial(gradient_agreement, logits_fn, num_samples=count, **estimate)
        columns[f"agreement_{count}"] = in_batches(agree, starts, targets, keys[4])
    return Measurements({name: np.asarray(v, np.float64) for name, v in columns.items()})


def _pairs(
    network: Partial, starts: Array, results: Array, bounds: Bounds | None
) -> tuple[Array, Array]:
    """Pictures before and after, checked."""
    starts = as_images(starts, bounds=bounds, network=network, name="starts")
    results = as_images(results, bounds=bounds, network=network, name="results")
    if results.shape != starts.shape:
        raise ValueError(f"results of shape {results.shape} for starts of {starts.shape}")
    return starts, results


def _judged(
    judges: Sequence[Judge],
    results: Array,
    targets: Array,
    keys: Array,
    num_samples: int,
    bounds: Bounds | None,
) -> dict[str, Array]:
    columns: dict[str, Array] = {}
    members = []
    for judge in judges:
        opinion = judge_probabilities(judge, results, keys, num_samples=num_samples, bounds=bounds)
        hits, shares = transfer(opinion, targets)
        columns |= {
            f"judge_{judge.name}{HITS}": hits,
            f"judge_{judge.name}_probability": shares,
            f"judge_{judge.name}_log_odds": log_odds(opinion, targets),
        }
        members += [opinion] if judge.on_panel else []
    if len(members) > 1:
        together = panel(jnp.stack(members), targets)
        columns |= {f"panel_{name}": value for name, value in together._asdict().items()}
    return columns


@jax.jit
def _of_change(change: Array) -> dict[str, Array]:
    return {
        "distance": jnp.sqrt(jnp.square(change).sum(axis=(1, 2, 3))),
        "high_frequencies": roughness.high_frequency_share(change),
        "total_variation": roughness.relative_total_variation(change),
        "correlation_length": coherence.correlation_length(change),
        "features": coherence.number_of_features(change),
    }


@jax.jit
def _to_class_means(
    vectors: dict[str, Array],
    starts: Array,
    targets: Array,
    others: Array,
    statistics: ClassGaussian,
) -> dict[str, Array]:
    means = repeat_pixels(statistics.mean, _factor(starts, statistics))
    return {
        f"{name}_to_mean{suffix}": directions.alignment(vector, starts, means[classes])
        for name, vector in vectors.items()
        for suffix, classes in (("", targets), ("_other", others))
    }


def _to_nearest(
    vectors: dict[str, Array], starts: Array, neighbours: tuple[Array, Array]
) -> dict[str, Array]:
    return {
        f"{name}_to_nearest{suffix}": directions.alignment(vector, starts, images)
        for name, vector in vectors.items()
        for suffix, images in zip(("", "_other"), neighbours, strict=True)
    }


def _to_bayes(
    gradient: Array,
    starts: Array,
    targets: Array,
    others: Array,
    statistics: ClassGaussian,
    sigma: float,
) -> dict[str, Array]:
    best = bayes.bayes_classifier(statistics, sigma, factor=_factor(starts, statistics))
    return {
        f"gradient_to_bayes{suffix}": _to_bayes_gradient(gradient, best, starts, classes)
        for suffix, classes in (("", targets), ("_other", others))
    }


@jax.jit
def _to_bayes_gradient(gradient: Array, best: Partial, starts: Array, classes: Array) -> Array:
    return directions.cosine(gradient, bayes.bayes_gradient(best, starts, classes))


def _factor(images: Array, statistics: ClassGaussian) -> int:
    own, side = statistics.mean.shape[1], images.shape[1]
    if side % own:
        raise ValueError(f"statistics of {own} pixels for images of {side}: fit them at a divisor")
    return side // own


def _logits_and_probabilities(logits: Array) -> Array:
    return jnp.stack([logits, probabilities(logits)])
