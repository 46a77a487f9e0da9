"""What lies in a folder for people; hidden and system files are nobody's class or picture."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from pagjax.io.files.errors import ImageError

SUFFIXES = frozenset(
    ".bmp .dib .gif .j2k .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()  # noqa: SIM905, E501
)
_SYSTEM = frozenset(
    (
        "$recycle.bin",
        "#recycle",
        "@eadir",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "system volume information",
        "thumbs.db",
    )
)


def hidden(name: str) -> bool:
    """Whether a file or folder of this name was made by a system, not by its user.

    Example:
        >>> [hidden(name) for name in ("._cat.jpg", "__MACOSX", "Thumbs.db", "cat.jpg")]
        [True, True, True, False]
    """
    return name.startswith(".") or name.casefold() in _SYSTEM


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder in order of name, links to folders included.

    Raises:
        ImageError: if the folder cannot be read.
    """
    return [Path(entry.path) for entry in _entries(folder) if _is_folder(entry)]


def pictures(folder: Path, *, deep: bool = True) -> list[Path]:
    """The picture files in a folder by suffix, at every depth, in order of path.

    Links to files are followed. Links to folders inside are not: one that leads upwards would
    bring other classes' pictures, or never end. Results of this package in a folder inside are left
    out, so that a search that found starting images finds the same ones again.

    Raises:
        ImageError: if a folder cannot be read.
    """
    files, waiting = [], [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting += [Path(entry.path)] if deep and not _is_result(Path(entry.path)) else []
            elif Path(entry.name).suffix.lower() in SUFFIXES and not _is_folder(entry):
                files.append(Path(entry.path))
    return sorted(files)


def other_suffixes(folder: Path) -> Counter[str]:
    """How many files of which suffix directly in a folder are pictures of kinds not read here."""
    names = [Path(entry.name).suffix.lower() for entry in _entries(folder)]
    return Counter(name for name in names if name in _UNREAD)


_UNREAD = frozenset(
    ".arw .avif .cr2 .dng .exr .hdr .heic .heif .jxl .nef .npy .npz .pdf .psd .raw .svg .tga".split()  # noqa: SIM905, E501
)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if not hidden(e.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise ImageError(f"{folder}: cannot be listed ({error.strerror})") from error


def _is_result(folder: Path) -> bool:
    """Whether a command of ours wrote it: by its list of files, or a record beside arrays."""
    beside = (folder / name for name in ("record.json", "arrays.npz"))
    return (folder / ".pagjax.json").is_file() or all(file.is_file() for file in beside)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads in a circle
