"""Which column of a log is which, by name, and how its lines fall into cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from pagjax.certified_logs.tallies import VOTES
from pagjax.wording.names import closest

CERTIFY = ("idx", "label", "predict", "radius", "correct", "time")
PREDICT = ("idx", "label", "predict", "correct", "time")
BASE_PREDICT = ("idx", "label", "predict", "basePredict", "correct", "time")
_NAMES = {name.casefold(): name for name in (*CERTIFY, *BASE_PREDICT, VOTES)}
_NEEDED = ("idx", "label", "predict")
_SEPARATORS = ("\t", ",", ";")
# `1 day, 0:00:02` holds separators; without them it is one cell of any file.
_DAYS = re.compile(r"(-?[0-9]+) days?,? +(?=[0-9]+:)")


class Form(NamedTuple):
    """How a log is laid out.

    Attributes:
        names: of all columns in order; None where a column is not one of ours.
        separator: between cells; None for runs of spaces.
        unused: columns that are not ours, as they are written.
    """

    names: tuple[str | None, ...]
    separator: str | None
    unused: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Ours, in order."""
        return tuple(name for name in self.names if name is not None)


def of_header(row: str) -> Form | None:
    """The form that a header gives, or None where the row is no header.

    Raises:
        ValueError: for a header that lacks a column, or has one twice.

    Example:
        >>> of_header("Idx,label,predict,pA,radius").names
        ('idx', 'label', 'predict', None, 'radius')
    """
    separator = separator_of(row)
    written = [cell.strip("\"'").lstrip("# ") for cell in cells_of(row, separator)]
    names = [_NAMES.get(cell.casefold()) for cell in written]
    if not any(names):
        return None
    unused = tuple(cell for cell, name in zip(written, names, strict=True) if name is None)
    for name in _NAMES.values():
        if names.count(name) > 1:
            raise ValueError(f"the header has the column {name} {names.count(name)} times")
    for name in _NEEDED:
        if name not in names:
            raise ValueError(f"the header has no column {name}{_meant(name, unused)}")
    alike = [cell for cell in unused if "rad" in cell.casefold()]
    if "radius" not in names and (alike or closest("radius", unused)):
        raise ValueError(f"the header has no column radius{_meant('radius', alike or unused)}")
    return Form(tuple(names), separator, tuple(cell for cell in unused if cell))


def without_header(row: str) -> Form | None:
    """The published order of as many columns as the row has; None where none has so many."""
    separator = separator_of(row)
    count = len(cells_of(row, separator))
    return next(
        (Form(names, separator) for names in (CERTIFY, PREDICT) if len(names) == count), None
    )


def separator_of(row: str) -> str | None:
    """What stands between a row's cells: a tab, a comma, a semicolon, or None for spaces."""
    row = _DAYS.sub(r"\1d", row)
    return next((mark for mark in _SEPARATORS if mark in row), None)


def cells_of(row: str, separator: str | None, count: int = 0) -> list[str]:
    """A row's cells, stripped; empty ones beyond `count` at the end are no cells.

    Raises:
        ValueError: for a row that is no row, such as one with an endless quotation.
    """
    if "day" in row:
        row = _DAYS.sub(r"\1d", row)
    if separator is None or (count > 1 and separator not in row):
        return row.split()
    cells: Sequence[str]
    if '"' in row:
        try:
            cells = next(csv.reader([row], delimiter=separator, skipinitialspace=True))
        except csv.Error as error:
            raise ValueError(str(error)) from error
    else:
        cells = row.split(separator)
    found = [cell.strip() for cell in cells]
    while len(found) > count > 0 and not found[-1]:
        found.pop()
    return found


def _meant(name: str, unused: Sequence[str]) -> str:
    found = closest(name, unused) or list(unused)
    shown = ", ".join(repr(cell[:40]) for cell in found[:8])
    return f"; is it {shown}?" if closest(name, unused) else f" (others: {shown or 'none'})"
