"""Which pixels a score depends on: SmoothGrad, which is the gradient that the loop follows."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from pagjax.alignment.agreement import gradients
from pagjax.core.checks import UNIT_BOX, Bounds, LogitsFn, as_images
from pagjax.core.objectives import TARGET_CLASS_MAX, Objective

__all__ = ("heatmap", "smoothgrad")


def smoothgrad(  # as `gradients`, by the name that others know it by
    logits_fn: LogitsFn,
    images: Array,
    targets: Array,
    key: Array,
    *,
    sigma: float,
    num_samples: int = 50,
    objective: Objective | str = TARGET_CLASS_MAX,
    chunk_size: int | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """Mean over noise draws of the gradient of a class's score.

    With the logit as the score this is the gradient of `TARGET_CLASS_MAX` (Kaur, Cohen and Lipton
    2019, equation 6): what paints a class also explains it.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        images: shape ``[batch, height, width, channels]``, in [0, 1]; see
            `pagjax.core.checks.as_images`.
        targets: the class to explain, one per image; indices, or labels of a network from
            `pagjax.load`.
        key: a typed key, or one per image.
        sigma: noise level in pixel units of [0, 1]; 0 gives the plain gradient.
        num_samples: noise draws; the source uses 50.
        objective: the score.
        chunk_size: the most draws of an image held at once.
        bounds: lowest and highest pixel value, or None for pixels in other units.

    Returns:
        Shape of `images`; `heatmap` makes it a picture.

    Raises:
        ValueError: for shapes, ranges or targets that do not fit.

    Reference: Smilkov, Thorat, Kim, Viegas and Wattenberg (2017), section 2.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> score = lambda x: jnp.stack([3 * x[:, 0, 0, 0], x[:, 1, 1, 0]], axis=-1)
        >>> images = jnp.full((1, 2, 2, 1), 0.5)
        >>> smoothgrad(score, images, jnp.array([0]), jax.random.key(0), sigma=0.2).ravel().tolist()
        [3.0, 0.0, 0.0, 0.0]
    """
    return gradients(
        logits_fn,
        images,
        targets,
        key,
        sigma=sigma,
        num_samples=num_samples,
        objective=objective,
        chunk_size=chunk_size,
        bounds=bounds,
    )


def heatmap(gradient: Array, *, share: float = 0.99) -> Array:
    """How much each pixel counts, from 0 to 1.

    Args:
        gradient: shape ``[batch, height, width, channels]``.
        share: of an image's pixels that stay below white; the rest is clipped, so that a few
            pixels do not leave the others black. In (0, 1].

    Returns:
        Shape ``[batch, height, width]``: absolute values summed over channels, scaled.

    Raises:
        ValueError: for a share outside (0, 1], or a gradient of another rank or with NaN.

    Reference: Smilkov et al. (2017), section 3.1.

    Example:
        >>> import jax.numpy as jnp
        >>> heatmap(jnp.array([[[[-2.0]], [[1.0]], [[0.0]]]]), share=1.0).ravel().tolist()
        [1.0, 0.5, 0.0]
    """
    gradient = as_images(gradient, bounds=None, name="gradient")
    if not 0 < share <= 1:
        raise ValueError(f"share = {share}: must lie above 0 and be at most 1")
    strength = jnp.abs(gradient).sum(axis=-1)
    white = jnp.quantile(strength, share, axis=(1, 2), keepdims=True)
    return jnp.clip(strength / jnp.where(white > 0, white, 1), 0, 1)
