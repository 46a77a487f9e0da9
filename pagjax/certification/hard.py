"""Hard smoothing (Cohen et al. 2019): the class that most noisy copies of an image get.

The theorems are about exact Gaussian noise and real numbers. Bounds and quantiles here are exact in
float64; the network and its noise are float32, as everywhere in the field (Voráček and Hein 2023
show networks made to exploit that). With `sound` all of it holds as computed, see
`pagjax.certification.sound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jax.typing import ArrayLike
from scipy import stats

from pagjax.certification.batch import of_each
from pagjax.certification.bounds import check_alpha
from pagjax.certification.certificate import ABSTAIN, Certificate, Prediction
from pagjax.certification.least import least_draws
from pagjax.certification.plan import CertificationPlan
from pagjax.certification.proofs import upper_tail_at_most
from pagjax.certification.votes import Votes, count_votes
from pagjax.core.checks import UNIT_BOX, Bounds, LogitsFn, as_partial, check_count
from pagjax.core.outputs import vote


# Flat keywords, as a user's call names what it sets; within, they are one `CertificationPlan`.
def certify(
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float,
    num_selection: int = 100,
    num_estimation: int = 100_000,
    alpha: float = 0.001,
    radii: Sequence[float] | None = None,
    label: Any = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    bounds: Bounds | None = UNIT_BOX,
    sound: bool = False,
) -> Certificate:
    """Cohen et al.'s CERTIFY: the class of selection draws, bounded on fresh estimation draws.

    With probability at least 1 - alpha over the draws, the result abstains or the smoothed
    classifier's prediction at the image is `prediction` and constant within `radius`. A draw with a
    NaN logit or a tie votes for no class and so counts against the certificate. The draws are
    independent; variance-reduced ones would void the bound and are not taken. Of a batch each
    image's certificate holds by itself.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        images: shape ``[batch, height, width, channels]``, or one image of rank 3, in [0, 1]; see
            `pagjax.core.checks.as_images`.
        key: a typed key, or one per image; selection and estimation fold different numbers into it.
        sigma: noise level in pixel units of [0, 1], above 0, at most 2.
        num_selection: draws N0 that choose the class.
        num_estimation: draws N that bound its probability, at least `least_draws` of alpha.
        alpha: failure probability, in (0, 1).
        radii: l2 lengths in pixel units: look at the estimation draws in stages, and stop once it
            is decided which of these are certified (see `pagjax.certification.staged`); None makes
            all draws.
        label: with `radii`, the class whose certificates are of interest: stop as well once another
            class is certified, at whatever radius. One per image of a batch; an index, or a label
            of a network from `pagjax.load`.
        chunk_size: the most draws a device holds at once; None chooses. Changes no draw.
        mesh: from `pagjax.core.mesh.make_mesh`, along whose draws they are split.
        bounds: lowest and highest pixel value, or None for pixels in other units.
        sound: whether the certificate holds in the arithmetic that computed it, for and of pictures
            of whole 8-bit levels: see `pagjax.certification.sound`.

    Returns:
        A `Certificate`; of a batch, one whose fields are arrays.

    Raises:
        ValueError: if images are not in the box or hold NaN, sigma or alpha are out of range, a
            count is below 1 or too small for alpha, a radius negative, there is one class, all
            selection draws' logits are NaN or tied, or with `sound` an image is off the grid.
        TypeError: for a key or images that are none.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.2.2.

    Example, a network that always answers class 1:
        >>> import jax, jax.numpy as jnp
        >>> always = lambda x: jnp.broadcast_to(jnp.array([0.0, 1.0]), (x.shape[0], 2))
        >>> done = certify(always, jnp.zeros((4, 4, 3)), jax.random.key(0), sigma=0.5,
        ...                num_estimation=1000)
        >>> done.prediction, round(done.radius, 2)
        (1, 1.23)
    """
    plan = CertificationPlan(
        sigma=sigma,
        num_draws=num_estimation,
        alpha=alpha,
        num_selection=num_selection,
        radii=radii,
        chunk_size=chunk_size,
        mesh=mesh,
        bounds=bounds,
        sound=sound,
    )
    return certify_by(plan, logits_fn, images, key, label, draws="num_estimation")


def certify_by(
    plan: CertificationPlan,
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    label: Any = None,
    *,
    draws: str = "num_draws",
) -> Certificate:
    """`certify` by a plan; `draws` is what its draws are called in messages."""
    _check(plan, draws)
    network = as_partial(logits_fn)

    def one(image: Array, key: Array, label: int | None) -> Certificate:
        first, second = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        selection = plan.stream(vote, network, image, first, plan.num_selection)
        target = int(count_votes(selection, plan.num_selection).argmax())
        votes = Votes(target, plan.sigma, sound=plan.sound)
        return plan.certificate(votes, network, image, second, label)

    return of_each(one, network, images, key, bounds=plan.bounds, classes=label, sound=plan.sound)


# Flat keywords, as a user's call names what it sets; within, they are one `CertificationPlan`.
def certify_class(
    logits_fn: LogitsFn,
    images: ArrayLike,
    target: Any,
    key: Array,
    *,
    sigma: float,
    num_draws: int,
    alpha: float = 0.001,
    radii: Sequence[float] | None = None,
    label: int | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    bounds: Bounds | None = UNIT_BOX,
    sound: bool = False,
) -> Certificate:
    """The radius within which the smoothed classifier predicts a class named beforehand.

    CERTIFY without its selection draws, for a class that does not depend on `key`'s draws: a
    picture's target class. With probability at least 1 - alpha over the draws, the result abstains
    or the prediction is `target` throughout the ball. A network of NaN logits votes for no class,
    and so the result abstains. Other arguments and errors as for `certify`.

    Args:
        target: class index or label; of a batch, one per image.
        num_draws: estimation draws; draw i comes from ``fold_in(key, i)`` of an image's key.

    Returns:
        A `Certificate`; ``totals[target] / num_draws`` is the share of the draws that say `target`.
    """
    plan = CertificationPlan(
        sigma=sigma,
        num_draws=num_draws,
        alpha=alpha,
        radii=radii,
        chunk_size=chunk_size,
        mesh=mesh,
        bounds=bounds,
        sound=sound,
    )
    _check(plan, "num_draws")
    network = as_partial(logits_fn)

    def one(image: Array, key: Array, target: int | None) -> Certificate:
        assert target is not None
        votes = Votes(target, sigma, sound=sound)
        return plan.certificate(votes, network, image, key, label)

    return of_each(one, network, images, key, bounds=bounds, classes=target, sound=sound)


# Flat keywords, as a user's call names what it sets; within, they are one `CertificationPlan`.
def predict(
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float,
    num_draws: int = 1000,
    alpha: float = 0.001,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    bounds: Bounds | None = UNIT_BOX,
    sound: bool = False,
) -> Prediction:
    """Cohen et al.'s PREDICT: the class with the most votes, or abstention where that is chance.

    With probability at least 1 - alpha over the draws, the result abstains or is the smoothed
    classifier's prediction. Arguments and errors as for `certify`.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.2.1; Hung and Fithian (2019).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> always = lambda x: jnp.broadcast_to(jnp.array([0.0, 1.0]), (x.shape[0], 2))
        >>> black = jnp.zeros((4, 4, 3))
        >>> predict(always, black, jax.random.key(0), sigma=0.5, num_draws=11).prediction
        1
    """
    plan = CertificationPlan(
        sigma, num_draws, alpha, chunk_size=chunk_size, mesh=mesh, bounds=bounds, sound=sound
    )
    return predict_by(plan, logits_fn, images, key)


def predict_by(
    plan: CertificationPlan, logits_fn: LogitsFn, images: ArrayLike, key: Array
) -> Prediction:
    """`predict` by a plan."""
    plan.check("num_draws")
    plan.check_enough("num_draws", least_draws(plan.alpha, "predict"))
    network = as_partial(logits_fn)

    def one(image: Array, key: Array, _: int | None) -> Prediction:
        stream = plan.stream(vote, network, image, key, plan.num_draws)
        counts = count_votes(stream, plan.num_draws)
        alpha = plan.alpha_of(image)
        unsure = bool(abstains(counts, plan.num_draws, alpha))
        if plan.sound and not unsure:
            top, rival = map(int, _top_and_rival(counts, plan.num_draws))
            half = Fraction(1, 2)
            unsure = not upper_tail_at_most(top, top + rival, half, half * Fraction(alpha))
        return Prediction(ABSTAIN if unsure else int(counts.argmax()), counts)

    return of_each(one, network, images, key, bounds=plan.bounds, sound=plan.sound)


def _check(plan: CertificationPlan, draws: str) -> None:
    plan.check(draws)
    check_count("num_selection", plan.num_selection)
    plan.check_enough(draws, least_draws(plan.alpha, staged=plan.in_stages))


def abstains(votes: np.ndarray, num_draws: int, alpha: float) -> np.ndarray:
    """PREDICT's test: whether a fair coin could have given the first class and its rival so many.

    The rival is the second class, or the draws that voted for none where those are more.

    Args:
        votes: integers, shape ``[..., classes]``.
        num_draws: draws that made each row.
        alpha: level of the two-sided binomial test.

    Returns:
        Booleans of shape ``[...]``.

    Example:
        >>> import numpy as np
        >>> abstains(np.array([[60, 40], [90, 10], [20, 0]]), 100, 0.001).tolist()
        [True, False, True]
    """
    check_alpha(alpha)
    top, rival = _top_and_rival(votes, num_draws)
    return (top <= rival) | (2 * stats.binom.sf(top - 1, top + rival, 0.5) > alpha)


def _top_and_rival(votes: np.ndarray, num_draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes of the first class, and of its rival."""
    ordered = np.sort(votes, axis=-1)
    return ordered[..., -1], np.maximum(ordered[..., -2], num_draws - votes.sum(axis=-1))
