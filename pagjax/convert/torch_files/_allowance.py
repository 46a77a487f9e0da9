"""How much work and memory one file may ask for."""

from pagjax.convert.torch_files._errors import NOT_A_CHECKPOINT, UnreadableError

# A ResNet-50 with its optimizer takes some 30,000 steps.
STEPS = 3_000_000
# Some three thousand of them.
CONTAINERS = 500_000
# Integers beyond SMALL_INTEGER, floats and tuples can be chosen so that they collide in a
# dictionary, which then takes quadratic time. Old optimizers use addresses as keys, one for
# each parameter.
RARE_KEYS = 10_000
# Arrays may share memory, so together they may be larger than the file, but not without end.
EXPANSION = 16
FREE_BYTES = 64 << 20


class Allowance:
    """Counts down while a file is read, over all its pickles and tensors together.

    Arguments:
    - size: bytes that the file holds, once inflated.

    >>> allowance = Allowance(size=1000)
    >>> allowance.spend_bytes(2**40)
    Traceback (most recent call last):
    ...
    pagjax.convert.torch_files._errors.UnreadableError: ('it expands to more than ...
    """

    def __init__(self, size: int) -> None:
        """Set the limits for a file of this size."""
        self.steps = STEPS
        self.containers = CONTAINERS
        self.rare_keys = RARE_KEYS
        self.bytes = EXPANSION * size + FREE_BYTES

    def spend_steps(self, count: int) -> None:
        """Count steps of the pickle machine, or elements that are copied at one step."""
        self.steps -= count
        if self.steps < 0:
            raise UnreadableError(
                f"its pickle takes more than {STEPS:,} steps to read", NOT_A_CHECKPOINT
            )

    def spend_container(self) -> None:
        """Count one list, tuple, dictionary, set or rebuilt object."""
        self.containers -= 1
        if self.containers < 0:
            raise UnreadableError(
                f"its pickle makes more than {CONTAINERS:,} objects", NOT_A_CHECKPOINT
            )

    def spend_rare_key(self) -> None:
        """Count one dictionary key whose hash the file can choose."""
        self.rare_keys -= 1
        if self.rare_keys < 0:
            raise UnreadableError(
                f"it uses more than {RARE_KEYS:,} numbers or tuples as dictionary keys",
                NOT_A_CHECKPOINT,
            )

    def spend_bytes(self, count: int) -> None:
        """Count the elements of an array, whether or not it shares its memory."""
        self.bytes -= count
        if self.bytes < 0:
            raise UnreadableError(
                f"it expands to more than {EXPANSION} times its size", NOT_A_CHECKPOINT
            )
