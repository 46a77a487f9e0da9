"""Monte Carlo gradients of smoothed objectives, in chunks of draws.

Gradients of chunks are accumulated; the chunk loop itself is never differentiated, so that peak
memory is set by the chunk and not by the number of draws.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from pagjax.core import draws, mesh
from pagjax.core.checks import (
    UNIT_BOX,
    Bounds,
    LogitsFn,
    as_image,
    as_key,
    as_partial,
    as_target,
    check_count,
    check_length,
    is_concrete,
    largest_sigma,
    noisy_logits,
    num_classes,
)
from pagjax.core.objectives import Objective, as_objective
from pagjax.core.sampling import Sampling, group_size, sample
from pagjax.wording import shown


class GradientEstimate(NamedTuple):
    """An objective at one image, estimated from N noise draws.

    Attributes:
        value: scalar, the objective.
        standard_error: scalar, the Monte Carlo standard error of `value` (by the delta method where
            the objective is the log of a mean), from the means of independent groups where draws
            within a group depend on one another; 0 without noise, infinite from a single group.
        gradient: shape of the image, the gradient of `value` for these very draws.
    """

    value: Array
    standard_error: Array
    gradient: Array

    def __repr__(self) -> str:
        """The value with its standard error, and the gradient's shape."""
        value, error = shown.array(self.value), shown.array(self.standard_error)
        told = f"value {value}, standard error {error}, gradient {shown.array(self.gradient)}"
        return f"GradientEstimate({told})"


class _Sums(NamedTuple):
    """Running sums in units of exp(log_unit), so that no probability underflows."""

    log_unit: Array
    num_groups: Array
    mean: Array
    sum_squared_deviations: Array
    weighted_gradient: Array


