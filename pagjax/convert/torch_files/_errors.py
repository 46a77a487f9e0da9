"""What goes wrong with a file, said so that its owner can act on it."""

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
    pagjax.convert.torch_files._errors.TorchFileError: weights.pt: it is empty. Download it again.
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
