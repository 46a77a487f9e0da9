"""Named settings of the loop, scaled to an image's side: ``paper``, ``fast`` and ``draft``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import optax

from pagjax.core.objectives import TARGET_CLASS_MAX, Objective, as_objective
from pagjax.core.pgd import Strategy
from pagjax.core.recipe import Recipe
from pagjax.core.sampling import Sampling
from pagjax.presets import paper

Schedule = Literal["constant", "linear"]


class _Cheaper(NamedTuple):
    """What differs from the paper's settings; step sizes are l2 lengths at 224 pixels."""

    num_steps: int
    momentum: float
    step_size: float


# Found by trying, see docs/less-work.md: the longer the step against the ball, the less momentum.
_CHEAPER = {"fast": _Cheaper(140, 0.8, 7.0), "draft": _Cheaper(50, 0.3, 112.0)}
_PAIR = 2

NAMES = ("paper", *_CHEAPER)


@dataclass(frozen=True)
class Preset:
    """A recipe in plain values, as a job records them; lengths are l2, in [0, 1] pixel units.

    Attributes:
        sigma: noise level.
        objective: what is maximised.
        epsilon: radius of the ball.
        step_size: length of the first step.
        num_steps: steps.
        num_samples: noise draws a step.
        sampling: their kind, see `pagjax.core.sampling`.
        momentum: in [0, 1), decay of the running sum of normalised gradients.
        schedule: of the step's length: ``"constant"``, or ``"linear"`` to 0 after the last step.
    """

    sigma: float
    objective: Objective
    epsilon: float
    step_size: float
    num_steps: int
    num_samples: int
    sampling: Sampling = "independent"
    momentum: float = 0.0
    schedule: Schedule = "constant"

    @property
    def gradients(self) -> int:
        """Network gradients that an image costs."""
        return self.num_steps * self.num_samples

    def recipe(self) -> Recipe:
        """The `pagjax.Recipe` itself, its strategy built."""
        return Recipe(
            sigma=self.sigma,
            epsilon=self.epsilon,
            step_size=self.step_size,
            num_steps=self.num_steps,
            num_samples=self.num_samples,
            objective=self.objective,
            sampling=self.sampling,
            strategy=strategy(self.momentum, self.schedule, self.num_steps),
        )


def recipe(
    name: str, side: float, *, sigma: float, objective: Objective | str = TARGET_CLASS_MAX
) -> Recipe:
    """A preset's recipe for images of one size, ready for `pagjax.targeted_pgd`.

    Arguments and errors as for `settings`.

    Example:
        >>> recipe("fast", 128, sigma=0.25).num_steps
        140
    """
    return settings(name, side, sigma=sigma, objective=as_objective(objective)).recipe()


def settings(name: str, side: float, *, sigma: float, objective: Objective) -> Preset:
    """A preset for images of one size.

    Args:
        name: ``"paper"``, the recipe of Kaur, Cohen and Lipton (2019, appendix C); ``"fast"``,
            the same ball with a twentieth of the gradients: antithetic pairs of draws, momentum
            over normalised gradients, and longer steps that fall linearly to 0; or ``"draft"``,
            the same with a sixtieth, in steps that begin at 2.8 times the ball's radius.
        side: the square root of height x width, in pixels; lengths scale with it.
        sigma: noise level.
        objective: what is maximised; the paper's steps depend on both.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> from pagjax.core.objectives import TARGET_CLASS_MAX
        >>> given = {"sigma": 0.25, "objective": TARGET_CLASS_MAX}
        >>> [settings(name, 224, **given).gradients for name in NAMES]
        [6000, 280, 100]
    """
    published = paper.settings(side, sigma=sigma, objective=objective)
    epsilon, step_size = float(published.epsilon), float(published.step_size)
    if name == "paper":
        return Preset(sigma, objective, epsilon, step_size, paper.NUM_STEPS, paper.NUM_SAMPLES)
    if name not in _CHEAPER:
        raise ValueError(f"preset {name!r}: choose {' or '.join(map(repr, NAMES))}")
    own = _CHEAPER[name]
    return Preset(
        sigma,
        objective,
        epsilon,
        own.step_size * side / paper.SIDE,
        own.num_steps,
        _PAIR,
        "antithetic",
        own.momentum,
        "linear",
    )


@lru_cache(maxsize=64)
def strategy(
    momentum: float, schedule: Schedule, num_steps: int, settles_after: int | None = None
) -> Strategy:
    """A `pagjax.core.pgd.Strategy` from plain values; the same object for the same values.

    Args:
        momentum: in [0, 1); 0 for none.
        schedule: see `Preset`.
        num_steps: of the whole run, after which a linear schedule is at 0.
        settles_after: the stop's window, or None.

    Example:
        >>> strategy(0.0, "constant", 300)
        Strategy(direction=None, schedule=None, settles_after=None)
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum = {momentum}: must be at least 0 and below 1")
    if schedule not in ("constant", "linear"):
        raise ValueError(f"schedule {schedule!r}: choose 'constant' or 'linear'")
    return Strategy(
        direction=optax.trace(momentum) if momentum else None,
        schedule=optax.linear_schedule(1.0, 0.0, num_steps) if schedule == "linear" else None,
        settles_after=settles_after,
    )


def growing(first: int, last: int, num_steps: int) -> tuple[int, ...]:
    """Draws for each step: from `first` doubled to `last`, each number for as many steps.

    Example:
        >>> growing(2, 8, 6), growing(4, 4, 2)
        ((2, 2, 4, 4, 8, 8), (4, 4))

    Raises:
        ValueError: if `first` doubled does not meet `last`.
    """
    stages = [first]
    while stages[-1] < last:
        stages.append(2 * stages[-1])
    if stages[-1] != last:
        raise ValueError(f"{first} draws doubled never make {last}: choose {stages[-1]}")
    return tuple(stages[step * len(stages) // num_steps] for step in range(num_steps))
