"""The containers of before PyTorch 1.6.

The stream of 0.1.10 to 1.5 is pickles and raw storages, back to back. The tar archive before it is
that of the first torchvision networks. Python's `tarfile` follows links, sparse files and headers
of any length; four flat members need none of it, so their headers are read here.
"""

from pagjax.convert.torch_files.allowed import Globals
from pagjax.convert.torch_files.errors import (
    MOST_AXES,
    Allowance,
    UnreadableError,
    brief,
    count_of,
    is_one_of,
)
from pagjax.convert.torch_files.sources import File, Source
from pagjax.convert.torch_files.tensors import (
    Array,
    Storage,
    lay_tensor,
    parse_storage_id,
    storage_dtype,
)
from pagjax.convert.torch_files.unpickling import unpickle

MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_PROTOCOL = 1001


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
    if not is_one_of(version, _STREAM_PROTOCOL):
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


_BLOCK = 512
_MEMBERS = frozenset({"sys_info", "pickle", "tensors", "storages"})
_TAR_PROTOCOL = 1000
_UNPACK = "Unpack it and give the checkpoint inside"


def _number(field: bytes) -> int:
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise UnreadableError("its tar header holds no number where a size should be") from None


def _find_members(file: File, size: int) -> dict[str, tuple[int, int]]:
    """Return where each member starts and ends."""
    members: dict[str, tuple[int, int]] = {}
    at = 0
    while at + _BLOCK <= size:
        file.seek(at)
        header = file.read(_BLOCK)
        if not header.strip(b"\0"):
            break
        blanked = header[:148] + b" " * 8 + header[156:]
        if sum(blanked) != _number(header[148:156]):
            raise UnreadableError("its tar header does not match its checksum")
        name = header[:100].rstrip(b"\0").decode("latin-1")
        start, length, kind = at + _BLOCK, _number(header[124:136]), header[156:157]
        if length < 0 or start + length > size:
            raise UnreadableError(f"its tar member {brief(name)} is cut short")
        # Anything else, such as extended headers with times of change, is of no use here.
        if kind in (b"0", b"\0"):
            if name not in _MEMBERS or name in members:
                raise UnreadableError(f"it is a tar archive that holds {brief(name)}", _UNPACK)
            members[name] = (start, start + length)
        at = start + -(-length // _BLOCK) * _BLOCK
    if missing := _MEMBERS - members.keys():
        raise UnreadableError(f"it is a tar archive without {', '.join(sorted(missing))}", _UNPACK)
    return members


class _Reader:
    """The tensors of one archive, by the numbers that its members refer to them with."""

    def __init__(self, allowance: Allowance, names: Globals) -> None:
        self.allowance = allowance
        self.names = names
        self.storages: dict[int, Array] = {}
        self.tensors: dict[int, Array] = {}

    def _pickle(self, source: Source) -> object:
        return unpickle(source, self.allowance, self.names)

    def _entries(self, source: Source) -> int:
        count = count_of(self._pickle(source), "number of tensors")
        if count > source.remaining:
            raise UnreadableError(f"it claims {count} tensors, more than it holds")
        return count

    def _triple(self, source: Source) -> tuple[object, object, object]:
        match self._pickle(source):
            case (first, second, third):
                return first, second, third
        raise UnreadableError("its tensor is not described by three values")

    def read_storages(self, source: Source) -> None:
        """Read all memory, then the parts of it that are storages of their own."""
        for _ in range(self._entries(source)):
            key, _, kind = self._triple(source)
            dtype, count = storage_dtype(kind), source.integer("<q")
            if not 0 <= count <= source.remaining // dtype.itemsize:
                raise UnreadableError(f"its storage claims {count} elements, more than it holds")
            storage = Storage(dtype, count)
            source.fill(storage.memory)
            storage.finish()
            _add(self.storages, key, storage.elements)
        parts = self._pickle(source)
        if not isinstance(parts, list):
            raise UnreadableError(f"it lists parts of storages as {brief(parts)}")
        for part in parts:
            if not isinstance(part, tuple) or len(part) != 4:
                raise UnreadableError(f"its part of a storage is {brief(part)}")
            key, root, offset, count = part
            start = count_of(offset, "storage offset")
            end = start + count_of(count, "storage size")
            whole = _get(self.storages, root, "storage")
            if end > whole.size:
                raise UnreadableError(
                    f"its storage of {whole.size} elements has a part from {start} to {end}"
                )
            _add(self.storages, key, whole[start:end])

    def read_tensors(self, source: Source) -> None:
        """Lay the tensors over the storages."""
        for _ in range(self._entries(source)):
            key, storage, _ = self._triple(source)
            axes = source.integer("<i")
            if not 0 <= axes <= MOST_AXES:
                raise UnreadableError(f"its tensor has {axes} axes")
            # The number of axes was once written in eight bytes; the last four hold anything.
            source.take(4)
            sizes = [source.integer("<q") for _ in range(axes)]
            strides = [source.integer("<q") for _ in range(axes)]
            offset = source.integer("<q")
            elements = _get(self.storages, storage, "storage")
            tensor = lay_tensor(self.allowance, elements, offset, sizes, strides)
            _add(self.tensors, key, tensor)

    def load(self, identity: object) -> object:
        """Return a tensor, or the class where a whole network was pickled."""
        if isinstance(identity, tuple) and identity:
            return identity[0]
        if isinstance(identity, str) and len(identity) <= 20 and identity.isdecimal():
            identity = int(identity)
        return _get(self.tensors, identity, "tensor")


def _add(table: dict[int, Array], key: object, value: Array) -> None:
    if type(key) is not int or key.bit_length() > 64 or key in table:
        raise UnreadableError(f"its tensor is called {brief(key)}")
    table[key] = value


def _get(table: dict[int, Array], key: object, what: str) -> Array:
    if type(key) is not int or key not in table:
        raise UnreadableError(f"it refers to the {what} {brief(key)}, which it does not hold")
    return table[key]


def read_tar(file: File, size: int, names: Globals) -> object:
    """Read a whole archive.

    Arguments:
    - file: the open file.
    - size: its size in bytes.
    - names: the allow-list, which collects the names that were skipped.

    Returns: the object, with arrays for tensors.

    Raises `UnreadableError`.
    """
    members = _find_members(file, size)
    reader = _Reader(Allowance(size), names)
    system = unpickle(Source(file, *members["sys_info"]), reader.allowance, names)
    version = system.get("protocol_version") if isinstance(system, dict) else None
    if not is_one_of(version, _TAR_PROTOCOL):
        raise UnreadableError(f"it has the unknown version {brief(version)}")
    reader.read_storages(Source(file, *members["storages"]))
    reader.read_tensors(Source(file, *members["tensors"]))
    return unpickle(Source(file, *members["pickle"]), reader.allowance, names, reader.load)