def smoothed_gradient(  # flat keywords, as for all of `smoothed_*`: notebooks call it by hand
    logits_fn: LogitsFn,
    objective: Objective | str,
    image: ArrayLike,
    target: Array | int | str,
    key: Array,
    *,
    sigma: float | Array,
    num_samples: int,
    chunk_size: int | None = None,
    sampling: Sampling = "independent",
    axis: str | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> GradientEstimate:
    """Value, standard error and gradient of an objective of the smoothed network at one image.

    For a mean of scores (TCM) the gradient is the mean of the draws' gradients and unbiased. For
    the log of a mean (CE) it is the plug-in estimate: the mean of the draws' gradients weighted by
    ``exp(score)``, whose weights are themselves running sums; both are kept in the log domain, so
    that the result is finite and right where every probability underflows.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        objective: see `pagjax.core.objectives`; ``"tcm"`` and ``"ce"`` name the paper's.
        image: one image, shape ``[height, width, channels]``, see `pagjax.core.checks.as_images`;
            use `jax.vmap` for a batch.
        target: class index, or a label where the network knows its labels.
        key: the key of this image and step; draw i comes from ``fold_in(key, i)``.
        sigma: noise level in pixel units of [0, 1]. May be traced.
        num_samples: number of draws N, at least 1 (static). Pass 1 for sigma = 0.
        chunk_size: the most draws held at once (static); None chooses by the image's size.
        sampling: kind of draws, see `pagjax.core.sampling` (static).
        axis: the mesh axis that shares the draws out, inside `pagjax.core.mesh.over_images`; the
            shares meet in one sum, and for the log of a mean in the largest score before it.
        bounds: lowest and highest pixel value, or None for pixels in other units.

    Returns:
        A `GradientEstimate`.

    Raises:
        ValueError: if the draws do not go into the groups of `sampling`, or a group into a chunk;
            for images, targets and lengths out of range.
        TypeError: for a key, objective or image that is none.

    Reference: Kaur, Cohen and Lipton (2019), appendix C; Salman et al. (2019), equation 6.

    Example, a linear score, whose gradient is the weight vector for every draw:
        >>> import jax, jax.numpy as jnp
        >>> from pagjax.core.objectives import TARGET_CLASS_MAX
        >>> weights = jnp.arange(12.0).reshape(2, 2, 3)
        >>> score = lambda x: jnp.stack([(x * weights).sum((1, 2, 3)), 0 * x.sum((1, 2, 3))], -1)
        >>> estimate = smoothed_gradient(score, TARGET_CLASS_MAX, jnp.zeros((2, 2, 3)), 0,
        ...                              jax.random.key(0), sigma=0.5, num_samples=8)
        >>> bool(jnp.allclose(estimate.gradient, weights))
        True
    """
    logits_fn, objective, key = as_partial(logits_fn), as_objective(objective), as_key(key)
    check_count("num_samples", num_samples)
    check_count("chunk_size", chunk_size)
    check_length("sigma", sigma, largest_sigma(bounds))
    image = as_image(image, bounds=bounds, network=logits_fn)
    if is_concrete(target):
        target = as_target(target, num_classes(logits_fn, image[None]), logits_fn)
    group, chunk = _grouped(sampling, num_samples, chunk_size)
    num_groups, first_group = mesh.share(num_samples // group, axis)
    groups_a_chunk = draws.balanced_chunk(num_groups, chunk, group * image.size)
    sigma = jnp.asarray(sigma, image.dtype)
    averages_logs = objective.reduction == "log_mean_exp"

    def scores_of_chunk(image: Array, noise: Array) -> Array:
        def of_draw(noise: Array) -> Array:
            logits = noisy_logits(logits_fn, image[None], noise[None])[0]
            return objective.score(logits, jnp.asarray(target)).astype(image.dtype)

        return jax.vmap(of_draw)(noise)

    def add_chunk(sums: _Sums, indices: Array, valid: Array) -> _Sums:
        noise = sigma * sample(sampling, key, indices, image.shape, image.dtype, group=group)
        scores, pull_back = jax.vjp(lambda image: scores_of_chunk(image, noise), image)
        weights, terms, log_unit = _weighted(sums.log_unit, scores, valid, averages_logs)
        rescale = jnp.exp(sums.log_unit - log_unit)
        (gradient,) = pull_back(weights)
        if group > 1:
            terms, valid = terms.reshape(-1, group).mean(axis=1), valid[::group]
        return _merge(sums, rescale, log_unit, terms, valid, gradient, axis is not None)

    dtype = jax.eval_shape(scores_of_chunk, image, image[None]).dtype
    sums = draws.fold_chunks(
        add_chunk,
        _no_sums(image, dtype, averages_logs),
        group * num_groups,
        group * groups_a_chunk,
        first=group * first_group,
        end=None if axis is None else num_samples,
    )
    if axis is not None:
        sums = _meet(sums, axis, averages_logs)
    return _finish(sums, sigma, num_samples, num_samples // group, averages_logs)


def _grouped(
    sampling: Sampling, num_samples: int, chunk_size: int | None
) -> tuple[int, int | None]:
    """How many draws depend on one another, and how many such groups a chunk may hold."""
    group = group_size(sampling, num_samples)
    if chunk_size is None:
        return group, None
    if chunk_size < group:
        raise ValueError(
            f"chunk_size = {chunk_size}: {sampling} draws go in groups of {group}, "
            "choose at least that"
        )
    return group, chunk_size // group


def _no_sums(image: Array, dtype: jnp.dtype, averages_logs: bool) -> _Sums:
    zero = jnp.zeros((), dtype)
    return _Sums(
        log_unit=jnp.asarray(jnp.finfo(dtype).min, dtype) if averages_logs else zero,
        num_groups=zero,
        mean=zero,
        sum_squared_deviations=zero,
        weighted_gradient=jnp.zeros_like(image),
    )


def _weighted(
    log_unit: Array, scores: Array, valid: Array, averages_logs: bool
) -> tuple[Array, Array, Array]:
    """Weights of a chunk's gradients, the terms whose mean is taken, and the new unit."""
    if not averages_logs:
        return valid.astype(scores.dtype), jnp.where(valid, scores, 0), log_unit
    lowest = jnp.finfo(scores.dtype).min
    log_unit = jnp.maximum(log_unit, jnp.max(scores, where=valid, initial=lowest))
    # A compiled maximum or exponential may make numbers of NaN.
    weights = jnp.where(jnp.isnan(scores), scores, jnp.exp(scores - log_unit))
    weights = jnp.where(valid, weights, 0)
    return weights, weights, log_unit


def _merge(
    sums: _Sums,
    rescale: Array,
    log_unit: Array,
    terms: Array,
    valid: Array,
    gradient: Array,
    may_be_empty: bool,
) -> _Sums:
    """Adds a chunk's terms by the parallel update of Chan, Golub and LeVeque (1979)."""
    chunk_count = valid.sum().astype(terms.dtype)
    count = sums.num_groups + chunk_count
    some, chunk_some = count, chunk_count
    if may_be_empty:
        some, chunk_some = jnp.maximum(count, 1), jnp.maximum(chunk_count, 1)
    chunk_mean = terms.sum() / chunk_some
    chunk_deviations = jnp.where(valid, jnp.square(terms - chunk_mean), 0).sum()
    mean = sums.mean * rescale
    shift = chunk_mean - mean
    return _Sums(
        log_unit=log_unit,
        num_groups=count,
        mean=mean + shift * chunk_count / some,
        sum_squared_deviations=(
            sums.sum_squared_deviations * jnp.square(rescale)
            + chunk_deviations
            + jnp.square(shift) * sums.num_groups * chunk_count / some
        ),
        weighted_gradient=sums.weighted_gradient * rescale + gradient,
    )


def _meet(sums: _Sums, axis: str, averages_logs: bool) -> _Sums:
    """All devices' sums in one all-reduce: gradients add, each one's few numbers keep apart."""
    if averages_logs:
        log_unit = lax.pmax(sums.log_unit, axis)
        rescale = jnp.exp(sums.log_unit - log_unit)
    else:
        log_unit, rescale = sums.log_unit, jnp.ones_like(sums.log_unit)
    ours = jnp.stack(
        [sums.num_groups, sums.mean * rescale, sums.sum_squared_deviations * jnp.square(rescale)]
    )
    gradient = sums.weighted_gradient * rescale
    table = jnp.zeros((lax.axis_size(axis), 3), ours.dtype).at[lax.axis_index(axis)].set(ours)
    met = lax.psum(jnp.concatenate([gradient.ravel(), table.ravel().astype(gradient.dtype)]), axis)
    counts, means, deviations = met[gradient.size :].astype(ours.dtype).reshape(-1, 3).T
    mean = (counts * means).sum() / counts.sum()
    return _Sums(
        log_unit=log_unit,
        num_groups=counts.sum(),
        mean=mean,
        sum_squared_deviations=deviations.sum() + (counts * jnp.square(means - mean)).sum(),
        weighted_gradient=met[: gradient.size].reshape(gradient.shape),
    )


def _finish(
    sums: _Sums, sigma: Array, num_samples: int, num_groups: int, averages_logs: bool
) -> GradientEstimate:
    spread = jnp.sqrt(sums.sum_squared_deviations / max(num_groups - 1, 1) / num_groups)
    if num_groups == 1:
        spread = jnp.where(sigma == 0, jnp.zeros_like(spread), jnp.inf)
    gradient = sums.weighted_gradient / num_samples
    if not averages_logs:
        return GradientEstimate(sums.mean, spread, gradient)
    value = sums.log_unit + jnp.log(sums.mean)
    return GradientEstimate(value, spread / sums.mean, gradient / sums.mean)
