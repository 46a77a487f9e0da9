"""Judges: networks that took no part in making a picture say whether the target is in it.

Which judge decides everything. Adversarial grain carries over between networks trained without
robustness, so a vanilla judge believes a vanilla network's grain; a robust judge, of another
training procedure, architecture and seed, does not. The robust judge is the headline, the vanilla
judge the warning beside it, and a vanilla judge of blurred pictures a check.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from pagjax import draws
from pagjax.alignment.batches import draws_at_once, in_batches
from pagjax.checks import UNIT_BOX, Bounds, LogitsFn, as_images, as_partial, as_targets
from pagjax.class_gaussians import block_mean, repeat_pixels
from pagjax.smoothing import smoothed_probabilities


@dataclass(frozen=True)
class Judge:
    """A network that judges pictures of others.

    Attributes:
        name: what its numbers are called, such as ``"robust"``.
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``, the classes
            in the order of the network that made the pictures.
        sigma: noise under which it judges, by its smoothed probabilities; 0 for none.
        blur: side of the blocks that pictures are averaged over first; 1 leaves them as they are.
    """

    name: str
    logits_fn: LogitsFn
    sigma: float = 0.0
    blur: int = 1


def judge_probabilities(
    judge: Judge,
    pictures: Array,
    key: Array,
    *,
    num_samples: int = 100,
    bounds: Bounds | None = UNIT_BOX,
) -> Array:
    """What a judge thinks of pictures.

    Args:
        judge: see `Judge`.
        pictures: shape ``[batch, height, width, channels]``, in [0, 1].
        key: a typed key of its noise, or one per picture.
        num_samples: noise draws, where its sigma is above 0.
        bounds: lowest and highest pixel value, or None for pixels in other units.

    Returns:
        Probabilities of shape ``[batch, classes]``.

    Raises:
        ValueError: if the blur does not divide the pictures' sides.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> grey = Judge("grey", lambda x: jnp.zeros((x.shape[0], 4)))
        >>> judge_probabilities(grey, jnp.zeros((1, 2, 2, 3)), jax.random.key(0)).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    pictures = as_images(
        pictures, bounds=bounds, network=as_partial(judge.logits_fn), name="pictures"
    )
    if judge.blur > 1:
        pictures = repeat_pixels(block_mean(pictures, judge.blur), judge.blur)

    def judged(pictures: Array, keys: Array) -> Array:
        return smoothed_probabilities(
            judge.logits_fn,
            pictures,
            keys,
            sigma=judge.sigma,
            num_samples=num_samples,
            chunk_size=draws_at_once(pictures),
            bounds=bounds,
        )

    return in_batches(judged, pictures, draws.image_keys(key, pictures.shape[0]))


def transfer(probabilities: Array, targets: Array) -> tuple[Array, Array]:
    """Whether a judge assigns pictures to their targets, and its probability of the target.

    Args:
        probabilities: shape ``[batch, classes]``.
        targets: class indices, shape ``[batch]``.

    Returns:
        Booleans and probabilities, each of shape ``[batch]``. A judge that is not finite or shares
        its largest probability between classes assigns nothing.

    Raises:
        ValueError: for targets that are not one class per picture.

    Reference: Santurkar et al. (2019) judge synthesis by an independent classifier's opinion
    (the Inception score); the choice of judges is ours.

    Example:
        >>> import jax.numpy as jnp
        >>> hits, shares = transfer(jnp.array([[0.25, 0.75], [0.5, 0.5]]), jnp.array([1, 0]))
        >>> hits.tolist(), shares.tolist()
        ([True, False], [0.75, 0.5])
    """
    targets = as_targets(targets, probabilities.shape[0], probabilities.shape[1])
    own = jnp.take_along_axis(probabilities, targets[:, None], axis=1)[:, 0]
    as_large = (probabilities >= own[:, None]).sum(axis=1)
    return (as_large == 1) & jnp.isfinite(probabilities).all(axis=1), own
