"""Checks of lengths, counts and keys."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from pagjax.core.checks.functions import is_concrete
from pagjax.wording.numbers import MOST_SIGMA, UNITS

LARGEST_SIGMA = MOST_SIGMA
"""Noise of twice the box's side leaves nothing of any picture."""

LARGEST_COUNT = 2**31 - 1
"""Draws are numbered by 32-bit integers."""


def check_length(name: str, value: Any, largest: float | None = None) -> None:
    """Refuses an l2 length that cannot be in pixel units of [0, 1].

    Commands use it too, for what they read before any picture.

    Args:
        name: what the message calls it, such as ``"sigma"``.
        value: a number, or an array, checked elementwise; what is traced passes.
        largest: `LARGEST_SIGMA` for noise; for the ball and for steps the `diagonal` of the box, or
            None where the pictures' size is not known, or they are in other units.

    Raises:
        ValueError: for text, booleans, NaN, infinities, negative or too large values.

    Example:
        >>> check_length("sigma", 0.25, LARGEST_SIGMA)
        >>> check_length("sigma", 64, LARGEST_SIGMA)
        Traceback (most recent call last):
        ValueError: sigma = 64: at most 2, in units of [0, 1]; 0.25, not 64 or 25%
    """
    if not is_concrete(value):
        return
    numbers = _numbers(value)
    if numbers is None:
        raise ValueError(f"{name} = {value!r}: must be a number, {UNITS}")
    shown = value if len(numbers) == 1 else next((n for n in numbers if not _fits(n, largest)), 0)
    for number in numbers:
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{name} = {shown}: must be finite and at least 0, {UNITS}")
        if not _fits(number, largest):
            raise ValueError(f"{name} = {shown}: at most {largest:.4g}, {UNITS}")


def diagonal(shape: tuple[int, ...], bounds: tuple[float, float] = (0.0, 1.0)) -> float:
    """The longest l2 distance between two pictures of a shape ``[height, width, channels]``.

    Example:
        >>> round(diagonal((224, 224, 3)), 1)
        388.0
    """
    return (bounds[1] - bounds[0]) * math.sqrt(math.prod(shape))


def largest_sigma(bounds: tuple[float, float] | None) -> float | None:
    """The largest noise level that `check_length` lets pass beside a pixel box, or None without."""
    return None if bounds is None else LARGEST_SIGMA * (bounds[1] - bounds[0])


def check_non_negative(name: str, value: Any, unit: str) -> None:
    """Refuses a known value that is negative or not finite; arrays are checked elementwise."""
    if not is_concrete(value):
        return
    numbers = _numbers(value)
    if numbers is None or not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise ValueError(f"{name} = {value!r}: must be finite and at least 0 ({unit})")


def check_count(name: str, value: Any) -> None:
    """Refuses a count below one (None, a default to be chosen, passes)."""
    if value is None:
        return
    numbers = _numbers(value)
    if numbers is None or len(numbers) != 1 or not numbers[0].is_integer() or numbers[0] < 1:
        raise ValueError(f"{name} = {value!r}: must be a whole number of at least 1")
    if numbers[0] > LARGEST_COUNT:
        raise ValueError(f"{name} = {value}: must be at most {LARGEST_COUNT:,}")


def draws_needed(sigma: Any, num_samples: int, largest: float | None = LARGEST_SIGMA) -> int:
    """The number of network evaluations an estimate takes: one where sigma is known to be 0."""
    check_count("num_samples", num_samples)
    check_length("sigma", sigma, largest)
    return 1 if is_noiseless(sigma) else int(num_samples)


def is_noiseless(sigma: Any) -> bool:
    """Whether a noise level is known to be 0, so that one evaluation says all; traced ones aren't.

    Example:
        >>> is_noiseless(0), is_noiseless(0.25)
        (True, False)
    """
    return is_concrete(sigma) and float(sigma) == 0.0


def as_key(key: Any) -> Array:
    """A typed key, or an array of them; the older keys of 32-bit integers are wrapped.

    Raises:
        TypeError: for a seed or anything else that is no key.

    Example:
        >>> as_key(jax.random.PRNGKey(0)) == jax.random.key(0)
        Array(True, dtype=bool)
        >>> as_key(0)
        Traceback (most recent call last):
        TypeError: key = 0: pass a key, jax.random.key(0)
    """
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        raise TypeError(f"key = {key}: pass a key, jax.random.key({key})")
    if dtype != jnp.uint32 or key.ndim == 0:
        raise TypeError(f"key is a {type(key).__name__}: pass a key, such as jax.random.key(0)")
    try:
        return jax.random.wrap_key_data(jnp.asarray(key))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"key of shape {key.shape}: pass a key, such as jax.random.key(0)"
        ) from error


def _fits(number: float, largest: float | None) -> bool:
    # Half a thousandth more, for a diagonal that somebody rounded.
    return largest is None or number <= largest * 1.0005


def _numbers(value: Any) -> list[float] | None:
    """The value's elements as floats, or None where one is no real number."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        nested = [_numbers(element) for element in value]
        if any(numbers is None for numbers in nested):
            return None
        return [number for numbers in nested if numbers is not None for number in numbers]
    if isinstance(value, bool | complex | str | bytes | None):
        return None
    try:
        return [float(value)]
    except OverflowError:
        return [math.inf]
    except (TypeError, ValueError):
        return None
