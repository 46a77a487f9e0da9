"""How a picture is made: every hyper-parameter of the loop, in one record."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from jax import Array

from pagjax.core import checks
from pagjax.core.objectives import TARGET_CLASS_MAX, Objective, as_objective
from pagjax.core.pgd import PLAIN, Noise, Strategy
from pagjax.core.projections import Bounds, Projection, ball_then_box
from pagjax.core.sampling import Sampling, group_size

_TRACED = ("sigma", "epsilon", "step_size")
_STATIC = (
    *("num_steps", "num_samples", "objective", "sampling", "strategy"),
    *("projection", "bounds", "noise"),
)


@partial(jax.tree_util.register_dataclass, data_fields=_TRACED, meta_fields=_STATIC)
@dataclass(frozen=True)
class Recipe:
    """A recipe of `pagjax.targeted_pgd`; a pytree of its three lengths, all else is static.

    Recipes that differ in their lengths alone run the same compiled program. `dataclasses.replace`
    makes another one; `pagjax.presets.recipe` gives the paper's and a cheaper one.

    Attributes:
        sigma: noise level in pixel units of [0, 1], from 0 to 2; a plain 0 means the base network.
        epsilon: radius of the l2 ball in pixel units, at most the box's diagonal, which is
            ``sqrt(height * width * channels)``; a number or one per image.
        step_size: l2 length of a step, at most the diagonal; a number or one per image.
        num_steps: number of steps.
        num_samples: noise draws a step, N; a number or one per step, for an N that grows.
        objective: what is maximised; ``"tcm"`` and ``"ce"`` name the paper's.
        sampling: kind of draws, see `pagjax.core.sampling`.
        strategy: momentum, a schedule of steps, a stop: see `pagjax.core.pgd.Strategy`.
        projection: `ball_then_box`, `ball_and_box` (the nearest feasible point), or your own.
        bounds: the pixel box, or None for pixels in other units; lengths then have no upper limit.
        noise: ``"fresh"`` or ``"fixed"`` draws, see `pagjax.core.pgd.step`.

    Reference: Kaur, Cohen and Lipton (2019), equations 2, 4 and 5, appendix C.

    Example:
        >>> recipe = Recipe(sigma=0.25, epsilon=5.7, step_size=0.1, num_steps=2)
        >>> recipe.is_noiseless, recipe.resolved((32, 32, 3)).num_samples
        (False, (20, 20))
    """

    sigma: float | Array
    epsilon: float | Array
    step_size: float | Array
    num_steps: int = 300
    num_samples: int | Sequence[int] = 20
    objective: Objective | str = TARGET_CLASS_MAX
    sampling: Sampling = "independent"
    strategy: Strategy = PLAIN
    projection: Projection = ball_then_box
    bounds: Bounds | None = checks.UNIT_BOX
    noise: Noise = "fresh"

    @property
    def is_noiseless(self) -> bool:
        """Whether one draw, of no kind, says all: sigma is known to be 0."""
        return checks.is_noiseless(self.sigma)

    def resolved(self, shape: tuple[int, ...]) -> Recipe:
        """The recipe as the loop wants it: checked, and with as many draws as every step takes.

        Args:
            shape: of an image, ``(height, width, channels)``.

        Returns:
            A `Recipe` whose `objective` is a record and whose `num_samples` are one for each step.

        Raises:
            ValueError: for a length, count or kind out of range, naming it and the cure.
            TypeError: for an objective that is none.
        """
        bounds = checks.as_bounds(self.bounds)
        checks.check_count("num_steps", self.num_steps)
        longest = None if bounds is None else checks.diagonal(shape, bounds)
        checks.check_length("epsilon", self.epsilon, longest)
        checks.check_length("step_size", self.step_size, longest)
        resolved = dataclasses.replace(
            self,
            objective=as_objective(self.objective),
            bounds=bounds,
            num_samples=self._draws_by_step(checks.largest_sigma(bounds)),
            sampling="independent" if self.is_noiseless else self.sampling,
        )
        resolved._check_groups()
        return resolved

    def without_lengths(self) -> Recipe:
        """What is static of it: equal for all recipes that run the same compiled program."""
        none: Any = None
        return dataclasses.replace(self, sigma=none, epsilon=none, step_size=none)

    def _draws_by_step(self, largest_sigma: float | None) -> tuple[int, ...]:
        given = self.num_samples
        if isinstance(given, str) or not isinstance(given, Sequence):
            return (checks.draws_needed(self.sigma, given, largest_sigma),) * self.num_steps
        if len(given) != self.num_steps:
            raise ValueError(
                f"num_samples of length {len(given)} for {self.num_steps} steps: pass one number, "
                "or one per step"
            )
        return tuple(checks.draws_needed(self.sigma, count, largest_sigma) for count in given)

    def _check_groups(self) -> None:
        assert isinstance(self.num_samples, tuple)
        counts = set(self.num_samples)
        groups = [count // group_size(self.sampling, count) for count in counts]
        if self.strategy.settles_after is None:
            return
        checks.check_count("settles_after", self.strategy.settles_after)
        if min(groups) < 2 and not self.is_noiseless:
            raise ValueError(
                f"num_samples = {min(counts)} with {self.sampling} draws has no standard error, "
                "by which the stop is judged: take more draws, or settles_after=None"
            )
