"""A stretch of a file, read once from front to back and never past its end."""

import struct
from io import BufferedReader, BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from pagjax.convert.torch_files._errors import UnreadableError

# A file opened for reading bytes, or the bytes of a member of an archive.
File = BufferedReader | BytesIO

# No name or number that is written as a line of text is longer than this.
LONGEST_LINE = 1 << 20


class Source:
    """Bytes `start` to `end` of an open file.

    Counts come from the file itself, so each is compared with what is left before memory is
    asked for.

    >>> import io
    >>> source = Source(io.BytesIO(b"abcdef"), 1, 4)
    >>> source.take(2), source.remaining
    (b'bc', 1)
    """

    def __init__(self, file: File, start: int, end: int) -> None:
        """Place the file at `start`; nobody else may move it while the source is in use."""
        file.seek(start)
        self._file = file
        self._read = file.read
        self.remaining = end - start

    def take(self, count: int) -> bytes:
        """Return exactly the next `count` bytes."""
        if count > self.remaining:
            raise UnreadableError(f"it ends {count - self.remaining} bytes too early")
        data = self._read(count)
        if len(data) != count:
            raise UnreadableError("it became shorter while it was read")
        self.remaining -= count
        return data

    def line(self) -> bytes:
        """Return the bytes up to the next newline, which is consumed but left out."""
        data = self._file.readline(min(self.remaining, LONGEST_LINE))
        self.remaining -= len(data)
        if not data.endswith(b"\n"):
            raise UnreadableError("its pickle holds a line of text without an end")
        return data[:-1]

    def integer(self, layout: str) -> int:
        """Return one integer, `layout` being its format for `struct`."""
        (value,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(value)

    def fill(self, memory: npt.NDArray[Any]) -> None:
        """Copy the next bytes into a whole array of bytes."""
        if memory.nbytes > self.remaining:
            raise UnreadableError(f"it ends {memory.nbytes - self.remaining} bytes too early")
        view = memory.data
        filled = 0
        while filled < memory.nbytes:
            count = self._file.readinto(view[filled:])
            if not count:
                raise UnreadableError("it became shorter while it was read")
            filled += count
        self.remaining -= filled


def empty_bytes(count: int) -> npt.NDArray[Any]:
    """Allocate memory for a storage; the caller has checked `count` against the file."""
    return np.empty(count, np.uint8)
