"""Which values of a file may be hashed."""

import numpy as np

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._placeholders import Placeholder

# The hashes of text and bytes are salted; small integers cannot be made to collide.
_SMALL_INTEGER = 1 << 20
# Two equal texts are compared to the end each time that one is looked up.
_LONGEST_TEXT = 4096


def _is_scalar(value: object) -> bool:
    if isinstance(value, str | bytes):
        return len(value) <= _LONGEST_TEXT
    return value is None or type(value) in (bool, int, float, complex)


def plain_key(allowance: Allowance, key: object) -> object:
    """Return a key that is cheap to hash, for a dictionary or a set.

    Nested tuples can take exponential time to hash, or more stack than there is, and arrays cannot
    be hashed at all; such keys are wrapped in a placeholder, which is hashed by identity.

    >>> plain_key(Allowance(10), "weight")
    'weight'
    >>> plain_key(Allowance(10), (1, (2, (3,)))).arguments
    ((1, (2, (3,))),)
    """
    if isinstance(key, str | bytes) and len(key) <= _LONGEST_TEXT:
        return key
    if key is None or type(key) is bool or isinstance(key, Placeholder):
        return key
    if type(key) is int and -_SMALL_INTEGER <= key <= _SMALL_INTEGER:
        return key
    allowance.spend_rare_key()
    if _is_scalar(key) or isinstance(key, np.generic):
        return key
    if type(key) is tuple and len(key) <= 16 and all(map(_is_scalar, key)):
        return key
    return Placeholder("builtins", type(key).__name__, (key,))
