"""The door of the package: a path in, plain values and arrays out.

Containers are told apart by their first bytes, and whoever walks through what comes out comes to an
end.
"""

import hashlib
import os
import stat
import struct
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from pagjax.convert.torch_files.allowed import Globals
from pagjax.convert.torch_files.containers import read_safetensors, read_zip
from pagjax.convert.torch_files.errors import (
    DOWNLOAD_AGAIN,
    NOT_A_CHECKPOINT,
    TorchFileError,
    UnreadableError,
)
from pagjax.convert.torch_files.old_containers import read_legacy, read_tar

# Enough for the mark of a tar archive at byte 257.
HEAD_BYTES = 1024

# The number that starts every stream: an instruction, a size, and ten bytes.
_LEGACY = bytes.fromhex("8a0a6cfc9c46f9206aa850192e")
# The same in the text form of the oldest pickles.
_LEGACY_TEXT = b"L119547037146038801333356L\n."

_UNPACK = "Unpack it and give the checkpoint inside"
_FOREIGN: list[tuple[bytes, str, str]] = [
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer, not the file itself",
        "Run git lfs pull",
    ),
    (b"\x1f\x8b", "it is compressed with gzip", _UNPACK),
    (b"BZh", "it is compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ", "it is compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd", _UNPACK),
    (b"7z\xbc\xaf", "it is a 7z archive", _UNPACK),
    (b"Rar!", "it is a RAR archive", _UNPACK),
    (b"PK\x05\x06", "it is an empty zip archive", DOWNLOAD_AGAIN),
    (b"\x89HDF", "it is an HDF5 file, as Keras writes them", "Give a PyTorch checkpoint"),
    (b"\x93NUMPY", "it is a numpy array", "Give a PyTorch checkpoint"),
]


