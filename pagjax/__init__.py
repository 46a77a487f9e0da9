"""pagjax: perceptually-aligned gradients of randomised-smoothed classifiers.

Names are imported when they are first used, so that a command's ``--help`` need not wait for JAX.
"""

from __future__ import annotations

from pagjax.jobs import interruption

if interruption.is_starting_a_command():
    interruption.install()

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pagjax._version import __version__ as __version__
from pagjax.wording import moved

if TYPE_CHECKING:
    from pagjax.checkpoints import load as load
    from pagjax.core.gradients import GradientEstimate as GradientEstimate
    from pagjax.core.gradients import smoothed_gradient as smoothed_gradient
    from pagjax.core.objectives import CROSS_ENTROPY as CROSS_ENTROPY
    from pagjax.core.objectives import TARGET_CLASS_MAX as TARGET_CLASS_MAX
    from pagjax.core.objectives import Objective as Objective
    from pagjax.core.recipe import Recipe as Recipe
    from pagjax.core.smoothing import smoothed_logits as smoothed_logits
    from pagjax.core.smoothing import smoothed_mean as smoothed_mean
    from pagjax.core.smoothing import smoothed_probabilities as smoothed_probabilities
    from pagjax.core.smoothing import smoothed_votes as smoothed_votes
    from pagjax.core.targeted import TargetedResult as TargetedResult
    from pagjax.core.targeted import targeted_pgd as targeted_pgd

_HOMES = {
    "load": "checkpoints",
    "GradientEstimate": "core.gradients",
    "smoothed_gradient": "core.gradients",
    "CROSS_ENTROPY": "core.objectives",
    "TARGET_CLASS_MAX": "core.objectives",
    "Objective": "core.objectives",
    "Recipe": "core.recipe",
    "smoothed_logits": "core.smoothing",
    "smoothed_mean": "core.smoothing",
    "smoothed_probabilities": "core.smoothing",
    "smoothed_votes": "core.smoothing",
    "TargetedResult": "core.targeted",
    "targeted_pgd": "core.targeted",
}
_ROOMS = {
    **{name: f"core.{name}" for name in ("mesh", "objectives", "pgd", "projections", "sampling")},
    "paper": "presets.paper",
    "presets": "presets",
}
moved.install()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"pagjax.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return import_module(f"pagjax.{_ROOMS[name]}")
    raise AttributeError(f"module 'pagjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
