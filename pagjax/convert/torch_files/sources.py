"""Where bytes come from: a stretch of a file, and the members of a zip archive.

A stretch is read once from front to back and never past its end; members are read in bounded
memory and compared with their checksums.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from pagjax.convert.torch_files.errors import NOT_A_CHECKPOINT, UnreadableError

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


_CHUNK = 1 << 20
_MOST_DIRECTORY_BYTES = 4 << 20
# Weights hardly shrink at all; a file of zeros shrinks a thousandfold.
_MOST_INFLATION = 16
_FREE_BYTES = 64 << 20
# The end record, a zip64 locator and record in front of it, and the longest comment.
_END, _LOCATOR, _END64, _COMMENT = 22, 20, 56, 65535


@contextmanager
def _damage() -> Iterator[None]:
    """Turn what `zipfile` says about a damaged archive into our own error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise UnreadableError(f"its zip archive is broken ({error!s:.200})") from error


def _check_directory_size(file: File, size: int) -> None:
    """Refuse a list of members that would fill the memory; `zipfile` reads it all at once."""
    length = min(size, _COMMENT + _END + _LOCATOR + _END64)
    file.seek(size - length)
    tail = file.read(length)
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + _END > length:
        raise UnreadableError("its zip archive has no end: the download stopped too early")
    (listed,) = struct.unpack_from("<I", tail, end + 12)
    record = end - _LOCATOR - _END64
    if record >= 0 and tail[record : record + 4] == b"PK\6\6":
        (listed,) = struct.unpack_from("<Q", tail, record + 40)
    if listed > _MOST_DIRECTORY_BYTES:
        raise UnreadableError(
            f"its zip archive claims a list of members of {listed} bytes", NOT_A_CHECKPOINT
        )


class Archive:
    """A zip archive whose claims have been checked against its size.

    Arguments:
    - file: the open file.
    - size: its size in bytes.

    Raises `UnreadableError` for damage, encryption, other compressions than deflate, and
    members that overlap or would inflate beyond measure.
    """

    def __init__(self, file: File, size: int) -> None:
        """Read the list of members, none of the members."""
        _check_directory_size(file, size)
        with _damage():
            self._zip = zipfile.ZipFile(file)
        self._members = {info.filename: info for info in self._zip.infolist()}
        self._unread = set(self._members)
        if len(self._members) != len(self._zip.infolist()):
            raise UnreadableError("its zip archive holds two members of one name")
        for info in self._members.values():
            _check_member(info)
        if sum(info.compress_size for info in self._members.values()) > size:
            raise UnreadableError("its zip archive has members that overlap", NOT_A_CHECKPOINT)
        self.inflated = sum(info.file_size for info in self._members.values())
        if self.inflated > _MOST_INFLATION * size + _FREE_BYTES:
            raise UnreadableError(
                f"its zip archive of {size} bytes would inflate to {self.inflated}",
                NOT_A_CHECKPOINT,
            )

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return list(self._members)

    def size_of(self, name: str) -> int | None:
        """Return a member's inflated size, or None where there is no such member."""
        info = self._members.get(name)
        return None if info is None else info.file_size

    def fill(self, name: str, memory: npt.NDArray[Any]) -> None:
        """Inflate a member into an array of exactly its size.

        `zipfile` compares the checksum when the last byte is read.
        """
        with _damage(), self._zip.open(self._members[name]) as member:
            at = 0
            while at < memory.nbytes:
                data = member.read(min(_CHUNK, memory.nbytes - at))
                if not data:
                    raise UnreadableError(f"its zip member {name!r} is cut short")
                memory[at : at + len(data)] = np.frombuffer(data, np.uint8)
                at += len(data)
        self._unread.discard(name)

    def check_unread(self) -> None:
        """Compare the checksums of the members that nobody has read."""
        for name in sorted(self._unread):
            with _damage(), self._zip.open(self._members[name]) as member:
                while member.read(_CHUNK):
                    pass


def _check_member(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 1:
        raise UnreadableError("its zip archive is encrypted", "Unpack it and save it again")
    if info.compress_type == zipfile.ZIP_STORED:
        right = info.file_size == info.compress_size
    elif info.compress_type == zipfile.ZIP_DEFLATED:
        # Deflate shrinks at most 1032-fold.
        right = info.file_size <= 1032 * info.compress_size + 1032
    else:
        raise UnreadableError(
            f"its zip archive uses the compression {info.compress_type}",
            "Unpack it and pack it again without compression",
        )
    if not right:
        raise UnreadableError(
            f"its zip archive claims {info.file_size} bytes from {info.compress_size}"
        )
