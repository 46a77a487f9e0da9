"""The door of the package: a path in, plain values and arrays out."""

import hashlib
import os
import stat
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from pagjax.convert.torch_files._allowed import Globals
from pagjax.convert.torch_files._errors import TorchFileError, UnreadableError
from pagjax.convert.torch_files._legacy import read_legacy
from pagjax.convert.torch_files._safetensors import read_safetensors
from pagjax.convert.torch_files._sniff import HEAD_BYTES, container_of
from pagjax.convert.torch_files._structure import check_structure
from pagjax.convert.torch_files._tar import read_tar
from pagjax.convert.torch_files._zip import read_zip

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
