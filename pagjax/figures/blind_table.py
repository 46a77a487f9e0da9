"""What readers of a blind test saw, beside what judges say of exactly the same pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pagjax.alignment import Measurements
from pagjax.alignment.blind import Answer, BlindTestError, recognised
from pagjax.alignment.measurements import as_csv
from pagjax.figures import places, told
from pagjax.figures.rows import columns
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
_NAMED = ("named", "named_low", "named_high")
_BETWEEN = "; "  # readers' names in a cell
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


class Line(NamedTuple):
    """What was seen in the pictures of a network.

    Attributes:
        network: its name.
        pictures: how many of its pictures were answered.
        numbers: share of the answers that named the target, ``named``, and the means of the judges'
            and the panel's numbers over those pictures; of ``x`` the ends of its interval are
            ``x_low`` and ``x_high``. A judge that is partial to a network has no numbers there.
        readers: who looked.
        answers: how many there were; None in tables of others that do not say.
    """

    network: str
    pictures: int
    numbers: Mapping[str, float]
    readers: tuple[str, ...]
    answers: int | None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the table."""
        return {
            "network": self.network,
            "pictures": self.pictures,
            "answers": self.answers,
            **self.numbers,
            "readers": _BETWEEN.join(self.readers),
        }


def lines(answers: Sequence[Answer], judged: Mapping[str, Judged]) -> list[Line]:
    """A line for every network: how often its targets were named, and what judges say.

    Args:
        answers: of readers to pictures of this test; several readers' answers count each.
        judged: the test's pictures, from `read_record`.

    Raises:
        BlindTestError: for an answer to a picture that is not in the test, or is another there.
    """
    for answer in answers:
        _check(answer, judged)
    table = []
    for network, named in recognised(answers).items():
        own = [answer for answer in answers if answer.network == network]
        seen = [judged[name].numbers for name in dict.fromkeys(answer.picture for answer in own)]
        means = columns(_measurements(seen).summary())
        ours = {name: value for name, value in means.items() if name.startswith(_JUDGES)}
        shares = {"named": named.value, "named_low": named.low, "named_high": named.high}
        readers = tuple(dict.fromkeys(answer.reader for answer in own))
        table.append(Line(network, len(seen), shares | ours, readers, len(own)))
    return table


def _measurements(seen: Sequence[dict[str, float]]) -> Measurements:
    names = [name for name in seen[0] if all(name in own for own in seen)]
    return Measurements({name: np.array([own[name] for own in seen]) for name in names})


def _check(answer: Answer, judged: Mapping[str, Judged]) -> None:
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


def write(folder: Path, table: Sequence[Line]) -> Path:
    """Writes a table as CSV, whole or not at all; text is text to a spreadsheet."""
    path = folder / places.BLIND_TABLE
    atomic.write_bytes(path, as_csv([line.to_json() for line in table]))
    return path


def read(folder: Path) -> list[Line]:
    """The table that `write` wrote into a folder; empty where there is none.

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
    return [_line(path, row) for row in found]


def _line(path: Path, row: Mapping[str, str]) -> Line:
    """A line from its cells; empty ones say nothing."""
    numbers = {
        name: told.number(path, name, cell)
        for name, cell in row.items()
        if cell and (name in _NAMED or name.startswith(_JUDGES))
    }
    answers = row.get("answers")
    return Line(
        row["network"],
        _count(path, "pictures", row["pictures"]),
        numbers,
        tuple(row["readers"].split(_BETWEEN)),
        _count(path, "answers", answers) if answers else None,
    )


def _count(path: Path, name: str, cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise RefusedError(f"{path}: {name} is {cell[:40]!r}, not a whole number") from None


def cells(table: Sequence[Line]) -> list[list[str]]:
    """Headings, then a line a network: shares with their intervals, and a dash for no number."""
    shown = [name for name in HEADINGS if any(name in line.numbers for line in table)]
    return [
        [HEADINGS[name] for name in ("network", "pictures", *shown)],
        *(
            [line.network, str(line.pictures), *(_cell(line.numbers, name) for name in shown)]
            for line in table
        ),
    ]


def text(table: Sequence[Line]) -> str:
    """A table for a terminal.

    Example:
        >>> shares = {"named": 0.0, "named_low": 0.0, "named_high": 0.975}
        >>> print(text([Line("vanilla", 1, shares, ("me",), 1)]))
        network  pictures  target named
        vanilla  1         0.00 (0.00 to 0.97)
    """
    return "\n".join(aligned(cells(table)))


def readers(table: Sequence[Line]) -> list[str]:
    """Who looked, each once."""
    return list(dict.fromkeys(name for line in table for name in line.readers))


def _cell(numbers: Mapping[str, float], name: str) -> str:
    if name not in numbers:
        return "-"
    said, ends = f"{numbers[name]:.2f}", (f"{name}_low", f"{name}_high")
    if all(end in numbers for end in ends):
        said += f" ({numbers[ends[0]]:.2f} to {numbers[ends[1]]:.2f})"
    return said
