"""Finished classes of an unfinished fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pagjax.class_statistics.store import Fit, fit_arrays, fit_from_arrays
from pagjax.runs import files


class Unfinished:
    """A folder with a file per finished class, of a fit with some settings."""

    def __init__(self, folder: Path, settings: Sequence[Any]) -> None:
        """Takes up what the folder holds if it is of these settings, else empties it."""
        self.folder = folder
        about = folder / "settings.json"
        if not about.exists() or json.loads(about.read_text(encoding="utf-8")) != settings:
            shutil.rmtree(folder, ignore_errors=True)
            files.write_json(about, settings)

    def read(self, index: int) -> Fit | None:
        """A finished class, or None."""
        path = self._path(index)
        return fit_from_arrays(files.read_arrays(path)) if path.exists() else None

    def write(self, index: int, fit: Fit) -> None:
        """Keeps a class, in the form in which it is saved in the end."""
        files.write_arrays(self._path(index), fit_arrays(fit))

    def clear(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)

    def _path(self, index: int) -> Path:
        return self.folder / f"class-{index:05d}.npz"
