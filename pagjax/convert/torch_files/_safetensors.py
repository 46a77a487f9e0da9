"""The safetensors container: a JSON header and raw arrays, nothing to execute."""

import json
import math

import numpy as np

from pagjax.convert.torch_files._checks import counts_of
from pagjax.convert.torch_files._dtypes import SAFETENSORS_DTYPES
from pagjax.convert.torch_files._errors import NOT_A_CHECKPOINT, UnreadableError, brief
from pagjax.convert.torch_files._source import File, Source
from pagjax.convert.torch_files._tensors import Array, Storage

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
