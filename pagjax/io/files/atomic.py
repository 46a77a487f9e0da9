"""Files written whole or not at all, and read in bounded memory."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from pagjax.io.files.errors import RefusedError

# Of an ``.npz`` that nothing else is known of: more than any of ours holds.
MOST_BYTES = 4 * 2**30
# NumPy writes headers of less than a hundred bytes; its own reader allows ten thousand.
_MOST_HEADER = 10_000
_UNREADABLE = ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, MemoryError


class Form(NamedTuple):
    """The shape and the type that an array on disk must have; a range stands for what it holds.

    Example:
        >>> form = Form((3, range(1, 10)), "float32")
        >>> form.holds((3, 7), np.dtype("float32")), form.holds((3, 10), np.dtype("float32"))
        (True, False)
    """

    shape: tuple[int | range, ...]
    dtype: str

    def holds(self, shape: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether an array of this shape and type has the form."""
        alike = len(shape) == len(self.shape) and all(
            other in own if isinstance(own, range) else own == other
            for own, other in zip(self.shape, shape, strict=True)
        )
        return alike and dtype == np.dtype(self.dtype)

    def __str__(self) -> str:
        """For messages."""
        sides = [
            f"{side.start} to {side.stop - 1}" if isinstance(side, range) else str(side)
            for side in self.shape
        ]
        return f"({', '.join(sides)}{',' * (len(sides) == 1)}) of {self.dtype}"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes beside the destination, then renames: a kill leaves the old file or the new one.

    Content and name are on the disk when this returns.

    Raises:
        OSError: as the system says, such as of a full disk; nothing half-written stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = writing_name(path)
    try:
        with writing.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        writing.replace(path)
    except OSError:
        with suppress(OSError):
            writing.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def writing_name(path: Path) -> Path:
    """What a file is called until it is whole; of long names the head, told apart by a digest."""
    name = path.name
    if len(os.fsencode(name)) > 240:
        name = f"{name[:50]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    return path.with_name(f".{name}.writing")


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in a folder outlive a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems
        pass
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON for people and programs; numbers that JSON lacks become null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, text.encode() + b"\n")


def read_json(path: Path, cure: str = "restore it") -> Any:
    """Reads JSON.

    Args:
        path: the file.
        cure: what to do about one that was edited or cut off, to end the message.

    Raises:
        RefusedError: naming the file, where it holds no JSON.
        OSError: where it cannot be opened.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        told = str(error).splitlines()[0] or type(error).__name__
        raise RefusedError(f"{path} is no JSON ({told}): {cure}") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an ``.npz``."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def read_arrays(
    path: Path,
    forms: Mapping[str, Form] | None = None,
    *,
    optional: Collection[str] = (),
    cure: str = "restore it, or remove it",
    most_bytes: int = MOST_BYTES,
) -> dict[str, np.ndarray]:
    """Reads an ``.npz`` without unpickling anything, and no array before its header is checked.

    Args:
        path: the file.
        forms: what it must hold, by name; others beside them are refused. None takes anything.
        optional: names in `forms` that may be missing.
        cure: what to do about a file that is refused, to end the message.
        most_bytes: the arrays may take together.

    Raises:
        RefusedError: naming file and array, where it is cut off, edited, too large or of another
            form.
        OSError: where it cannot be opened.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {
                info.filename.removesuffix(".npy"): (info, _header(archive, info))
                for info in archive.infolist()
            }
            _check(headers, forms, optional, most_bytes)
            return {name: _values(archive, *found) for name, found in headers.items()}
    except (
        ValueError,
        EOFError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
    ) as error:
        raise RefusedError(f"{path} cannot be used ({_line(error)}): {cure}") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise RefusedError(f"{path} is cut off or no .npz ({_line(error)}): {cure}") from error


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    offset: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Header:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"{info.filename}: NumPy's format {version}")
        shape, fortran, dtype = read(file, max_header_size=_MOST_HEADER)
        header = _Header(shape, fortran, dtype, file.tell())
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects")
    if header.offset + header.nbytes != info.file_size:
        raise ValueError(f"{info.filename} says {shape} of {dtype}, which is not its size")
    return header


def _check(
    headers: Mapping[str, tuple[zipfile.ZipInfo, _Header]],
    forms: Mapping[str, Form] | None,
    optional: Collection[str],
    most_bytes: int,
) -> None:
    total = sum(header.nbytes for _, header in headers.values())
    if total > most_bytes:
        raise ValueError(f"it claims {total:,} bytes, more than {most_bytes:,}")
    if forms is None:
        return
    for name, form in forms.items():
        if name not in headers:
            if name in optional:
                continue
            raise ValueError(f"no {name} in it")
        header = headers[name][1]
        if not form.holds(header.shape, header.dtype):
            raise ValueError(f"{name} is {header.shape} of {header.dtype}, not {form}")
    if beside := sorted(set(headers) - set(forms)):
        raise ValueError(f"{beside[0]} does not belong in it")


def _values(archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: _Header) -> np.ndarray:
    with archive.open(info) as file:
        file.read(header.offset)
        content = _whole(file, header.nbytes)
    flat = np.frombuffer(content, header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _whole(file: IO[bytes], count: int) -> bytearray:
    """Grows with what is there, not with what is claimed; the archive's checksum is met."""
    content = bytearray()
    while part := file.read(2**20):
        content += part
    if len(content) != count:
        raise ValueError(f"{len(content)} bytes of {count}")
    return content


def digest(*arrays: Any) -> str:
    """SHA-256 over arrays' types, shapes and values, as hex."""
    total = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 over JSON values, as hex; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(_finite(value), sort_keys=True).encode()).hexdigest()


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
