"""Writes containers around pickles and storages that were made by hand."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.convert.torch_files.assembler import named, pickled

MAGIC = 0x1950A86A20F9469CFC6C


def legacy_bytes(content: Any, storages: dict[str, np.ndarray] | None = None) -> bytes:
    """A stream of PyTorch 0.1.10 to 1.5."""
    storages = storages or {}
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    parts = [pickled(MAGIC), pickled(1001), pickled(system), pickled(content)]
    parts.append(pickled(sorted(storages)))
    for key in sorted(storages):
        parts += [struct.pack("<q", storages[key].size), storages[key].tobytes()]
    return b"".join(parts)


def zip_bytes(
    content: Any,
    storages: dict[str, np.ndarray] | None = None,
    *,
    root: str = "archive/",
    byteorder: str | None = "little",
    compression: int = zipfile.ZIP_STORED,
    others: dict[str, bytes] | None = None,
) -> bytes:
    """An archive of PyTorch 1.6 and later; `content` may be a finished pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        data = content if type(content) is bytes else pickled(content)
        archive.writestr(f"{root}data.pkl", data)
        for key, values in (storages or {}).items():
            archive.writestr(f"{root}data/{key}", values.tobytes())
        if byteorder is not None:
            archive.writestr(f"{root}byteorder", byteorder)
        archive.writestr(f"{root}version", "3\n")
        for name, data in (others or {}).items():
            archive.writestr(name, data)
    return file.getvalue()


def storage_record(key: int, kind: str, values: np.ndarray) -> bytes:
    described = pickled((key, "cpu", named("torch", kind)))
    return described + struct.pack("<q", values.size) + values.tobytes()


def tensor_record(
    key: int, storage: int, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0
) -> bytes:
    described = pickled((key, storage, named("torch", "FloatTensor")))
    axes = len(size)
    numbers = struct.pack(f"<{2 * axes + 1}q", *size, *stride, offset)
    return described + struct.pack("<i", axes) + b"\x07\0\0\0" + numbers


def tar_bytes(
    content: Any,
    storages: list[bytes],
    parts: list[tuple[int, int, int, int]],
    tensors: list[bytes],
    members: dict[str, bytes] | None = None,
) -> bytes:
    """An archive of PyTorch before 0.1.10; `content` may be a finished pickle."""
    system = {"protocol_version": 1000, "little_endian": True, "type_sizes": {"int": 4}}
    made = {
        "sys_info": pickled(system),
        "pickle": content if type(content) is bytes else pickled(content),
        "tensors": pickled(len(tensors)) + b"".join(tensors),
        "storages": pickled(len(storages)) + b"".join(storages) + pickled(parts),
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in (made | (members or {})).items():
            info = tarfile.TarInfo(name)
            # A fraction of a second is what makes tarfile write an extended header.
            info.size, info.mtime = len(data), 1484000000.25
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def written(folder: Path, data: bytes, name: str = "weights.pt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def in_zip(content: Any) -> bytes:
    """A pickle in an archive."""
    return zip_bytes(content)


def in_stream(content: Any) -> bytes:
    """A pickle in a stream."""
    return legacy_bytes(content)


def in_tar(content: Any) -> bytes:
    """A pickle in a tar archive."""
    return tar_bytes(content, [], [], [])


CONTAINERS = [in_zip, in_stream, in_tar]
