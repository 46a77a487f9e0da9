"""Arrays on disk without Orbax, whose threads cannot be killed: an ``.npz`` under Orbax's name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pagjax.checkpoints import arrays, store
from pagjax.training import state_files


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets checkpoints and states be written and read so."""
    monkeypatch.setattr(store, "_write", _write_checkpoint)
    monkeypatch.setattr(state_files, "_write", _write_leaves)
    monkeypatch.setattr(arrays, "opened", _opened)
    monkeypatch.setattr(arrays, "read", lambda folder, found: {n: a.held for n, a in found.items()})


def _write_leaves(folder: Path, leaves: dict[str, np.ndarray]) -> None:
    """Under another name first, as Orbax does."""
    unfinished = folder.with_name(f"{folder.name}.orbax-checkpoint-tmp")
    unfinished.mkdir()
    buffer = io.BytesIO()
    np.savez(buffer, **leaves)
    (unfinished / arrays.MANIFEST).write_bytes(buffer.getvalue())
    unfinished.rename(folder)


def _write_checkpoint(folder: Path, description: Any, values: dict[str, Any]) -> None:
    _write_leaves(folder, {})
    (folder / arrays.MANIFEST).unlink()
    _write_leaves(folder / "variables", store._by_name(values))
    (folder / "description").mkdir()
    (folder / "description" / "metadata").write_text(json.dumps(description.to_json()))


def _opened(folder: Path) -> dict[str, Any]:
    with np.load(folder / arrays.MANIFEST) as file:
        return {
            name: SimpleNamespace(
                shape=file[name].shape,
                dtype=SimpleNamespace(numpy_dtype=file[name].dtype),
                held=file[name],
            )
            for name in file.files
        }
