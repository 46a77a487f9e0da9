"""Finished classes of an unfinished fit, and its last step: saved, then tidied up."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError
from pagjax.seeds.fits import Fit, fit_arrays, fit_from_arrays
from pagjax.seeds.store import most_bytes

_SETTINGS = "settings.json"
_OWN = re.compile(r"\.?(settings\.json|class-\d{5}\.npz)(\.writing)?|\.DS_Store|Thumbs\.db")


class Unfinished:
    """A folder with a file per finished class, of a fit with some settings."""

    def __init__(self, folder: Path, settings: Sequence[Any]) -> None:
        """Takes up what the folder holds if it is of these settings, else empties it.

        Raises:
            RefusedError: if it holds files that no fit of ours made.
        """
        self.folder = folder
        self.settings = json.loads(json.dumps(list(settings)))
        if _read(folder / _SETTINGS) != self.settings:
            remove(folder)
            atomic.write_json(folder / _SETTINGS, self.settings)

    def read(self, index: int) -> Fit | None:
        """A finished class, or None.

        Raises:
            RefusedError: naming the file, if it was edited or cut off.
        """
        path = self._path(index)
        if not path.exists():
            return None
        arrays = atomic.read_arrays(path, most_bytes=most_bytes(path), cure="remove it")
        try:
            return fit_from_arrays(arrays)
        except (KeyError, ValueError) as error:
            raise RefusedError(f"{path}: {error}: remove it") from error

    def write(self, index: int, fit: Fit) -> None:
        """Keeps a class, in the form in which it is saved in the end."""
        atomic.write_arrays(self._path(index), fit_arrays(fit))

    def clear(self) -> None:
        """Removes the folder."""
        remove(self.folder)

    def save(self, path: Path, content: bytes) -> None:
        """Writes the result and removes the folder; `was_saved` tells if a kill comes between."""
        told = {"sha256": hashlib.sha256(content).hexdigest(), "settings": self.settings}
        atomic.write_json(_mark(path), told)
        atomic.write_bytes(path, content)
        self.clear()
        forget(path)

    def _path(self, index: int) -> Path:
        return self.folder / f"class-{index:05d}.npz"


def folder_of(path: Path) -> Path:
    """Where the finished classes of a result wait."""
    return path.with_name(f".{path.name}.unfinished")


def was_saved(path: Path) -> Sequence[Any] | None:
    """Tidies up after a kill that came once a result was saved; `forget` is the end of it.

    Returns:
        The settings of that fit; None where there is nothing to tidy up.
    """
    told = _read(_mark(path))
    if isinstance(told, dict) and path.is_file() and told.get("sha256") == _digest(path):
        remove(folder_of(path))
        settings: Sequence[Any] | None = told.get("settings")
        return settings
    forget(path)
    return None


def forget(path: Path) -> None:
    """Removes the note that a result was saved."""
    _mark(path).unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Removes a folder of finished classes, the settings last; all in it must be ours.

    Raises:
        RefusedError: naming what is not.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RefusedError(f"{folder} is not the folder that pagjax makes there: move it away")
    if not folder.exists():
        return
    entries = sorted(folder.iterdir(), key=lambda path: (path.name == _SETTINGS, path.name))
    for entry in entries:
        if not _OWN.fullmatch(entry.name) or not entry.is_file() or entry.is_symlink():
            raise RefusedError(f"{entry} is in the way, and not pagjax's: move it away")
    for entry in entries:
        entry.unlink()
    folder.rmdir()


def _mark(path: Path) -> Path:
    return path.with_name(f".{path.name}.saved")


def _read(path: Path) -> Any:
    """What a small JSON file says; None where there is none, or it was edited."""
    try:
        return atomic.read_json(path) if path.stat().st_size < 2**28 else None
    except (OSError, RefusedError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
