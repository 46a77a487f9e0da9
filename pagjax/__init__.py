"""pagjax: perceptually-aligned gradients of randomised-smoothed classifiers.

What is public is listed in ``__all__``, here and in each public module; what is not may change. A
name that begins with an underscore is its own module's alone. Names are imported when they are
first used, so that a command's ``--help`` need not wait for JAX.

Example:
    >>> import pagjax
    >>> network = pagjax.load("cifar10-gaussian-0.25")
    >>> network.labels[network.index("cat")]
    'cat'
"""

import typing as _typing

from pagjax.jobs import interruption as _interruption

if _interruption.is_starting_a_command():
    _interruption.install()

from pagjax._version import __version__ as __version__
from pagjax.wording import moved as _moved
from pagjax.wording import shown as _shown
from pagjax.wording.public import lazily as _lazily

if _typing.TYPE_CHECKING:
    from pagjax import alignment as alignment
    from pagjax import certification as certification
    from pagjax import checkpoints as checkpoints
    from pagjax import convert as convert
    from pagjax import figures as figures
    from pagjax import networks as networks
    from pagjax import presets as presets
    from pagjax.alignment import attribution as attribution
    from pagjax.checkpoints.loading import load as load
    from pagjax.core import mesh as mesh
    from pagjax.core import objectives as objectives
    from pagjax.core import pgd as pgd
    from pagjax.core import projections as projections
    from pagjax.core import sampling as sampling
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
    from pagjax.io.pictures import images as images
    from pagjax.io.pictures import samples as samples
    from pagjax.presets import paper as paper

__all__ = (
    "CROSS_ENTROPY",
    "TARGET_CLASS_MAX",
    "GradientEstimate",
    "Objective",
    "Recipe",
    "TargetedResult",
    "__version__",
    "alignment",
    "attribution",
    "certification",
    "checkpoints",
    "convert",
    "figures",
    "images",
    "load",
    "mesh",
    "networks",
    "objectives",
    "paper",
    "pgd",
    "presets",
    "projections",
    "samples",
    "sampling",
    "smoothed_gradient",
    "smoothed_logits",
    "smoothed_mean",
    "smoothed_probabilities",
    "smoothed_votes",
    "targeted_pgd",
)
# Where each is at home.
if not _typing.TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(
        __name__,
        {
            "CROSS_ENTROPY": "core.objectives",
            "GradientEstimate": "core.gradients",
            "Objective": "core.objectives",
            "Recipe": "core.recipe",
            "TARGET_CLASS_MAX": "core.objectives",
            "TargetedResult": "core.targeted",
            "__version__": "_version",
            "alignment": "alignment",
            "attribution": "alignment.attribution",
            "certification": "certification",
            "checkpoints": "checkpoints",
            "convert": "convert",
            "figures": "figures",
            "images": "io.pictures.images",
            "load": "checkpoints.loading",
            "mesh": "core.mesh",
            "networks": "networks",
            "objectives": "core.objectives",
            "paper": "presets.paper",
            "pgd": "core.pgd",
            "presets": "presets",
            "projections": "core.projections",
            "samples": "io.pictures.samples",
            "sampling": "core.sampling",
            "smoothed_gradient": "core.gradients",
            "smoothed_logits": "core.smoothing",
            "smoothed_mean": "core.smoothing",
            "smoothed_probabilities": "core.smoothing",
            "smoothed_votes": "core.smoothing",
            "targeted_pgd": "core.targeted",
        },
    )
_moved.install()
# Mathematics knows no pictures' files: who draws its results for notebooks is said here, above all.
_shown.paints("TargetedResult", "pagjax.io.pictures.notebooks:sheet_of_result")
