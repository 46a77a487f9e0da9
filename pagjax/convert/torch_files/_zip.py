"""The zip archive that PyTorch writes since 1.6."""

import io

from pagjax.convert.torch_files._allowance import Allowance
from pagjax.convert.torch_files._allowed import Globals
from pagjax.convert.torch_files._archive import Archive
from pagjax.convert.torch_files._checks import is_one_of
from pagjax.convert.torch_files._errors import UnreadableError, brief
from pagjax.convert.torch_files._source import File, Source, empty_bytes
from pagjax.convert.torch_files._storage_ids import parse_storage_id
from pagjax.convert.torch_files._tensors import Storage
from pagjax.convert.torch_files._unpickle import unpickle

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
