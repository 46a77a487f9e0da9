"""What figures left on disk, read for the page: fields checked, no file but a figure's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pagjax.figures import compact
from pagjax.figures.claims import Claim
from pagjax.figures.compact import Shown
from pagjax.figures.rows import Numbers
from pagjax.io.files.errors import RefusedError
from pagjax.jobs import records

RECORD = "record.json"
_MOST_BYTES = 2**28
_LARGEST_SIDE = 4096
_CLAIM: dict[str, Any] = {
    "words": str,
    "column": str,
    "of": str,
    "minus": str,
    "least": float,
    "most": float,
}
_NEEDED = ("words", "column")


class Way(NamedTuple):
    """A strip of iterates: its picture, what it shows, how many frames of which side."""

    picture: Shown
    label: str
    frames: int
    side: int


class Told(NamedTuple):
    """A figure as its folder tells it, its pictures as a page carries them."""

    number: int
    title: str
    shows: str
    settings: str
    command: str
    claims: tuple[Claim, ...]
    rows: tuple[Numbers, ...]
    picture: Shown
    ways: tuple[Way, ...]
    means: tuple[dict[str, str], ...]


def read(folder: Path) -> Told:
    """A figure's folder.

    Raises:
        RefusedError: naming the file and the field that cannot be used.
        OSError: for files that cannot be opened.
    """
    file = folder / RECORD
    inside(folder, RECORD, file)
    record = records.read(file)
    texts = {
        name: records.field(file, record, name, str)
        for name in ("title", "shows", "settings", "command")
    }
    number = records.field(file, record, "figure", int)
    if not 0 <= number < 1000:
        raise RefusedError(f"{file}: figure is {number}, no figure's number")
    ways = tuple(_way(folder, file, way) for way in objects(file, record, "ways"))
    claims = tuple(_claim(file, claim) for claim in objects(file, record, "claims"))
    rows = objects(file, record, "rows")
    for row in rows:
        records.field(file, row, "variant", str)
    for claim in claims:
        _check_claim(file, claim, rows)
    return Told(
        number=number,
        **texts,
        claims=claims,
        rows=tuple(map(_numbers, rows)),
        picture=_picture(folder, "figure.png", file),
        ways=ways,
        means=_means(folder),
    )


def _picture(folder: Path, name: str, record: Path) -> Shown:
    shown = compact.sheet(inside(folder, name, record))
    return shown if shown is not None else _no_picture(name, record)


def _way(folder: Path, record: Path, way: dict[str, Any]) -> Way:
    name = records.field(record, way, "file", str)
    frames, side = (records.field(record, way, part, int) for part in ("frames", "side"))
    if not (1 <= frames <= _LARGEST_SIDE and 1 <= side <= _LARGEST_SIDE):
        raise RefusedError(f"{record}: a way of {frames} frames of {side} pixels")
    label = records.field(record, way, "label", str)
    found = compact.strip(inside(folder, name, record), frames, side)
    shown, frames = found if found is not None else _no_picture(name, record)
    return Way(shown, label, frames, side)


def _no_picture(name: str, record: Path) -> NoReturn:
    raise RefusedError(f"{record}: {name[:80]!r} is no PNG, GIF or JPEG")


def inside(folder: Path, name: str, record: Path) -> Path:
    """A regular file in a folder, also after links are followed."""
    try:
        home = folder.parent.resolve() / folder.name
        path = (home / name).resolve()
        if not path.is_relative_to(home):
            raise RefusedError(f"{record}: {name[:80]!r} is not in its folder")
        if not path.is_file():
            raise RefusedError(f"{record}: {name[:80]!r} is not there")
        if path.stat().st_size > _MOST_BYTES:
            raise RefusedError(f"{record}: {name[:80]!r} is too large for a page")
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(f"{record}: {name[:80]!r} is no path of a file") from error
    return path


def objects(file: Path, record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A record's list of objects.

    Raises:
        RefusedError: if it is none.
    """
    found = records.field(file, record, name, list)
    if not all(isinstance(one, dict) for one in found):
        raise RefusedError(f"{file}: {name} is no list of objects")
    return found


def _claim(file: Path, values: dict[str, Any]) -> Claim:
    unknown = [name for name in values if name not in _CLAIM]
    if unknown:
        raise RefusedError(f"{file}: claims have no {unknown[0][:40]!r}")
    kept = {
        name: records.field(file, values, name, kind)
        for name, kind in _CLAIM.items()
        if name in _NEEDED or values.get(name) is not None
    }
    return Claim(**kept)


def _check_claim(file: Path, claim: Claim, rows: Sequence[dict[str, Any]]) -> None:
    """A claim's numbers are numbers, and two variants have as many."""
    counts = []
    for variant in (claim.of, claim.minus):
        own = [row for row in rows if variant is None or row["variant"] == variant]
        counts.append(len(own))
        for row in own:
            if row.get(claim.column) is not None:
                records.field(file, {claim.column: row[claim.column]}, claim.column, float)
    if claim.minus is not None and all(counts) and counts[0] != counts[1]:
        raise RefusedError(
            f"{file}: rows has {counts[0]} of {claim.of!r} and {counts[1]} of {claim.minus!r}"
        )


def _numbers(row: dict[str, Any]) -> Numbers:
    """A row's numbers; those that were not finite when they were written are missing."""
    kept = {
        name: value
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return Numbers(row["variant"], kept)


def _means(folder: Path) -> tuple[dict[str, str], ...]:
    path = folder / "means.csv"
    text = inside(folder, "means.csv", folder / RECORD).read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""), strict=True)
        rows = [{str(name): cell or "" for name, cell in row.items() if name} for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise RefusedError(f"{path} is no table ({error}): restore it") from error
    if not rows:
        raise RefusedError(f"{path} has no row: restore it")
    for row in rows:
        for name, cell in row.items():
            if name.endswith(("_low", "_high")) and cell:
                number(path, name, cell)
    return tuple(rows)


def number(path: Path, name: str, cell: str) -> float:
    """The number in a table's cell; a cell that holds none is refused by name."""
    try:
        return float(cell)
    except ValueError:
        raise RefusedError(f"{path}: {name} is {cell[:40]!r}, not a number") from None
