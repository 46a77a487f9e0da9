"""Soft smoothing (Kaur et al. 2019, equation 3): the class of the largest mean probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jax.typing import ArrayLike

from pagjax.certification.batch import of_each
from pagjax.certification.bounds import MeanBound, mean_margins
from pagjax.certification.certificate import ABSTAIN, Certificate
from pagjax.certification.least import least_soft_draws
from pagjax.certification.plan import CertificationPlan
from pagjax.certification.plan import Rivals as Rivals
from pagjax.certification.radius import certified_radius, signed_radius
from pagjax.certification.staged import DOUBT, Stage
from pagjax.core.checks import UNIT_BOX, Bounds, LogitsFn, as_partial, check_count, num_classes
from pagjax.core.outputs import probabilities


# Flat keywords, as a user's call names what it sets; within, they are one `CertificationPlan`.
def certify_soft(
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    *,
    sigma: float,
    num_selection: int = 100,
    num_estimation: int = 100_000,
    alpha: float = 0.001,
    bound: MeanBound = "better",
    rivals: Rivals = "bounded",
    radii: Sequence[float] | None = None,
    label: Any = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    bounds: Bounds | None = UNIT_BOX,
) -> Certificate:
    """Theorem 1 with bounds of the smoothed probabilities.

    The event of probability at least 1 - alpha over the draws depends on `rivals`:

    - ``"bounded"``: for every class at once, the smoothed probability lies between its lower and
      its upper bound (each of the 2k sides fails with probability <= alpha / 2k). On it the class
      with the largest lower bound is predicted, and its rivals' probabilities are below the
      largest of their upper bounds and below 1 minus its lower bound: the smaller one serves.
    - ``"rest"``: the probability of the class that selection draws chose, independent of the
      estimation draws, exceeds its lower bound. Its rivals are bounded by the rest, p2 <= 1 - p1.

    On the event the smoothed classifier's prediction is `prediction` throughout the ball, unless
    the result abstains. A draw with a NaN probability counts as 0 for lower bounds and as 1 for
    upper ones. The draws are independent; variance-reduced ones would void the bounds and are not
    taken.

    Arguments that are not named here, the result and errors are `pagjax.certification.certify`'s.

    Args:
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``, whose softmax
            is averaged.
        num_selection: draws that choose the class, for ``rivals="rest"`` alone.
        num_estimation: draws that bound probabilities, at least `least_soft_draws` of alpha.
        bound: ``"hoeffding"``, ``"bernstein"`` (empirical), or ``"better"``: the narrower of both
            for each class, with alpha split between them.
        rivals: how the other classes are bounded, see above.

    Reference: Kaur, Cohen and Lipton (2019), theorem 1; Hoeffding (1963); Maurer and Pontil (2009).

    Example, a network that gives class 1 nine tenths everywhere:
        >>> import jax, jax.numpy as jnp
        >>> always = lambda x: jnp.broadcast_to(jnp.log(jnp.array([0.1, 0.9])), (x.shape[0], 2))
        >>> done = certify_soft(always, jnp.zeros((4, 4, 3)), jax.random.key(0), sigma=0.5,
        ...                     num_estimation=10_000)
        >>> done.prediction, round(done.radius, 2), round(0.5 * 1.2816, 2)
        (1, 0.63, 0.64)
    """
    plan = CertificationPlan(
        sigma=sigma,
        num_draws=num_estimation,
        alpha=alpha,
        num_selection=num_selection,
        radii=radii,
        bound=bound,
        rivals=rivals,
        chunk_size=chunk_size,
        mesh=mesh,
        bounds=bounds,
    )
    return certify_soft_by(plan, logits_fn, images, key, label, draws="num_estimation")


def certify_soft_by(
    plan: CertificationPlan,
    logits_fn: LogitsFn,
    images: ArrayLike,
    key: Array,
    label: Any = None,
    *,
    draws: str = "num_draws",
) -> Certificate:
    """`certify_soft` by a plan; `draws` is what its draws are called in messages."""
    plan.check(draws)
    if plan.sound:
        raise ValueError("`sound` counts votes; sums of probabilities are rounded: take `certify`")
    if plan.rivals == "rest":
        check_count("num_selection", plan.num_selection)
    network = as_partial(logits_fn)

    def one(image: Array, key: Array, label: int | None) -> Certificate:
        sides = 1 if plan.rivals == "rest" else 2 * num_classes(network, image[None])
        least = least_soft_draws(plan.alpha, plan.bound, sides, staged=plan.in_stages)
        plan.check_enough(draws, least)
        first, second = jax.random.fold_in(key, 0), jax.random.fold_in(key, 1)
        target = _selected(plan, network, image, first) if plan.rivals == "rest" else None
        evidence = Means(plan.sigma, plan.bound, target)
        return plan.certificate(evidence, network, image, second, label)

    return of_each(one, network, images, key, bounds=plan.bounds, classes=label)


def _selected(plan: CertificationPlan, network: LogitsFn, image: Array, key: Array) -> int:
    """The class of the largest mean probability over the selection draws."""
    chosen = Means(plan.sigma, plan.bound)
    stream = plan.stream(probabilities, network, image, key, plan.num_selection)
    for outputs in stream.take(plan.num_selection):
        chosen.add(outputs)
    chosen.check_usable()
    return int(chosen.sums.argmax())


class Means:
    """Sums of probabilities and of their squares in float64: `staged.Evidence`."""

    of_logits = staticmethod(probabilities)

    def __init__(self, sigma: float, bound: MeanBound, target: int | None = None) -> None:
        """No draws yet; `target` is a class chosen beforehand, or None to bound all classes."""
        self.sigma, self.bound, self.target = sigma, bound, target
        self.sums = self.squares = np.zeros(())
        self.broken = self.num_draws = 0

    def check_usable(self) -> None:
        """Refuses a network of which no draw has given probabilities."""
        if self.broken == self.num_draws:
            raise ValueError(
                f"probabilities are NaN under all {self.num_draws} noise draws: nothing to "
                "certify; check the checkpoint and its normaliser"
            )

    def add(self, outputs: np.ndarray) -> None:
        """Counts probabilities, shape ``[c, classes]``."""
        if outputs.shape[1] < 2:
            raise ValueError("a network of one class has nothing to certify")
        usable = outputs[np.isfinite(outputs).all(axis=1)].astype(np.float64)
        usable /= usable.sum(axis=1, keepdims=True)  # float32 rows sum to 1 only nearly
        self.sums = self.sums + usable.sum(axis=0)
        self.squares = self.squares + (usable**2).sum(axis=0)
        self.broken += len(outputs) - len(usable)
        self.num_draws += len(outputs)

    def certificate(self, alpha: float) -> Certificate:
        """See `certify_soft`."""
        self.check_usable()
        lower, upper = self.bounds(alpha / self.sides)
        top = self._top(lower)
        below = float(lower[top])
        above = self._rivals(below, upper, top)
        prediction = top if below > above else ABSTAIN
        radius = certified_radius(below, above, self.sigma)
        return Certificate(prediction, radius, below, above, self.sums, self.num_draws)

    def hope(self, last: Stage) -> float:
        """See `staged.Evidence`."""
        lower, upper = self.bounds(DOUBT)
        top, done = self._top(lower), self.num_draws / last.num_draws
        means, margins = self._means(0, last.num_draws, last.alpha / self.sides)
        below = done * means[top] + (1 - done) * upper[top] - margins[top]
        means, margins = self._means(self.broken, last.num_draws, last.alpha / self.sides)
        most = np.clip(done * means + (1 - done) * lower + margins, 0, 1)
        below = float(np.clip(below, 0, 1))
        return signed_radius(below, self._rivals(below, most, top), self.sigma)

    @property
    def sides(self) -> int:
        """Bounds that hold at once, which share alpha."""
        return 1 if self.target is not None else 2 * self.sums.size

    def bounds(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of the classes' probabilities, each side failing at `share`."""
        low, low_margins = self._means(0, self.num_draws, share)
        high, high_margins = self._means(self.broken, self.num_draws, share)
        return np.maximum(0, low - low_margins), np.minimum(1, high + high_margins)

    def _top(self, lower: np.ndarray) -> int:
        return int(lower.argmax()) if self.target is None else self.target

    def _rivals(self, below: float, upper: np.ndarray, top: int) -> float:
        """What bounds the other classes, given a bound of the class `top`."""
        rest = 1 - below
        return rest if self.target is not None else min(rest, float(np.delete(upper, top).max()))

    def _means(self, ones: int, num_draws: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Means with so many of the broken draws as 1, and their margins after `num_draws`."""
        count, sums, squares = self.num_draws, self.sums + ones, self.squares + ones
        variances = np.maximum(0, (squares - sums**2 / count) / (count - 1))
        return sums / count, mean_margins(variances, num_draws, share, self.bound)
