"""Which files a comparison makes in its folder, and where it works meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pagjax.comparison.measuring import MEASURED, NUMBERS, PICTURES, SETTINGS
from pagjax.comparison.settings import Comparison
from pagjax.io.files import atomic, ownership, replacing
from pagjax.io.files.errors import RefusedError
from pagjax.io.pictures.images import unique_names
from pagjax.jobs import state

RECORD, TABLE, NEIGHBOURS, NETWORKS = "record.json", "numbers.csv", "neighbours.npz", "networks"
MAKER = "pagjax.align"


def folder_names(networks: Iterable[str]) -> dict[str, str]:
    """A folder for each network, told apart where paths end alike.

    Example:
        >>> folder_names(["a/net", "b/net"])
        {'a/net': 'networks/net', 'b/net': 'networks/net-2'}
    """
    given = list(networks)
    own = unique_names([Path(name).resolve().name for name in given])
    return {name: f"{NETWORKS}/{folder}" for name, folder in zip(given, own, strict=True)}


def names(folders: Iterable[str]) -> set[str]:
    """All files that may be written, of networks with these folders."""
    of_networks = (PICTURES, SETTINGS, NUMBERS, MEASURED)
    made = {f"{folder}/{name}" for folder in folders for name in of_networks}
    return {RECORD, TABLE, NEIGHBOURS, *made}


def ours(folder: Path) -> set[str]:
    """What the records in a folder tell of, where an earlier version kept no list of files."""
    found = replacing.planned(folder / state.NAME)
    if ownership.made_by(folder) is not None:
        return found
    made = [
        path.relative_to(folder).as_posix()
        for path in folder.glob(f"{NETWORKS}/*")
        if any(_is_job(about) for about in (path / SETTINGS, path / state.NAME / "job.json"))
    ]
    with suppress(OSError, ValueError, TypeError):
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if {"starts", "judges", "networks"} <= set(record):
            return found | names(made)
    if not made:
        return found
    return found | (names(made) - {RECORD, TABLE})


def check(asked: Comparison, folder: Path) -> None:
    """Refuses a folder that is not this command's alone, before anything is written there.

    Raises:
        RefusedError: naming what is in the way.
    """
    named = [
        *asked.networks,
        *(asked.judge or ()),
        asked.vanilla_judge,
        asked.data,
        asked.statistics,
    ]
    ownership.check_output(
        folder,
        [name for name in named if name is not None],
        ours=ours(folder),
        states=state.PATTERNS,
        maker=MAKER,
    )


def begin(folder: Path, settings: Mapping[str, Any], made: set[str], *, overwrite: bool) -> Path:
    """Where to work: in the folder itself; beside its results, where those are to be replaced.

    Args:
        folder: of results, whose lock is held.
        settings: all that determines the new results, as JSON values.
        made: what will be written.
        overwrite: whether old results are to be replaced.

    Raises:
        RefusedError: if an unfinished replacement has other settings and `overwrite` is not set.
    """
    own = json.loads(json.dumps(settings))
    beside = folder / state.NAME
    about, result = beside / "job.json", beside / replacing.RESULT
    if replacing.finish(beside) == own:
        overwrite = False  # what was to replace the old results has just done so
    begun = None
    if about.exists():
        with suppress(RefusedError):
            begun = atomic.read_json(about)
        if begun != own and not overwrite:
            raise RefusedError(
                f"{folder} holds an unfinished run with `overwrite`: repeat that command, or pass "
                "`overwrite` to start anew"
            )
    elif not overwrite:
        ownership.claim(folder, made, maker=MAKER, ours=ours(folder))
        return folder
    if begun != own:
        replacing.remove_state(beside)
        atomic.write_json(about, own)
    ownership.claim(result, made, maker=MAKER)
    return result


def end(folder: Path, work: Path, settings: Mapping[str, Any]) -> None:
    """Puts new results in the place of the old ones, where they were made beside them."""
    if work != folder:
        old = ownership.listed(folder) | ours(folder)
        if ownership.made_by(folder) is not None:
            old.add(ownership.LIST)
        replacing.install(work.parent, remove=old, settings=json.loads(json.dumps(settings)))


def _is_job(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return isinstance(found, dict) and {"checkpoint_sha256", "pairs"} <= set(found)
    except (OSError, ValueError):
        return False
