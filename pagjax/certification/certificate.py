"""What certification and prediction return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ABSTAIN = -1


@dataclass(frozen=True)
class Certificate:
    """A prediction and the l2 ball in which it is proven constant.

    Of a batch of images, every field is an array with a leading axis of images.

    Attributes:
        prediction: class index, or `ABSTAIN`.
        radius: l2 length in pixel units of [0, 1]; 0 when abstaining.
        lower_bound: of the predicted class's smoothed probability.
        upper_bound: of every other class's.
        totals: over the estimation draws, shape ``[classes]``: votes (integers) of a hard-smoothed
            classifier, summed probabilities of a soft-smoothed one.
        num_draws: how many estimation draws were made.
    """

    prediction: int
    radius: float
    lower_bound: float
    upper_bound: float
    totals: np.ndarray
    num_draws: int


@dataclass(frozen=True)
class Prediction:
    """What a hard-smoothed classifier is found to predict.

    Of a batch of images, every field is an array with a leading axis of images.

    Attributes:
        prediction: class index, or `ABSTAIN`.
        counts: votes, shape ``[classes]``.
    """

    prediction: int
    counts: np.ndarray
