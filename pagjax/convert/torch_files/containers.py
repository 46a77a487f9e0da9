"""The containers of today: PyTorch's zip archive, since 1.6, and safetensors.

A safetensors file is a JSON header and raw arrays, nothing to execute.
"""

import io
import json
import math

import numpy as np

from pagjax.convert.torch_files.allowed import Globals
from pagjax.convert.torch_files.errors import (
    NOT_A_CHECKPOINT,
    Allowance,
    UnreadableError,
    brief,
    counts_of,
    is_one_of,
)
from pagjax.convert.torch_files.sources import Archive, File, Source, empty_bytes
from pagjax.convert.torch_files.tensors import SAFETENSORS_DTYPES, Array, Storage, parse_storage_id
from pagjax.convert.torch_files.unpickling import unpickle

_OBJECT = "data.pkl"


class _Storages:
    """Storages of one archive, read when the object first refers to them."""

    def __init__(self, archive: Archive, root: str, byteorder: str) -> None:
        self._archive = archive
        self._root = root
        self._byteorder = byteorder
        self._by_key: dict[str, Storage] = {}

    def load(self, identity: object) -> object:
        """Return the elements of a storage."""
        if not isinstance(identity, tuple) or not identity or not is_one_of(identity[0], "storage"):
            raise UnreadableError(f"its pickle refers to {brief(identity)}, not to a storage")
        described = parse_storage_id(identity)
        storage = self._by_key.get(described.key)
        if storage is None:
            name = f"{self._root}data/{described.key}"
            held = self._archive.size_of(name)
            if held != described.nbytes:
                raise UnreadableError(
                    f"its storage {brief(described.key)} claims {described.nbytes} bytes, "
                    f"but the archive holds {held or 'none'}"
                )
            storage = self._by_key[described.key] = Storage(described.dtype, described.numel)
            self._archive.fill(name, storage.memory)
            storage.finish(self._byteorder)
        if storage.elements.dtype != described.dtype or described.view is not None:
            raise UnreadableError(f"its storage {brief(described.key)} is described in two ways")
        return storage.elements


def _read_member(archive: Archive, name: str) -> bytes:
    memory = empty_bytes(archive.size_of(name) or 0)
    archive.fill(name, memory)
    return memory.tobytes()


def _root_of(archive: Archive) -> str:
    """Return the folder that holds everything, with its slash."""
    roots = [
        name.removesuffix(_OBJECT)
        for name in archive.names
        if name == _OBJECT or name.endswith("/" + _OBJECT)
    ]
    if any(name.rpartition("/")[2] == "constants.pkl" for name in archive.names):
        raise UnreadableError(
            "it is a TorchScript program, not a checkpoint",
            "In PyTorch, load it with torch.jit.load and save its state_dict() with torch.save",
        )
    if len(roots) != 1:
        raise UnreadableError(
            f"it is a zip archive with {len(roots) or 'no'} PyTorch checkpoints in it",
            "Unpack it and give one of the files inside",
        )
    return roots[0]


def _byteorder(archive: Archive, root: str) -> str:
    """Return the order of bytes in numbers; files without a word on it are little-endian."""
    name = f"{root}byteorder"
    size = archive.size_of(name)
    if size is None:
        return "little"
    order = _read_member(archive, name) if size <= len("little") else b""
    if order not in (b"little", b"big"):
        raise UnreadableError("it has an unknown byte order")
    return order.decode()


def read_zip(file: File, size: int, names: Globals) -> object:
    """Read a whole archive.

    Arguments:
    - file: the open file.
    - size: its size in bytes.
    - names: the allow-list, which collects the names that were skipped.

    Returns: the object, with arrays for tensors.

    Raises `UnreadableError`; every member's checksum is compared, whether it is needed or not.
    """
    archive = Archive(file, size)
    root = _root_of(archive)
    storages = _Storages(archive, root, _byteorder(archive, root))
    pickled = _read_member(archive, root + _OBJECT)
    allowance = Allowance(archive.inflated)
    source = Source(io.BytesIO(pickled), 0, len(pickled))
    content = unpickle(source, allowance, names, storages.load)
    archive.check_unread()
    return content


# Some hundred bytes describe a tensor.
_MOST_HEADER_BYTES = 8 << 20
_METADATA = "__metadata__"


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise UnreadableError("its header holds one name twice")
    return made


def _parse_header(data: bytes) -> dict[str, object]:
    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"its header is not JSON ({type(error).__name__})") from error
    if not isinstance(header, dict):
        raise UnreadableError(f"its header is {brief(header)}, not a table of tensors")
    return header


def _parse_metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise UnreadableError("its metadata is not a table of texts")
    return value


def _parse_entry(name: str, entry: object) -> tuple[int, int, np.dtype, tuple[int, ...]]:
    """Return where a tensor starts and ends, its element type and its sizes."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise UnreadableError(f"its tensor {brief(name)} is not described as it should be")
    kind, offsets = entry["dtype"], entry["data_offsets"]
    dtype = SAFETENSORS_DTYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise UnreadableError(
            f"its tensor {brief(name)} has the element type {brief(kind)}",
            "Convert the tensor to a common type and save it again",
        )
    sizes = counts_of(entry["shape"], f"shape of {brief(name)}")
    bounds = counts_of(offsets, f"place of {brief(name)}")
    if not isinstance(entry["shape"], list) or len(bounds) != 2:
        raise UnreadableError(f"its tensor {brief(name)} is not described as it should be")
    nonzero = math.prod(filter(None, sizes))
    if bounds[1] - bounds[0] != math.prod(sizes) * dtype.itemsize or nonzero > 1 << 58:
        raise UnreadableError(
            f"its tensor {brief(name)} of size {sizes[:8]} claims bytes {bounds[0]} to {bounds[1]}"
        )
    return bounds[0], bounds[1], dtype, sizes


def read_safetensors(file: File, size: int) -> tuple[dict[str, Array], dict[str, str]]:
    """Read a whole file.

    Arguments:
    - file: the open file.
    - size: its size in bytes.

    Returns: the tensors by name, in the header's order, and the metadata.

    Raises `UnreadableError`, also where tensors overlap or leave bytes between them.
    """
    source = Source(file, 0, size)
    length = source.integer("<Q")
    if length > source.remaining:
        raise UnreadableError(f"its header claims {length} bytes, more than the file holds")
    if length > _MOST_HEADER_BYTES:
        raise UnreadableError(f"its header claims {length} bytes", NOT_A_CHECKPOINT)
    header = _parse_header(source.take(length))
    metadata = _parse_metadata(header.pop(_METADATA, {}))
    entries = {name: _parse_entry(name, entry) for name, entry in header.items()}
    arrays: dict[str, Array] = {}
    at, held = 0, source.remaining
    # Empty tensors may stand anywhere between the others.
    for name in sorted(entries, key=lambda name: entries[name][:2]):
        start, end, dtype, sizes = entries[name]
        if start != at or end > held:
            raise UnreadableError(
                f"its tensor {brief(name)} lies at bytes {start} to {end} of {held}, "
                f"where byte {at} is next"
            )
        storage = Storage(dtype, (end - start) // dtype.itemsize)
        source.fill(storage.memory)
        storage.finish()
        arrays[name] = storage.elements.reshape(sizes)
        at = end
    if source.remaining:
        raise UnreadableError(f"it goes on for {source.remaining} bytes after its last tensor")
    return {name: arrays[name] for name in header}, metadata
