"""What certification and prediction return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pagjax.wording import shown

ABSTAIN = -1


@dataclass(frozen=True, repr=False)
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
        sound: whether it holds in the arithmetic that computed it, for pictures of whole 8-bit
            levels, see `pagjax.certification.sound`.
    """

    prediction: int
    radius: float
    lower_bound: float
    upper_bound: float
    totals: np.ndarray
    num_draws: int
    sound: bool = False

    def __repr__(self) -> str:
        """Class, radius and bound of each image, at most six of them."""
        return _told("Certificate", self._lines(), np.ndim(self.prediction) > 0)

    def _lines(self) -> list[str]:
        fields = self.prediction, self.radius, self.lower_bound, self.num_draws, self.sound
        rows = zip(*map(np.ravel, np.broadcast_arrays(*fields)), strict=True)
        return [
            f"class {label}, l2 radius {radius:.4g}, probability at least {lower:.4g} "
            f"({draws:,} draws{', sound' if sound else ''})"
            if label != ABSTAIN
            else f"abstains ({draws:,} draws)"
            for label, radius, lower, draws, sound in rows
        ]


@dataclass(frozen=True, repr=False)
class Prediction:
    """What a hard-smoothed classifier is found to predict.

    Of a batch of images, every field is an array with a leading axis of images.

    Attributes:
        prediction: class index, or `ABSTAIN`.
        counts: votes, shape ``[classes]``.
    """

    prediction: int
    counts: np.ndarray

    def __repr__(self) -> str:
        """Class and votes of each image, at most six of them."""
        counts = np.reshape(self.counts, (-1, np.shape(self.counts)[-1]))
        lines = [
            f"class {label}, {votes[label]:,} of {votes.sum():,} votes"
            if label != ABSTAIN
            else f"abstains, at most {votes.max():,} of {votes.sum():,} votes"
            for label, votes in zip(np.ravel(self.prediction), counts, strict=True)
        ]
        return _told("Prediction", lines, np.ndim(self.prediction) > 0)


def _told(name: str, lines: list[str], batched: bool) -> str:
    if not batched:
        return f"{name}({lines[0]})"
    count = f"{len(lines)} image{'s' if len(lines) != 1 else ''}"
    return f"{name} of {count}\n{shown.several(lines)}".rstrip()
