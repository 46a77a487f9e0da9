"""A checkpoint's folder appears whole or not at all, and only a checkpoint is ever replaced."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pagjax.checkpoints.errors import CheckpointError
from pagjax.io.files import locks, replacing
from pagjax.io.files.errors import RefusedError

_DATA = r"(d(/[0-9a-f]{32})?|manifest\.ocdbt)"
_BESIDE = r"(digest\.json|card\.json|card\.md|predictions\.npz)"
_OWN = re.compile(
    rf"_CHECKPOINT_METADATA|{_BESIDE}|\.{_BESIDE}\.writing|description(/metadata)?"
    r"|variables(/(_METADATA|_sharding|commit_success\.txt|array_metadatas(/process_\d+)?"
    rf"|{_DATA}|ocdbt\.process_\d+(/{_DATA})?))?"
    r"|(.*/)?(\.DS_Store|Thumbs\.db|desktop\.ini)"  # of file managers
)


def foreign(folder: Path) -> list[str]:
    """What in a folder is not of a checkpoint, as paths within it."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(parent, name)
            within = path.relative_to(folder).as_posix()
            if path.is_symlink() or not _OWN.fullmatch(within):
                found.append(within)
    return sorted(found)


def check_destination(path: Path, *, overwrite: bool) -> None:
    """Refuses a destination that exists, unless it is a checkpoint that may be replaced.

    Raises:
        CheckpointError: saying what is there.
    """
    if path.is_symlink() and (overwrite or not path.exists()):
        raise CheckpointError(f"{path} is a link: name the folder itself")
    if not path.exists():
        return
    if not overwrite:
        raise CheckpointError(f"{path} exists: choose another destination or ask to overwrite it")
    if not path.is_dir():
        raise CheckpointError(f"{path} is no checkpoint but a file: choose another destination")
    if not (path / "description" / "metadata").is_file() or not (path / "variables").is_dir():
        raise CheckpointError(
            f"{path} is no pagjax checkpoint: not overwriting it; choose another destination"
        )
    others = foreign(path)
    if others:
        shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if others[3:] else "")
        raise CheckpointError(
            f"{path} holds what is not of a checkpoint ({shown}): move that away, or choose "
            "another destination"
        )


@contextmanager
def replaced(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Gives the path at which to make a folder that will be `path` once it is whole.

    A kill leaves the old folder or the new one, and what the next call removes.

    Args:
        path: absolute.
        overwrite: whether a checkpoint there may be replaced.

    Raises:
        CheckpointError: as `check_destination`, or if another process is writing there.
    """
    check_destination(path, overwrite=overwrite)
    with _held(path):
        _recover(path)
        check_destination(path, overwrite=overwrite)
        try:
            yield replacing.staging(path)
            replacing.replace_folder(path)
        except BaseException:
            with suppress(OSError, RefusedError):
                _recover(path)
            raise


def finish(path: Path) -> None:
    """Finishes a replacement that was killed between its two renames.

    Raises:
        CheckpointError: if another process is at it, or it cannot be done.
    """
    if path.exists() or not replacing.retired(path).exists():
        return
    try:
        with _held(path):
            _recover(path)
    except OSError as error:
        raise CheckpointError(
            f"{path} was being replaced and cannot be finished ({error}): the network is in "
            f"{replacing.retired(path)}"
        ) from error


def _recover(path: Path) -> None:
    replacing.recover(path)
    # Orbax's own name for what it has not finished.
    started = f"{replacing.staging(path).name}.orbax-checkpoint-tmp"
    for entry in path.parent.iterdir():
        if entry.name.startswith(started):
            replacing.remove_folder(entry)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    try:
        with locks.held(path, beside=True):
            yield
    except RefusedError as error:
        raise CheckpointError(str(error)) from error
