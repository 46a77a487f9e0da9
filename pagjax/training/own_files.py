"""Which files of a folder are a training run's own, and how they are forgotten."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from pagjax.checkpoints import folders
from pagjax.io.files import atomic, locks
from pagjax.io.files.errors import RefusedError
from pagjax.training.settings import Settings, TrainingError

SETTINGS, DATA, CHECKPOINT, EVALUATION = "settings.json", "data.json", "checkpoint", "evaluation"
_MARK = ".pagjax-overwriting.json"
_ORBAX = (
    r"_METADATA|_CHECKPOINT_METADATA|_sharding|commit_success\.txt|manifest\.ocdbt|digest\.json"
    r"|array_metadatas(/process_\d+)?|(ocdbt\.process_\d+/)?(d(/[0-9a-f]{32})?|manifest\.ocdbt)"
    r"|ocdbt\.process_\d+"
)
_FILES = r"(settings\.json|data\.json|metrics\.jsonl|curves\.png|\.pagjax-overwriting\.json)"
_OWN = re.compile(
    rf"\.?{_FILES}(\.writing)?|\.{_FILES}\.writing|\.(checkpoint\.)?(pagjax\.)?lock"
    rf"|state(/\.?step-\d+(\.orbax-checkpoint-tmp[^/]*)?(/({_ORBAX}|\.digest\.json\.writing))?)?"
    r"|state/surveys(/\.?[a-z0-9-]+\.npz(\.writing)?)?"
    r"|evaluation(/(trained|written)(/\.?[a-z0-9-]+\.npz(\.writing)?)?)?"
    r"|(.*/)?(\.DS_Store|Thumbs\.db|desktop\.ini)"
)
_CHECKPOINTS = re.compile(
    r"checkpoint|\.checkpoint\.pagjax-(new|old)|\.checkpoint\.pagjax-new\.orbax-checkpoint-tmp[^/]*"
)


def foreign(folder: Path) -> list[str]:
    """What in a folder is not of a training run, as paths within it."""
    found = []
    for parent, names, files in os.walk(folder):
        here = Path(parent)
        for name in sorted([*names, *files]):
            path = here / name
            within = path.relative_to(folder).as_posix()
            if path.is_dir() and not path.is_symlink() and _CHECKPOINTS.fullmatch(within):
                found += [f"{within}/{other}" for other in folders.foreign(path)]
                names.remove(name)
            elif path.is_symlink() or not _OWN.fullmatch(within):
                found.append(within)
                if name in names:
                    names.remove(name)
    return sorted(found)


def make_room(folder: Path, settings: Settings, *, overwrite: bool) -> None:
    """Forgets the run of a folder that shall be overwritten, once: the same command then goes on.

    Args:
        folder: of the run, whose lock is held.
        settings: of the run that shall be there.
        overwrite: whether what is there may be forgotten.

    Raises:
        TrainingError: if the folder is no training run's, or files of others lie in it.
    """
    mark, others = _read(folder / _MARK), foreign(folder)
    if not (folder / SETTINGS).is_file() and mark is None and _holds_more(folder):
        shown = f" (it holds {', '.join(others[:3])})" if others else ""
        raise TrainingError(f"{folder} is no training run{shown}: choose another `out` for it")
    ours = {"settings": settings.to_json()}
    goes_on = mark is not None and mark.get("settings") == ours["settings"]
    if overwrite and not goes_on and _holds_more(folder):
        mark = {**ours, "cleared": False}
        _refuse(folder, others)
        atomic.write_json(folder / _MARK, mark)
    if mark is not None and mark.get("cleared") is not True:
        _refuse(folder, others)
        _clear(folder)
        atomic.write_json(folder / _MARK, {**ours, "cleared": True})


def forget_mark(folder: Path) -> None:
    """Ends an overwriting: the next one forgets what is there by then."""
    (folder / _MARK).unlink(missing_ok=True)


def _refuse(folder: Path, others: list[str]) -> None:
    if others:
        more = f" and {len(others) - 3} more" if others[3:] else ""
        raise TrainingError(
            f"{folder} holds what is not of a training run ({', '.join(others[:3])}{more}): move "
            "that away, or choose another `out`"
        )


def _holds_more(folder: Path) -> bool:
    """Whether there is anything but the lock, a first file cut short, and what systems leave."""
    begun = {f".{name}.writing" for name in (_MARK, SETTINGS)}
    harmless = {locks.NAME, ".DS_Store", "Thumbs.db", "desktop.ini", *begun}
    return folder.is_dir() and any(entry.name not in harmless for entry in folder.iterdir())


def _clear(folder: Path) -> None:
    for entry in sorted(folder.iterdir()):
        if entry.name in (_MARK, locks.NAME):
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        told = atomic.read_json(path)
    except (OSError, RefusedError):
        return None
    return told if isinstance(told, dict) else None
