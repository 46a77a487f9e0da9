"""Certificates and predictions of smoothed classifiers, and the bounds that they are made of.

Statistics are integers or float64 on the host, quantiles SciPy's. Every certificate is of
independent Gaussian draws; variance-reduced draws are not taken.
"""

from pagjax.certification.bounds import MeanBound as MeanBound
from pagjax.certification.bounds import check_alpha as check_alpha
from pagjax.certification.bounds import clopper_pearson_interval as clopper_pearson_interval
from pagjax.certification.bounds import clopper_pearson_lower as clopper_pearson_lower
from pagjax.certification.bounds import clopper_pearson_upper as clopper_pearson_upper
from pagjax.certification.bounds import empirical_bernstein_margin as empirical_bernstein_margin
from pagjax.certification.bounds import hoeffding_margin as hoeffding_margin
from pagjax.certification.bounds import mean_margins as mean_margins
from pagjax.certification.certificate import ABSTAIN as ABSTAIN
from pagjax.certification.certificate import Certificate as Certificate
from pagjax.certification.certificate import Prediction as Prediction
from pagjax.certification.hard import abstains as abstains
from pagjax.certification.hard import certify as certify
from pagjax.certification.hard import certify_class as certify_class
from pagjax.certification.hard import predict as predict
from pagjax.certification.least import least_draws as least_draws
from pagjax.certification.least import least_soft_draws as least_soft_draws
from pagjax.certification.paired import PairedDifference as PairedDifference
from pagjax.certification.paired import mcnemar_p_value as mcnemar_p_value
from pagjax.certification.paired import paired_difference as paired_difference
from pagjax.certification.paired import tango_interval as tango_interval
from pagjax.certification.radius import certified_radius as certified_radius
from pagjax.certification.radius import smoothed_range as smoothed_range
from pagjax.certification.soft import certify_soft as certify_soft
from pagjax.certification.sound import on_grid as on_grid
from pagjax.certification.staged import check_radii as check_radii
from pagjax.certification.summary import Share as Share
from pagjax.certification.summary import abstention_rate as abstention_rate
from pagjax.certification.summary import average_certified_radius as average_certified_radius
from pagjax.certification.summary import certified_accuracy as certified_accuracy

__all__ = (
    "ABSTAIN",
    "Certificate",
    "MeanBound",
    "PairedDifference",
    "Prediction",
    "Share",
    "abstains",
    "abstention_rate",
    "average_certified_radius",
    "certified_accuracy",
    "certified_radius",
    "certify",
    "certify_class",
    "certify_soft",
    "check_alpha",
    "check_radii",
    "clopper_pearson_interval",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "empirical_bernstein_margin",
    "hoeffding_margin",
    "least_draws",
    "least_soft_draws",
    "mcnemar_p_value",
    "mean_margins",
    "on_grid",
    "paired_difference",
    "predict",
    "smoothed_range",
    "tango_interval",
)
