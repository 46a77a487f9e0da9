"""Which files are made in the folder of figures."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pagjax.figures.recipes import Figure
from pagjax.io.files import ownership, replacing
from pagjax.io.pictures import samples
from pagjax.jobs import state

PAGE, TITLE = "index.html", "Perceptually-aligned gradients, figure by figure"
BLIND_PAGE, BLIND_RECORD, BLIND_TABLE = "blind.html", "blind.json", "blind.csv"
BLIND = frozenset({BLIND_PAGE, BLIND_RECORD, BLIND_TABLE})
WAYS = 3
MAKER = "pagjax.figures"
_PANEL = f"panels/{'[0-9a-f]' * 16}"
# Panels are named by all that determines them, and may be copied between folders.
_STATES = (f"{_PANEL}.npz", "panels/.????????????????.npz.writing")


def figure(number: int) -> str:
    """The folder of a figure."""
    return f"figure-{number:02d}"


def names_of_figure() -> set[str]:
    """What is in the folder of a figure."""
    ways = {f"ways/{number}.png" for number in range(1, WAYS + 1)}
    return {"record.json", "figure.png", "figure.pdf", "numbers.csv", "means.csv", *ways}


def names(numbers: Iterable[int]) -> set[str]:
    """All files that may be written for some figures, beside their panels."""
    return {PAGE, *(f"{figure(number)}/{name}" for number in numbers for name in names_of_figure())}


def ours(folder: Path) -> set[str]:
    """What the records in a folder tell of, where an earlier version kept no list of files."""
    found: set[str] = set()
    for begun in folder.glob(f"figure-*/{state.NAME}"):
        home = begun.parent.relative_to(folder).as_posix()
        found |= {f"{home}/{name}" for name in replacing.planned(begun)}
    if ownership.made_by(folder) is not None:
        return found
    for path in folder.glob("figure-*/record.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            record = json.loads(path.read_text(encoding="utf-8"))
            if {"claims", "rows"} <= set(record) and figure(record["figure"]) == path.parent.name:
                found |= names([record["figure"]]) - {PAGE}
    with suppress(OSError), (folder / PAGE).open("rb") as page:
        if TITLE.encode() in page.read(1000):
            found.add(PAGE)
    return found


def begin(folder: Path, inputs: Iterable[str]) -> None:
    """Refuses a folder that is not this command's alone, before anything is written there.

    Args:
        folder: of the results.
        inputs: what it must not be, hold or lie in.

    Raises:
        RefusedError: naming what is in the way.
    """
    ownership.check_output(
        folder,
        [text for text in inputs if not text.startswith(samples.PREFIX)],
        ours=ours(folder),
        states=(*_STATES, *state.PATTERNS, *state.patterns(f"{_PANEL}.state")),
        maker=MAKER,
        within=True,
    )


def claim(folder: Path, wanted: Iterable[Figure], more: Iterable[str] = ()) -> None:
    """Finishes what a kill left halfway, and lists what will be written; the lock is held."""
    for begun in folder.glob(f"figure-*/{state.NAME}"):
        replacing.finish(begun)
    made = names(recipe.number for recipe in wanted) | set(more)
    ownership.claim(folder, made, maker=MAKER, ours=ours(folder))
