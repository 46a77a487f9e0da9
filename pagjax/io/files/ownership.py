"""Which files of a folder are ours: only those are ever removed or written over.

A file is ours because a record of ours names it, or the list that a job writes into the folder
before it writes anything else. Whatever is in a folder beside them is somebody's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pagjax.io.files import atomic, locks
from pagjax.io.files.errors import RefusedError
from pagjax.io.files.replacing import check_inside, names_in

LIST = ".pagjax.json"
# What systems put into folders by themselves.
_LITTER = {
    ".ds_store", "thumbs.db", "desktop.ini", ".directory", "lost+found", ".localized"
}  # fmt: skip
_NAMED = 3
_CURE = "restore it, or choose another folder"


def check_output(
    folder: Path,
    inputs: Iterable[Path | str] = (),
    *,
    ours: Iterable[str] = (),
    states: Iterable[str] = (),
    maker: str | None = None,
    option: str = "`out`",
    within: bool = False,
) -> None:
    """Refuses a folder of results that is not ours alone; reads only.

    Args:
        folder: where results shall go; it need not exist.
        inputs: files and folders that the job reads.
        ours: names of files in it that records of ours tell of, beside those of `listed`.
        states: patterns of names of what an unfinished job keeps there, such as
            ``.unfinished/batch-*.npz``.
        maker: the command, such as ``pagjax.align``; results of another one are refused.
        option: the argument that named the folder, for messages.
        within: whether it may lie in an input, where whoever searches that leaves results out.

    Raises:
        RefusedError: if it is a file, the root or the home folder, is or holds or lies in an input,
            or holds a file that is not ours; naming it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "thesis.tex").write_text("mine")
        >>> check_output(folder, ours=["record.json"])
        Traceback (most recent call last):
        pagjax.io.files.errors.RefusedError: `out` ... holds thesis.tex, which no result of ...
    """
    told, real = f"{option} {folder}", Path(os.path.realpath(folder))
    if os.path.lexists(folder) and not folder.is_dir():
        raise RefusedError(f"{told} is no folder: choose another")
    if real == Path(real.anchor) or real == Path(os.path.realpath(Path.home())):
        raise RefusedError(f"{told} is {real}: choose a folder of its own for results")
    for given in inputs:
        other = Path(os.path.realpath(given))
        if not other.exists():
            continue
        if other == real or real in other.parents:
            raise RefusedError(
                f"{told} holds {given}, which this command reads: choose another folder"
            )
        if not within and other in real.parents and other.is_dir():
            raise RefusedError(
                f"{told} lies in {given}, which this command reads: choose a folder outside"
            )
    if maker is not None and (other_maker := made_by(folder) or maker) != maker:
        raise RefusedError(f"{told} holds results of {other_maker}: choose another folder")
    if foreign := foreign_files(folder, ours=ours, states=states):
        more = " and others" if len(foreign) > _NAMED else ""
        raise RefusedError(
            f"{told} holds {', '.join(foreign[:_NAMED])}{more}, which no result of pagjax there "
            "tells of: choose another folder, or move them away"
        )


def foreign_files(
    folder: Path, *, ours: Iterable[str] = (), states: Iterable[str] = ()
) -> list[str]:
    """The first few files of a folder that are not ours; see `check_output`."""
    known = {*ours, *listed(folder), LIST, locks.NAME}
    known |= {atomic.writing_name(Path(name)).as_posix() for name in known}
    patterns = tuple(states)
    found: list[str] = []
    for name in names_in(folder):
        if name in known or any(part.lower() in _LITTER for part in Path(name).parts):
            continue
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            continue
        found.append(name)
        if len(found) > _NAMED:
            break
    return found


def listed(folder: Path) -> set[str]:
    """The files that jobs of ours said they would write into a folder.

    Raises:
        RefusedError: if the list was edited so that it cannot be read.
    """
    names = _read_list(folder).get("files", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedError(f"{folder / LIST}: files: expected a list of names: {_CURE}")
    for name in names:
        check_inside(folder, name)
    return set(names)


def made_by(folder: Path) -> str | None:
    """The command whose list of files a folder holds; None where there is none."""
    maker = _read_list(folder).get("made_by")
    return None if maker is None else str(maker)


def _read_list(folder: Path) -> dict[str, Any]:
    path = folder / LIST
    if not path.is_file() or path.is_symlink():
        return {}
    told = atomic.read_json(path, _CURE)
    if not isinstance(told, dict):
        raise RefusedError(f"{path} is no list of files: {_CURE}")
    return told


def claim(
    folder: Path, names: Iterable[str], *, maker: str = "pagjax", ours: Iterable[str] = ()
) -> None:
    """Writes down, before anything else, which files a job is about to write into its folder.

    Args:
        folder: the folder of results, whose lock is held.
        names: what will be written.
        maker: the command, such as ``pagjax.align``.
        ours: what is there already and ours by its records, of versions that kept no list.

    Raises:
        RefusedError: if one of `names` is there and not ours.
    """
    old = listed(folder) | {name for name in ours if os.path.lexists(folder / name)}
    wanted = set(names)
    for name in sorted(wanted):
        check_inside(folder, name)
        if name not in old and os.path.lexists(folder / name):
            raise RefusedError(f"{folder / name} is not of an earlier result: move it away")
    if old | wanted != listed(folder):
        atomic.write_json(folder / LIST, {"made_by": maker, "files": sorted(old | wanted)})
