"""The paper's hyper-parameters, and what they become at another resolution."""

from __future__ import annotations

from pagjax.core import checks
from pagjax.core.objectives import CROSS_ENTROPY, Objective
from pagjax.core.recipe import Recipe

__all__ = (
    "EPSILON",
    "NUM_SAMPLES",
    "NUM_STEPS",
    "SIDE",
    "STEP_SIZE",
    "STEP_SIZE_CROSS_ENTROPY",
    "STEP_SIZE_WITHOUT_NOISE",
    "settings",
)

SIDE = 224
EPSILON = 40.0
NUM_STEPS = 300
NUM_SAMPLES = 20
STEP_SIZE = 0.7
STEP_SIZE_WITHOUT_NOISE = 2.8
STEP_SIZE_CROSS_ENTROPY = 2.0


def settings(side: float, *, sigma: float, objective: Objective) -> Recipe:
    """The paper's settings (Kaur, Cohen and Lipton 2019, appendix C), scaled to an image's side.

    The l2 length of a perturbation of given contrast grows with the number of pixels' square root,
    that is with the side: epsilon 40 at 224 pixels is 20 at 112 and 5.71 at 32.

    Args:
        side: the square root of height x width, in pixels.
        sigma: noise level; 0 selects the paper's longer step for networks without noise.
        objective: cross-entropy selects the paper's step for it.

    Example:
        >>> from pagjax.core.objectives import TARGET_CLASS_MAX
        >>> recipe = settings(112, sigma=0.25, objective=TARGET_CLASS_MAX)
        >>> recipe.epsilon, recipe.step_size, recipe.num_steps, recipe.num_samples
        (20.0, 0.35, 300, 20)
    """
    scale = side / SIDE
    step_size = STEP_SIZE
    if checks.is_noiseless(sigma):
        step_size = STEP_SIZE_WITHOUT_NOISE
    elif objective == CROSS_ENTROPY:
        step_size = STEP_SIZE_CROSS_ENTROPY
    return Recipe(
        sigma, EPSILON * scale, step_size * scale, NUM_STEPS, NUM_SAMPLES, objective=objective
    )
