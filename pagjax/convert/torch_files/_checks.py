"""Checks of single values from a file, before anything is done with them."""

from pagjax.convert.torch_files._errors import UnreadableError, brief

# numpy's own limit.
MOST_AXES = 64
LARGEST = 1 << 62


def is_one_of(value: object, *options: str | int) -> bool:
    """Compare a value with what it may be.

    The type comes first: an array compares element by element, and has no truth.

    >>> is_one_of("little", "little", "big"), is_one_of(True, 1)
    (True, False)
    """
    return type(value) in (str, int) and value in options


def count_of(value: object, what: str) -> int:
    """Return a size or offset from a file after checking that it can be one.

    >>> count_of(3, "offset")
    3
    """
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise UnreadableError(f"its {what} is {brief(value)}, not a count")
    return value


def counts_of(values: object, what: str) -> tuple[int, ...]:
    """Return the sizes or strides of a tensor after checking them."""
    if not isinstance(values, tuple | list) or len(values) > MOST_AXES:
        raise UnreadableError(f"its {what} is {brief(values)}, not up to {MOST_AXES} counts")
    return tuple(count_of(value, what) for value in values)
