"""The stream that PyTorch 0.1.10 to 1.5 wrote: pickles and raw storages, back to back."""

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._allowed import Globals
from pagjax.convert.torch_files._checks import is_one_of
from pagjax.convert.torch_files._errors import UnreadableError, brief
from pagjax.convert.torch_files._source import File, Source
from pagjax.convert.torch_files._storage_ids import parse_storage_id
from pagjax.convert.torch_files._tensors import Array, Storage
from pagjax.convert.torch_files._unpickle import unpickle

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class _Storages:
    """Storages that the object refers to; their data comes after it."""

    def __init__(self, size: int) -> None:
        self._unclaimed = size
        self.by_key: dict[str, Storage] = {}

    def load(self, identity: object) -> object:
        """Allocate a storage at its first mention, to be filled later."""
        if not isinstance(identity, tuple) or not identity:
            raise UnreadableError(f"its pickle refers to {brief(identity)}, not to a storage")
        if is_one_of(identity[0], "module") and len(identity) == 4:
            # A whole network was pickled: the class comes with its source, which is dropped.
            return identity[1]
        if not is_one_of(identity[0], "storage"):
            raise UnreadableError(f"its pickle refers to a thing called {brief(identity[0])}")
        key, dtype, count, view = described = parse_storage_id(identity)
        storage = self.by_key.get(key)
        if storage is None:
            self._unclaimed -= described.nbytes
            if self._unclaimed < 0:
                raise UnreadableError("its storages claim more bytes than the file holds")
            storage = self.by_key[key] = Storage(dtype, count)
        elements = storage.elements
        if elements.dtype != dtype or elements.size != count:
            raise UnreadableError(f"its storage {brief(key)} is described in two ways")
        return elements if view is None else _part(elements, *view)


def _part(elements: Array, offset: int, count: int) -> Array:
    if offset + count > elements.size:
        raise UnreadableError(
            f"its storage of {elements.size} elements has a part from {offset} to {offset + count}"
        )
    return elements[offset : offset + count]


def read_legacy(file: File, size: int, names: Globals) -> object:
    """Read a whole stream.

    Arguments:
    - file: the open file.
    - size: its size in bytes.
    - names: the allow-list, which collects the names that were skipped.

    Returns: the object, with arrays for tensors.

    Raises `UnreadableError`.
    """
    source, allowance = Source(file, 0, size), Allowance(size)
    if not is_one_of(unpickle(source, allowance, names), MAGIC):
        raise UnreadableError("it does not start with PyTorch's number")
    version = unpickle(source, allowance, names)
    if not is_one_of(version, _PROTOCOL):
        raise UnreadableError(f"it has the unknown version {brief(version)}")
    # Sizes of the writer's integers; its byte order does not matter, storages are little-endian.
    unpickle(source, allowance, names)
    storages = _Storages(size)
    content = unpickle(source, allowance, names, storages.load)
    keys = unpickle(source, allowance, names)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise UnreadableError(f"it lists its storages as {brief(keys)}")
    if len(keys) != len(storages.by_key) or set(keys) != storages.by_key.keys():
        raise UnreadableError("it lists other storages than its tensors use")
    for key in keys:
        _fill(source, storages.by_key[key])
    if source.remaining:
        raise UnreadableError(f"it goes on for {source.remaining} bytes after its last tensor")
    return content


def _fill(source: Source, storage: Storage) -> None:
    count = source.integer("<q")
    if count != storage.elements.size:
        raise UnreadableError(
            f"its storage of {storage.elements.size} elements is stored with {count}"
        )
    source.fill(storage.memory)
    storage.finish()
