"""Judges: networks that took no part in making a picture say whether the target is in it.

Which judge decides everything. Adversarial grain carries over between networks trained without
robustness, so a vanilla judge believes a vanilla network's grain; a robust judge, of another
training procedure, architecture and seed, does not. The robust judge is the headline, the vanilla
judge the warning beside it, and a vanilla judge of blurred pictures a check. One judge can be
wrong in its own way; a panel of several tells by their agreement how far to believe them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from pagjax.alignment.batches import draws_held, in_batches
from pagjax.core import draws
from pagjax.core.checks import UNIT_BOX, Bounds, LogitsFn, as_images, as_partial, as_targets
from pagjax.core.class_gaussians import block_mean, repeat_pixels
from pagjax.core.smoothing import smoothed_probabilities


@dataclass(frozen=True)
class Judge:
    """A network that judges pictures of others.

    Attributes:
        name: what its numbers are called, such as ``"robust"``.
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``, the classes
            in the order of the network that made the pictures.
        sigma: noise under which it judges, by its smoothed probabilities; 0 for none.
        blur: side of the blocks that pictures are averaged over first; 1 leaves them as they are.
        on_panel: whether it counts among the judges that `panel` puts together.
    """

    name: str
    logits_fn: LogitsFn
    sigma: float = 0.0
    blur: int = 1
    on_panel: bool = False


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
            chunk_size=draws_held(pictures),
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


def log_odds(probabilities: Array, targets: Array) -> Array:
    """How sure a judge is of the target, on a scale that does not end at 1.

    The log of the target's probability over that of all other classes together, in nats: 0 where
    they are even. Pictures to which a judge gives 0.999 and 0.999999 differ by 0.001 in probability
    and by 6.9 here. The sum is taken over the other classes and not as ``1 - p``, which rounds to 0
    in single precision from 17 on; what is below the smallest normal number counts as that one, so
    that the scale ends at 87.3 on both sides.

    Args:
        probabilities: shape ``[batch, classes]``, such as `judge_probabilities` gives.
        targets: class indices, shape ``[batch]``.

    Returns:
        Log-odds of shape ``[batch]``; not a number where a probability is none.

    Raises:
        ValueError: for targets that are not one class per picture.

    Example:
        >>> import jax.numpy as jnp
        >>> sure = jnp.array([[0.5, 0.25, 0.25], [1.0, 5e-10, 5e-10]])
        >>> [round(float(value), 3) for value in log_odds(sure, jnp.array([0, 0]))]
        [0.0, 20.723]
    """
    targets = as_targets(targets, probabilities.shape[0], probabilities.shape[1])
    is_target = jnp.arange(probabilities.shape[1]) == targets[:, None]
    tiny = jnp.finfo(probabilities.dtype).tiny

    def log_share(chosen: Array) -> Array:
        share = jnp.where(chosen, probabilities, 0).sum(axis=1)
        return jnp.log(jnp.where(share < tiny, tiny, share))  # a maximum would drop NaN

    return log_share(is_target) - log_share(~is_target)


class PanelOpinion(NamedTuple):
    """What several judges think together, arrays of shape ``[batch]``.

    Attributes:
        probability: mean over the judges of their probability of the target.
        share: of the judges that assign the picture to its target, see `transfer`.
        agreement: share of the pairs of judges whose first choice is the same class, whichever it
            is; not a number for a panel of one.
    """

    probability: Array
    share: Array
    agreement: Array


def panel(probabilities: Array, targets: Array) -> PanelOpinion:
    """The opinion of several judges on the same pictures.

    Args:
        probabilities: shape ``[judges, batch, classes]``.
        targets: class indices, shape ``[batch]``.

    Returns:
        A `PanelOpinion`.

    Raises:
        ValueError: without judges, or for targets that are not one class per picture.

    Reference: Fleiss (1971) for the share of agreeing pairs, here not corrected for chance.

    Example, two of three judges see class 1:
        >>> import jax.numpy as jnp
        >>> opinions = jnp.array([[[0.0, 1.0]], [[0.25, 0.75]], [[1.0, 0.0]]])
        >>> found = panel(opinions, jnp.array([1]))
        >>> [round(float(value[0]), 3) for value in found]
        [0.583, 0.667, 0.333]
    """
    if probabilities.ndim != 3 or not probabilities.shape[0]:
        raise ValueError(
            f"opinions of shape {probabilities.shape}: pass [judges, batch, classes], at least one"
        )
    judged = [transfer(opinion, targets) for opinion in probabilities]
    share = jnp.stack([hits for hits, _ in judged]).mean(axis=0)
    probability = jnp.stack([own for _, own in judged]).mean(axis=0)
    first = probabilities.argmax(axis=-1)
    number = first.shape[0]
    same = (first[:, None] == first[None, :]).sum(axis=(0, 1)) - number
    pairs = number * (number - 1)
    agreement = same / pairs if pairs else jnp.full(first.shape[1], jnp.nan)
    return PanelOpinion(probability, share, agreement)