def _text_start(head: bytes) -> bytes:
    """Return the start of a page without byte-order mark and blanks, in lower case."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.replace(b"\0", b"")[2:]
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()


def container_of(head: bytes, size: int) -> str:
    """Return which container a file is: "zip", "legacy", "tar" or "safetensors".

    Arguments:
    - head: its first `HEAD_BYTES` bytes, or all of it.
    - size: its size in bytes.

    Raises `UnreadableError`, which says what the file is instead.

    >>> container_of(b"PK" + bytes([3, 4]), 1000)
    'zip'
    """
    if not size:
        raise UnreadableError("it is empty", "Download it again")
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(_LEGACY_TEXT) or (head[:1] == b"\x80" and _LEGACY in head[:40]):
        return "legacy"
    if head[257:262] == b"ustar" or head.startswith(b"././@PaxHeader"):
        return "tar"
    for start, found, cure in _FOREIGN:
        if head.startswith(start):
            raise UnreadableError(found, cure)
    if head[8:9] == b"{" and struct.unpack_from("<Q", head)[0] < 1 << 40:
        return "safetensors"
    text = _text_start(head)
    if text.startswith(b"<"):
        raise UnreadableError(
            "it is a web page, not a model: the site answered with a warning or an error",
            "Open the link in a browser, download the file itself and compare its size",
        )
    if text.startswith(b"{"):
        raise UnreadableError("it is a JSON text, not a model", "Download the file itself")
    if size < HEAD_BYTES and (_LEGACY.startswith(head[2:]) or b"PK\x03\x04".startswith(head)):
        raise UnreadableError("it is cut off after a few bytes")
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UnreadableError(
            "it is a plain pickle, not written by torch.save",
            "If you trust it, load it with Python's pickle and save its arrays as safetensors",
        )
    raise UnreadableError(
        f"it starts with {head[:8].hex(' ')}, which is no container of PyTorch's",
        "Give a file written by torch.save or by safetensors",
    )


_DEEPEST = 200
_MOST_VALUES = 10_000_000

_CONTAINERS = (dict, list, tuple, set, frozenset)


def check_structure(content: object) -> None:
    """Refuse content that is circular, nested too deep, or endless when written out.

    A container that holds another one twice counts it twice, as a walk would: thirty lists, each
    holding the next one twice, are a billion. Placeholders are not entered.

    Raises `UnreadableError`.

    >>> check_structure({"epoch": 3, "sizes": [(1, 2), (3, 4)]})
    >>> laughs = ["ha"]
    >>> for _ in range(30):
    ...     laughs = [laughs, laughs]
    >>> check_structure(laughs)
    Traceback (most recent call last):
    ...
    pagjax.convert.torch_files.errors.UnreadableError: ('its content expands to more than ...
    """
    # For each finished container by identity: values in it, and levels.
    finished: dict[int, tuple[int, int]] = {}
    entered: set[int] = set()
    stack: list[Any] = [content] if isinstance(content, _CONTAINERS) else []
    while stack:
        value = stack[-1]
        if id(value) in finished:
            stack.pop()
            continue
        inner = _containers_in(value)
        pending = [child for child in inner if id(child) not in finished]
        if pending:
            entered.add(id(value))
            if any(id(child) in entered for child in pending):
                raise UnreadableError("its content contains itself", NOT_A_CHECKPOINT)
            stack += pending
            continue
        stack.pop()
        totals = [finished[id(child)] for child in inner]
        values = len(value) + sum(count for count, _ in totals)
        levels = 1 + max((level for _, level in totals), default=0)
        if values > _MOST_VALUES:
            raise UnreadableError(
                f"its content expands to more than {_MOST_VALUES:,} values", NOT_A_CHECKPOINT
            )
        if levels > _DEEPEST:
            raise UnreadableError(
                f"its content is nested more than {_DEEPEST} levels deep", NOT_A_CHECKPOINT
            )
        finished[id(value)] = values, levels


def _containers_in(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, _CONTAINERS)]


_PICKLED = {"zip": read_zip, "legacy": read_legacy, "tar": read_tar}


@dataclass(frozen=True)
class TorchFile:
    """A PyTorch checkpoint as plain values and arrays.

    Attributes:
    - content: what was saved. Dicts, OrderedDicts, lists, tuples and scalars are themselves;
      tensors, Parameters and buffers are read-only numpy arrays (bfloat16 and the float8 types
      are those of `ml_dtypes`), which share memory where the tensors did; element types are
      numpy's, devices are texts, sizes are tuples; the rest is `Placeholder`s.
    - container: "zip", "legacy", "tar" or "safetensors".
    - sha256: of the whole file, in hexadecimal.
    - skipped: sorted "module.name" of what the file named and this package does not rebuild.
    - metadata: the texts that a safetensors file carries, else empty.
    """

    content: Any
    container: str
    sha256: str
    skipped: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


def read(path: str | os.PathLike[str]) -> TorchFile:
    """Read a PyTorch checkpoint without PyTorch and without running anything in it.

    Every form in which checkpoints were published is read: the zip archive of PyTorch 1.6 and
    later, the stream and the tar archive before it, and safetensors. Names of classes and
    functions in the file are never imported or called. No more memory is used than the file's
    own size accounts for, whatever it claims.

    Arguments:
    - path: the file. Its name does not matter: many a `.pth.tar` is no tar archive.

    Returns: a `TorchFile`.

    Raises `TorchFileError` where there is no such file, where it is no checkpoint (a web page, a
    Git LFS pointer, a compressed archive, a TorchScript program), and where it is damaged, cut
    off, or made to exhaust the machine. The message says which, and what to do.

    >>> import json, pathlib, struct, tempfile
    >>> header = json.dumps({"bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    >>> data = struct.pack("<Q", len(header)) + header.encode() + struct.pack("<2f", 0.5, -1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tiny.safetensors")
    ...     _ = path.write_bytes(data)
    ...     file = read(path)
    >>> file.container, file.content
    ('safetensors', {'bias': array([ 0.5, -1. ], dtype=float32)})
    """
    path = Path(path)
    try:
        # Opening a pipe would wait for its other end.
        _check_kind(path.stat().st_mode)
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{path}: it cannot be opened ({reason}). Check the path and its permissions."
        raise TorchFileError(message) from error
    except UnreadableError as error:
        raise TorchFileError(f"{path}: {error.found}. {error.cure}.") from error


def _check_kind(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnreadableError("it is a folder", "Give the checkpoint inside")
    if not stat.S_ISREG(mode):
        raise UnreadableError("it is not a regular file", "Copy its content to a file first")


def _read(file: BufferedReader) -> TorchFile:
    size = os.fstat(file.fileno()).st_size
    container = container_of(file.read(HEAD_BYTES), size)
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if container == "safetensors":
        arrays, metadata = read_safetensors(file, size)
        return TorchFile(arrays, container, sha256, metadata=metadata)
    names = Globals()
    content = _PICKLED[container](file, size, names)
    check_structure(content)
    return TorchFile(content, container, sha256, tuple(sorted(names.skipped)))
