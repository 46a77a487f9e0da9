"""The new beside the old, then renames; what a kill left is finished or undone by the next start.

Two ways. A folder that is one thing, such as a checkpoint, is renamed as a whole. Results among
which hidden states and locks live are moved in file by file, from a list on disk that says what is
still to be done.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError

RESULT, PLAN = "result", "install.json"


def staging(path: Path) -> Path:
    """Where the folder that shall replace `path` is made."""
    path = path.absolute()
    return path.with_name(f".{path.name}.pagjax-new")


def retired(path: Path) -> Path:
    """Where the folder that was at `path` is until it is removed."""
    path = path.absolute()
    return path.with_name(f".{path.name}.pagjax-old")


def replace_folder(path: Path) -> None:
    """Puts the folder at ``staging(path)``, now whole, in the place of `path`.

    Whoever calls has made sure that all that `path` holds may go (see
    `pagjax.io.files.ownership`), and holds its lock. A kill leaves the old folder, or what
    `recover` makes the new one.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "net"
        >>> staging(path).mkdir()
        >>> replace_folder(path)
        >>> path.is_dir(), staging(path).exists()
        (True, False)
    """
    new, old = staging(path), retired(path)
    _sync_tree(new)
    if path.exists():
        path.rename(old)
        atomic.sync_folder(path.absolute().parent)
    new.rename(path)
    atomic.sync_folder(path.absolute().parent)
    remove_folder(old)


def recover(path: Path) -> None:
    """Finishes a `replace_folder` that was begun, or undoes what did not come so far."""
    new, old = staging(path), retired(path)
    if old.exists() and not path.exists():
        (new if new.exists() else old).rename(path)
    remove_folder(old)
    remove_folder(new)


def remove_folder(folder: Path) -> None:
    """Removes a hidden folder of ours with all it holds; a link is refused, not followed.

    Raises:
        RefusedError: if it is no folder.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RefusedError(f"{folder} is not the folder that pagjax makes there: move it away")
    if folder.exists():
        shutil.rmtree(folder)


def install(
    state: Path,
    *,
    remove: Iterable[str] = (),
    record: str = "record.json",
    settings: Any = None,
) -> None:
    """Moves ``state/result``, now whole, into the folder that holds `state`, then removes `state`.

    From the moment that the plan is written the next `finish` completes it; until then the old
    results are untouched. The old record goes first and the new one comes last: a folder with a
    record holds one whole result.

    Args:
        state: a hidden folder directly in the folder of results.
        remove: old results of ours, by their names in that folder; new ones may have the same.
        record: the file by which a result is known.
        settings: JSON values that `finish` gives back, to tell whose result it completed.

    Raises:
        RefusedError: for a name that leads out of the folder, or a file in the way that is not
            among `remove`.
    """
    folder, old, new = state.parent, set(remove), set(names_in(state / RESULT))
    for name in sorted(old | new):
        check_inside(folder, name)
    if in_the_way := sorted(name for name in new - old if os.path.lexists(folder / name)):
        raise RefusedError(f"{folder / in_the_way[0]} is not of an earlier result: move it away")
    _sync_tree(state / RESULT)
    plan = {"remove": sorted(old - new), "move": sorted(new - {record}), "record": record}
    atomic.write_json(state / PLAN, plan | {"settings": settings})
    finish(state)


def finish(state: Path) -> Any:
    """Completes an `install` that a kill left halfway; does nothing where none was begun.

    Returns:
        The settings of what was completed; None where nothing was.

    Raises:
        RefusedError: if the plan was edited.
    """
    if not (state / PLAN).exists() or state.is_symlink():
        with suppress(OSError):
            state.rmdir()  # of an end that came as far as that
        return None
    plan, (folder, result) = _read_plan(state), (state.parent, state / RESULT)
    if (result / plan.record).exists():  # it is moved last
        (folder / plan.record).unlink(missing_ok=True)
        for name in plan.remove:
            (folder / name).unlink(missing_ok=True)
        for name in plan.move:
            if (result / name).exists():
                _move(result / name, folder / name)
        _move(result / plan.record, folder / plan.record)
    prune(folder, plan.remove)
    remove_state(state)
    return plan.settings


def planned(state: Path) -> set[str]:
    """Files of ours while an `install` is under way: old ones and new ones.

    Raises:
        RefusedError: if the plan was edited.
    """
    if not (state / PLAN).exists() or state.is_symlink():
        return set()
    plan = _read_plan(state)
    return {*plan.remove, *plan.move, plan.record}


def remove_state(state: Path, last: str = "job.json") -> None:
    """Removes a hidden folder of ours so that at every moment what is left says whose it is."""
    if state.is_symlink() or (state.exists() and not state.is_dir()):
        raise RefusedError(f"{state} is not the folder that pagjax makes there: move it away")
    if not state.exists():
        return
    for path in sorted(state.iterdir(), key=lambda path: (path.name in (last, PLAN), path.name)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != PLAN:
            path.unlink()
    (state / PLAN).unlink(missing_ok=True)
    state.rmdir()


def prune(folder: Path, names: Iterable[str]) -> None:
    """Removes the folders, now empty, that held files of these names."""
    parents = {parent for name in names for parent in PurePosixPath(name).parents if parent.name}
    for parent in sorted(parents, key=lambda parent: len(parent.parts), reverse=True):
        with suppress(OSError):  # what is not empty stays
            (folder / parent).rmdir()


def names_in(folder: Path) -> Iterator[str]:
    """Files in a folder and the folders in it, such as ``images/a.png``; a link is one of them."""
    for found, folders, files in os.walk(folder):
        here = Path(found)
        folders.sort()
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield (here / name).relative_to(folder).as_posix()


def check_inside(folder: Path, name: str) -> None:
    """Refuses a name that leads out of its folder, by dots or links.

    Raises:
        RefusedError: naming it.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise RefusedError(f"{name!r} is no name of a file in {folder}")
    root, parent = os.path.realpath(folder), os.path.realpath((folder / path).parent)
    if os.path.commonpath([root, parent]) != root:
        raise RefusedError(f"{folder / path} leads out of {folder}")


class _Plan(NamedTuple):
    remove: list[str]
    move: list[str]
    record: str
    settings: Any


def _read_plan(state: Path) -> _Plan:
    cure = f"remove {state}"
    read = atomic.read_json(state / PLAN, cure)
    try:
        plan = _Plan(list(read["remove"]), list(read["move"]), read["record"], read.get("settings"))
        for name in (*plan.remove, *plan.move, plan.record):
            check_inside(state.parent, name)
    except (KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"{state / PLAN} was edited ({error!r}): {cure}") from error
    return plan


def _move(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    source.replace(destination)
    atomic.sync_folder(destination.parent)


def _sync_tree(folder: Path) -> None:
    """Puts on the disk what others wrote there."""
    for found, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # some systems sync only what is open for writing
                descriptor = os.open(os.path.join(found, name), os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        atomic.sync_folder(Path(found))
