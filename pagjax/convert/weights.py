"""Which tensors are a network's weights: finite floating-point numbers, variances not negative."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import StateDict

_SHOWN = 5


def check(state: StateDict) -> None:
    """Refuses a state dict whose tensors cannot be weights.

    Args:
        state: one network's tensors by name, without counters.

    Raises:
        CheckpointError: for integer, boolean, complex and 8-bit floating-point tensors, for empty
            ones, for NaN and infinity (in float32, in which networks run), and for a negative
            ``running_var``; by name.

    Example:
        >>> import numpy as np
        >>> check({"conv1.weight": np.zeros((8, 3, 3, 3), np.int8)})
        Traceback (most recent call last):
        ...
        pagjax.checkpoints.errors.CheckpointError: only floating-point ... conv1.weight (int8); ...
    """
    integer = [f"{key} ({value.dtype})" for key, value in state.items() if not _is_floating(value)]
    if integer:
        raise CheckpointError(
            f"only floating-point tensors are weights, and these are not: {_some(integer)}; of a "
            "quantised network, save the floating-point one that it was made from"
        )
    empty = [f"{key} {value.shape}" for key, value in state.items() if value.size == 0]
    if empty:
        raise CheckpointError(f"tensors without a single number: {_some(empty)}")
    broken = [key for key, value in state.items() if not _is_finite(value)]
    if broken:
        raise CheckpointError(
            f"weights that are NaN or infinite in float32: {_some(broken)}; the training "
            "diverged or the file is damaged"
        )
    negative = [
        f"{key} (least {float(value.min()):.3g})"
        for key, value in state.items()
        if key.endswith("running_var") and float(value.min()) < 0
    ]
    if negative:
        raise CheckpointError(f"variances below zero: {_some(negative)}; the file is damaged")


def _is_floating(tensor: np.ndarray) -> bool:
    return bool(jnp.issubdtype(tensor.dtype, jnp.floating)) and tensor.dtype.itemsize >= 2


def _is_finite(tensor: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(tensor.astype(np.float32)).all())


def _some(entries: list[str]) -> str:
    """The first few of many, in one line."""
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return ", ".join(entries[:_SHOWN]) + more
