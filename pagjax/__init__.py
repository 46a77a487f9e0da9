"""pagjax: perceptually-aligned gradients of randomised-smoothed classifiers."""

from pagjax._version import __version__ as __version__
from pagjax.gradients import GradientEstimate as GradientEstimate
from pagjax.gradients import smoothed_gradient as smoothed_gradient
from pagjax.objectives import CROSS_ENTROPY as CROSS_ENTROPY
from pagjax.objectives import TARGET_CLASS_MAX as TARGET_CLASS_MAX
from pagjax.objectives import Objective as Objective
from pagjax.smoothing import smoothed_logits as smoothed_logits
from pagjax.smoothing import smoothed_mean as smoothed_mean
from pagjax.smoothing import smoothed_probabilities as smoothed_probabilities
from pagjax.smoothing import smoothed_votes as smoothed_votes
from pagjax.targeted import TargetedResult as TargetedResult
from pagjax.targeted import targeted_pgd as targeted_pgd
