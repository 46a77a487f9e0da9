"""What was fitted to one class, and its form on disk.

A direction is kept in 8 bits with a scale of its own, which moves it by less than a hundredth of
its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from pagjax.core.class_gaussians import ClassGaussian
from pagjax.io.files.atomic import Form

FIT_ARRAYS = ("mean", "steps", "scales", "rest")
_LEVELS = 127


@dataclass(frozen=True)
class Fit:
    """What was fitted to one class.

    Attributes:
        mean: shape ``[height, width, 3]``, pixels in [0, 1].
        factors: principal directions times standard deviations, shape ``[rank, height, width, 3]``.
        dropped: mean variance of the directions that were not kept, in squared pixel units.
        count: images it was fitted to.
    """

    mean: np.ndarray
    factors: np.ndarray
    dropped: float
    count: int

    def gaussian(self, regulariser: float) -> ClassGaussian:
        """The Gaussian that seeds are drawn from, with so much variance added to every pixel."""
        return ClassGaussian(
            jnp.asarray(self.mean, jnp.float32),
            jnp.asarray(self.factors, jnp.float32),
            jnp.asarray(regulariser, jnp.float32),
        )

    def density(self, regulariser: float) -> ClassGaussian:
        """The Gaussian for densities: directions that were not kept have their mean variance."""
        variances = np.square(self.factors).sum(axis=(1, 2, 3), keepdims=True)
        left = np.sqrt(np.maximum(1 - self.dropped / np.maximum(variances, self.dropped or 1), 0))
        wider = replace(self, factors=self.factors * left)
        return wider.gaussian(regulariser + self.dropped)


def fit_arrays(fit: Fit) -> dict[str, np.ndarray]:
    """A fit as small arrays: the mean in half precision, directions in 8 bits."""
    rank = len(fit.factors)
    largest = np.abs(fit.factors).reshape(rank, fit.mean.size).max(axis=1)
    scales = np.where(largest > 0, largest, 1) / _LEVELS
    steps = np.rint(fit.factors / scales.reshape(-1, 1, 1, 1)).astype(np.int8)
    return {
        "mean": fit.mean.astype(np.float16),
        "steps": steps,
        "scales": scales.astype(np.float32),
        "rest": np.array([fit.dropped, fit.count], np.float64),
    }


def fit_from_arrays(arrays: Mapping[str, np.ndarray], side: int | None = None) -> Fit:
    """What `fit_arrays` made, back.

    Args:
        arrays: by name.
        side: of the fit in pixels, where it is known.

    Raises:
        ValueError: naming the array that is missing, has another form, or is not finite.
    """
    missing = [name for name in FIT_ARRAYS if name not in arrays]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    shape = (side, side, 3) if side is not None else (*arrays["mean"].shape[:2], 3)
    rank = arrays["scales"].size
    forms = {
        "mean": Form(shape, "float16"),
        "scales": Form((rank,), "float32"),
        "steps": Form((rank, *shape), "int8"),
        "rest": Form((2,), "float64"),
    }
    for name, form in forms.items():
        array = arrays[name]
        if not form.holds(array.shape, array.dtype):
            raise ValueError(f"{name} is {array.shape} of {array.dtype}, not {form}")
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{name} is not finite")
    dropped, count = arrays["rest"].tolist()
    if dropped < 0 or not 2 <= count < 2**53 or count != int(count):
        raise ValueError(f"rest {[dropped, count]}: a variance and a count of at least 2")
    # In float64, in which steps times scales are exact: kept twice, a fit has the same bytes.
    scales = arrays["scales"].astype(np.float64).reshape(-1, 1, 1, 1)
    return Fit(
        mean=arrays["mean"].astype(np.float32),
        factors=arrays["steps"].astype(np.float64) * scales,
        dropped=dropped,
        count=int(count),
    )
