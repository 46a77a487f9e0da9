"""Hard smoothing (Cohen et al. 2019): the class that most noisy copies of an image get.

The theorems are about exact Gaussian noise and real numbers. Bounds and quantiles here are exact in
float64; the network and its noise are float32, as everywhere in the field (Voráček and Hein 2023
show networks made to exploit that).
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from scipy import stats

from pagjax.certification import staged
from pagjax.certification.bounds import check_alpha, clopper_pearson_lower, clopper_pearson_upper
from pagjax.certification.certificate import ABSTAIN, Certificate, Prediction
from pagjax.certification.radius import certified_radius, check_sigma, signed_radius
from pagjax.certification.sampling import DrawStream
from pagjax.checks import LogitsFn
from pagjax.outputs import vote


def certify(
    logits_fn: LogitsFn,
    image: Array,
    key: Array,
    *,
    sigma: float,
    num_selection: int = 100,
    num_estimation: int = 100_000,
    alpha: float = 0.001,
    radii: Sequence[float] | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> Certificate:
    """Cohen et al.'s CERTIFY: the class of selection draws, bounded on fresh estimation draws.

    With probability at least 1 - alpha over the draws, the result abstains or the smoothed
    classifier's prediction at `image` is `prediction` and constant within `radius`. A draw with a
    NaN logit or a tie votes for no class and so counts against the certificate. The draws are
    independent; variance-reduced ones would void the bound and are not taken.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        image: one image, shape ``[height, width, channels]``, in [0, 1].
        key: a typed key; selection and estimation fold different numbers into it.
        sigma: noise level in pixel units of [0, 1], above 0.
        num_selection: draws N0 that choose the class.
        num_estimation: draws N that bound its probability.
        alpha: failure probability, in (0, 1).
        radii: l2 lengths in pixel units: look at the estimation draws in stages, and stop once it
            is decided which of these are certified (see `pagjax.certification.staged`); None makes
            all draws.
        chunk_size: the most draws held at once.
        mesh: from `pagjax.mesh.make_mesh`, along whose draws they are split.

    Returns:
        A `Certificate`.

    Raises:
        ValueError: if sigma is 0, alpha outside (0, 1), a count below 1, a radius negative, or
            there is one class.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.2.2.

    Example, a network that always answers class 1:
        >>> import jax, jax.numpy as jnp
        >>> always = lambda x: jnp.broadcast_to(jnp.array([0.0, 1.0]), (x.shape[0], 2))
        >>> done = certify(always, jnp.zeros((4, 4, 3)), jax.random.key(0), sigma=0.5,
        ...                num_estimation=1000)
        >>> done.prediction, round(done.radius, 2)
        (1, 1.23)
    """
    check_alpha(alpha)
    check_sigma(sigma)
    selection = count_votes(
        logits_fn,
        image,
        jax.random.fold_in(key, 0),
        sigma=sigma,
        num_draws=num_selection,
        chunk_size=chunk_size,
        mesh=mesh,
    )
    return certify_class(
        logits_fn,
        image,
        int(selection.argmax()),
        jax.random.fold_in(key, 1),
        sigma=sigma,
        num_draws=num_estimation,
        alpha=alpha,
        radii=radii,
        chunk_size=chunk_size,
        mesh=mesh,
    )


def certify_class(
    logits_fn: LogitsFn,
    image: Array,
    target: int,
    key: Array,
    *,
    sigma: float,
    num_draws: int,
    alpha: float = 0.001,
    radii: Sequence[float] | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> Certificate:
    """The radius within which the smoothed classifier predicts a class named beforehand.

    CERTIFY without its selection draws, for a class that does not depend on `key`'s draws: a
    picture's target class. With probability at least 1 - alpha over the draws, the result abstains
    or the prediction is `target` throughout the ball. Other arguments and errors as for `certify`.

    Args:
        target: class index.
        num_draws: estimation draws; draw i comes from ``fold_in(key, i)``.

    Returns:
        A `Certificate`; ``totals[target] / num_draws`` is the share of the draws that say `target`.
    """
    check_sigma(sigma)
    evidence = Votes(target, sigma)
    stream = DrawStream(
        evidence.of_logits,
        logits_fn,
        image,
        key,
        sigma=sigma,
        most=num_draws,
        chunk_size=chunk_size,
        mesh=mesh,
    )
    stages = staged.plan(num_draws, alpha, staged=radii is not None)
    return staged.run(evidence, stream, stages, radii)


def predict(
    logits_fn: LogitsFn,
    image: Array,
    key: Array,
    *,
    sigma: float,
    num_draws: int = 1000,
    alpha: float = 0.001,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> Prediction:
    """Cohen et al.'s PREDICT: the class with the most votes, or abstention where that is chance.

    With probability at least 1 - alpha over the draws, the result abstains or is the smoothed
    classifier's prediction. Arguments and errors as for `certify`.

    Reference: Cohen, Rosenfeld and Kolter (2019), section 3.2.1; Hung and Fithian (2019).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> always = lambda x: jnp.broadcast_to(jnp.array([0.0, 1.0]), (x.shape[0], 2))
        >>> black = jnp.zeros((4, 4, 3))
        >>> [predict(always, black, jax.random.key(0), sigma=0.5, num_draws=n).prediction
        ...  for n in (10, 11)]
        [-1, 1]
    """
    check_alpha(alpha)
    check_sigma(sigma)
    counts = count_votes(
        logits_fn, image, key, sigma=sigma, num_draws=num_draws, chunk_size=chunk_size, mesh=mesh
    )
    unsure = bool(abstains(counts, num_draws, alpha))
    return Prediction(ABSTAIN if unsure else int(counts.argmax()), counts)


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
    ordered = np.sort(votes, axis=-1)
    top = ordered[..., -1]
    rival = np.maximum(ordered[..., -2], num_draws - votes.sum(axis=-1))
    return (top <= rival) | (2 * stats.binom.sf(top - 1, top + rival, 0.5) > alpha)


def count_votes(
    logits_fn: LogitsFn,
    image: Array,
    key: Array,
    *,
    sigma: float,
    num_draws: int,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
) -> np.ndarray:
    """Votes of one image's draws as 64-bit integers on the host, shape ``[classes]``.

    Arguments and errors as for `certify`.
    """
    stream = DrawStream(
        vote,
        logits_fn,
        image,
        key,
        sigma=sigma,
        most=num_draws,
        chunk_size=chunk_size,
        mesh=mesh,
    )
    votes = [_votes_of(outputs) for outputs in stream.take(num_draws)]
    return np.sum(votes, axis=0)


class Votes:
    """Votes for one class against the rest: `staged.Evidence`."""

    of_logits = staticmethod(vote)

    def __init__(self, target: int, sigma: float) -> None:
        """No votes yet."""
        self.target, self.sigma = target, sigma
        self.counts: np.ndarray | None = None
        self.num_draws = 0

    def add(self, outputs: np.ndarray) -> None:
        """Counts votes, shape ``[c, classes]``."""
        votes = _votes_of(outputs)
        if not 0 <= self.target < votes.size:
            raise ValueError(f"target {self.target}: the network has {votes.size} classes")
        self.counts = votes if self.counts is None else self.counts + votes
        self.num_draws += len(outputs)

    def certificate(self, alpha: float) -> Certificate:
        """By Clopper and Pearson's bound and Theorem 1."""
        assert self.counts is not None
        lower = clopper_pearson_lower(int(self.counts[self.target]), self.num_draws, alpha)
        radius = certified_radius(lower, 1 - lower, self.sigma)
        prediction = self.target if lower > 0.5 else ABSTAIN
        return Certificate(prediction, radius, lower, 1 - lower, self.counts, self.num_draws)

    def most(self, alpha: float) -> float:
        """See `staged.Evidence`."""
        assert self.counts is not None
        upper = clopper_pearson_upper(int(self.counts[self.target]), self.num_draws, alpha)
        return signed_radius(upper, 1 - upper, self.sigma)

    def reach(self, num_draws: int, alpha: float) -> float:
        """See `staged.Evidence`."""
        lower = clopper_pearson_lower(num_draws, num_draws, alpha)
        return certified_radius(lower, 1 - lower, self.sigma)


def _votes_of(outputs: np.ndarray) -> np.ndarray:
    if outputs.shape[1] < 2:
        raise ValueError("a network of one class has nothing to certify")
    return outputs.sum(axis=0, dtype=np.int64)
