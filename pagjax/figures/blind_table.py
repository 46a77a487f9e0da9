"""What readers of a blind test saw, beside what judges say of exactly the same pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pagjax.alignment import Measurements
from pagjax.alignment.blind import Answer, BlindTestError, recognised
from pagjax.alignment.measurements import as_csv
from pagjax.figures import numbers, places, told
from pagjax.figures.recipes import Variant
from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError
from pagjax.jobs import records
from pagjax.wording.tables import aligned

HEADINGS = {
    "network": "network",
    "pictures": "pictures",
    "named": "target named",
    "judge_robust_hit": "robust judge sees it",
    **{f"judge_robust_{number}_hit": f"robust judge {number}" for number in range(2, 6)},
    "judge_vanilla_hit": "vanilla judge (warning)",
    "judge_vanilla_blurred_hit": "the same, blurred",
    "panel_probability": "panel's p",
    "panel_share": "of the panel see it",
    "panel_agreement": "of its pairs agree",
}
_JUDGES = ("judge_", "panel_")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Judged(NamedTuple):
    """A picture of a test, and its numbers by name."""

    picture: str
    network: str
    start: str
    target: str
    numbers: dict[str, float]


def read_record(folder: Path) -> dict[str, Judged]:
    """The pictures of the blind test in a folder, by their names.

    Raises:
        RefusedError: naming the file and the field that cannot be used.
        OSError: for a file that cannot be opened.
    """
    file = told.inside(folder, places.BLIND_RECORD, folder / places.BLIND_RECORD)
    found: dict[str, Judged] = {}
    for entry in told.objects(file, records.read(file), "pictures"):
        texts = [records.field(file, entry, name, str) for name in Judged._fields[:4]]
        values = records.field(file, entry, "numbers", dict)
        known = {
            name: records.field(file, values, name, float)
            for name, value in values.items()
            if value is not None and "." not in name
        }
        picture, network, start, target = texts
        found[picture] = Judged(picture, network, start, target, known)
    return found


def rows(answers: Sequence[Answer], judged: dict[str, Judged]) -> list[dict[str, Any]]:
    """A row for every network: how often its targets were named, and what judges say.

    Args:
        answers: of readers to pictures of this test; several readers' answers count each.
        judged: the test's pictures, from `read_record`.

    Returns:
        Rows with ``network``, ``pictures``, ``answers``, ``named`` and its exact interval, the
        means of the judges' and the panel's numbers over the network's answered pictures with
        theirs, and ``readers``. A judge that is partial to a network has no numbers there.

    Raises:
        BlindTestError: for an answer to a picture that is not in the test, or is another there.
    """
    for answer in answers:
        _check(answer, judged)
    table: list[dict[str, Any]] = []
    for network, named in recognised(answers).items():
        own = [answer for answer in answers if answer.network == network]
        seen = [judged[name].numbers for name in dict.fromkeys(answer.picture for answer in own)]
        measured = _measurements(seen)
        means = numbers.means(Variant(network, "", 0.0), measured) if measured.columns else {}
        table.append(
            {
                "network": network,
                "pictures": len(seen),
                "answers": len(own),
                "named": named.value,
                "named_low": named.low,
                "named_high": named.high,
                **{name: value for name, value in means.items() if name.startswith(_JUDGES)},
                "readers": "; ".join(dict.fromkeys(answer.reader for answer in own)),
            }
        )
    return table


def _measurements(seen: Sequence[dict[str, float]]) -> Measurements:
    names = [name for name in seen[0] if all(name in own for own in seen)]
    return Measurements({name: np.array([own[name] for own in seen]) for name in names})


def _check(answer: Answer, judged: dict[str, Judged]) -> None:
    picture = judged.get(answer.picture)
    if picture is None:
        raise BlindTestError(
            f"{answer.reader} answered picture {answer.picture}, which is not of the test in "
            "`out`: name the folder that it was made in"
        )
    for name in ("network", "start", "target"):
        if getattr(answer, name) != _saved(getattr(picture, name)):
            raise BlindTestError(
                f"picture {answer.picture}: {name} is {getattr(answer, name)[:60]!r} in the "
                f"answers and {getattr(picture, name)[:60]!r} in the test: restore the file"
            )


def _saved(text: str) -> str:
    """A text as the page saves it and `read_answers` reads it."""
    return (f"'{text}" if text.startswith(_FORMULA) else text).strip()


def write(folder: Path, table: Sequence[dict[str, Any]]) -> Path:
    """Writes rows as CSV, whole or not at all; text is text to a spreadsheet."""
    path = folder / places.BLIND_TABLE
    atomic.write_bytes(path, as_csv(table))
    return path


def read(folder: Path) -> list[dict[str, str]]:
    """The rows that `write` wrote into a folder; empty where there are none.

    Raises:
        RefusedError: for a file that is no such table, or a link out of the folder.
    """
    path = folder / places.BLIND_TABLE
    if not path.exists() and not path.is_symlink():
        return []
    text = told.inside(folder, path.name, path).read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""), strict=True)
        found = [{str(name): cell or "" for name, cell in row.items() if name} for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise RefusedError(f"{path} is no table ({error}): restore it") from error
    if not found or not {"network", "pictures", "named", "readers"} <= set(found[0]):
        raise RefusedError(f"{path} tells of no blind test: restore it")
    for row in found:
        for name, cell in row.items():
            if name.endswith(("_low", "_high")) and cell:
                told.number(path, name, cell)
    return found


def cells(table: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Headings, then a line a network: shares with their intervals, and a dash for no number."""
    shown = [name for name in HEADINGS if any(row.get(name) not in (None, "") for row in table)]
    return [
        [HEADINGS[name] for name in shown],
        *([_cell(row, name) for name in shown] for row in table),
    ]


def text(table: Sequence[dict[str, Any]]) -> str:
    """Rows for a terminal.

    Example:
        >>> row = {"network": "vanilla", "pictures": 1, "named": 0.0, "named_low": 0.0,
        ...        "named_high": 0.975, "readers": "me"}
        >>> print(text([row]))
        network  pictures  target named
        vanilla  1         0.00 (0.00 to 0.97)
    """
    return "\n".join(aligned(cells(table)))


def readers(table: Sequence[dict[str, Any]]) -> list[str]:
    """Who looked, each once."""
    every = [name for row in table for name in str(row["readers"]).split("; ")]
    return list(dict.fromkeys(every))


def _cell(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value in (None, ""):
        return "-"
    if name in ("network", "pictures"):
        return str(value)
    try:
        said = f"{float(value):.2f}"
        if row.get(f"{name}_low") not in (None, ""):
            said += f" ({float(row[f'{name}_low']):.2f} to {float(row[f'{name}_high']):.2f})"
    except (KeyError, ValueError):
        return str(value)
    return said
