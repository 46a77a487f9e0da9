"""What goes wrong with a file: errors, checks of single values, and how much it may ask for."""

DOWNLOAD_AGAIN = (
    "It is damaged or incomplete: download it again and compare its size and SHA-256 with the "
    "publisher's"
)
NOT_A_CHECKPOINT = (
    "No network's checkpoint needs this and it would exhaust the machine: do not use the file"
)


class TorchFileError(ValueError):
    """A file cannot be read as a PyTorch checkpoint.

    The message names the file, what was found in it, and what to do about it.

    >>> raise TorchFileError("weights.pt: it is empty. Download it again.")
    Traceback (most recent call last):
    ...
    pagjax.convert.torch_files.errors.TorchFileError: weights.pt: it is empty. Download it again.
    """


class UnreadableError(Exception):
    """What a room of this package found; `read` adds the file's name to it.

    Arguments:
    - found: what is wrong, a clause that starts with "it" or "its".
    - cure: what the owner of the file can do.
    """

    def __init__(self, found: str, cure: str = DOWNLOAD_AGAIN) -> None:
        """Keep both halves of the message apart until the file's name is known."""
        super().__init__(found, cure)
        self.found = found
        self.cure = cure


def brief(value: object) -> str:
    """Describe a value from a file in a few characters, without walking into it.

    >>> brief("x" * 1000)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    >>> brief([1, [2]])
    'a list'
    """
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "...")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if type(value) is int:
        # Python refuses to print integers of several thousand digits.
        return repr(value) if value.bit_length() <= 128 else "an enormous integer"
    return f"a {type(value).__name__}"


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
    pagjax.convert.torch_files.errors.UnreadableError: ('it expands to more than ...
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
