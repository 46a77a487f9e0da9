"""Tells containers apart by their first bytes, and says what other files are."""

import struct

from pagjax.convert.torch_files._errors import DOWNLOAD_AGAIN, UnreadableError

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
