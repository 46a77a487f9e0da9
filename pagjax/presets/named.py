"""Named settings of the loop, scaled to an image's side: ``paper`` and ``fast``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import optax

from pagjax.core.objectives import Objective
from pagjax.core.pgd import Strategy
from pagjax.core.sampling import Sampling
from pagjax.presets import paper

Schedule = Literal["constant", "linear"]

NAMES = ("paper", "fast")
FAST_STEPS, FAST_SAMPLES, FAST_MOMENTUM, FAST_STEP_SIZE = 140, 2, 0.8, 7.0


@dataclass(frozen=True)
class Preset:
    """Settings of one run; epsilon and step_size are l2 lengths in [0, 1] pixel units.

    Attributes:
        epsilon: radius of the ball.
        step_size: length of the first step.
        num_steps: steps.
        num_samples: noise draws a step.
        sampling: their kind, see `pagjax.core.sampling`.
        momentum: in [0, 1), decay of the running sum of normalised gradients.
        schedule: of the step's length: ``"constant"``, or ``"linear"`` to 0 after the last step.
    """

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

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `pagjax.targeted_pgd`."""
        given = asdict(self)
        momentum, schedule = given.pop("momentum"), given.pop("schedule")
        return {**given, "strategy": strategy(momentum, schedule, self.num_steps)}


def settings(name: str, side: float, *, sigma: float, objective: Objective) -> Preset:
    """A preset for images of one size.

    Args:
        name: ``"paper"``, the recipe of Kaur, Cohen and Lipton (2019, appendix C); or ``"fast"``,
            the same ball with a twentieth of the gradients: antithetic pairs of draws, momentum
            over normalised gradients, and longer steps that fall linearly to 0.
        side: the square root of height x width, in pixels; lengths scale with it.
        sigma: noise level.
        objective: what is maximised; the paper's steps depend on both.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> from pagjax.core.objectives import TARGET_CLASS_MAX
        >>> given = {"sigma": 0.25, "objective": TARGET_CLASS_MAX}
        >>> [settings(name, 224, **given).gradients for name in NAMES]
        [6000, 280]
    """
    recipe = paper.settings(side, sigma=sigma, objective=objective)
    if name == "paper":
        return Preset(recipe.epsilon, recipe.step_size, recipe.num_steps, recipe.num_samples)
    if name == "fast":
        return Preset(
            recipe.epsilon,
            FAST_STEP_SIZE * side / paper.SIDE,
            FAST_STEPS,
            FAST_SAMPLES,
            "antithetic",
            FAST_MOMENTUM,
            "linear",
        )
    raise ValueError(f"preset {name!r}: choose {' or '.join(map(repr, NAMES))}")


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
