"""Logs of certified and predicted images: Cohen et al.'s tab-separated lines, and known variants.

Reads what Cohen et al. (2019), Salman et al. (2019) and Jeong and Shin (2020) published, and what
others write in their wake: columns are found by name, in any order, beside others; cells stand
between tabs, commas or spaces. A line that contradicts itself is left out, and that is told.
"""

from __future__ import annotations

import codecs
import datetime
import decimal
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pagjax.certified_logs import rows, sense, tallies
from pagjax.certified_logs.columns import BASE_PREDICT as BASE_PREDICT
from pagjax.certified_logs.columns import CERTIFY as CERTIFY
from pagjax.certified_logs.columns import PREDICT as PREDICT
from pagjax.certified_logs.rows import Line as Line
from pagjax.certified_logs.tallies import VOTES as VOTES

_MOST_BYTES = 2**28  # of a log: four million lines


class LogError(ValueError):
    """A file that is no log of certified or predicted images; the message says where and why."""


class LeftOut(NamedTuple):
    """A line that does not count: where it stands in the file, and why."""

    at: int
    reason: str


@dataclass(frozen=True)
class Log:
    """The lines of a log in the order of the file.

    Attributes:
        columns: the names of its columns that are known here, in its order.
        lines: the images.
        left_out: lines that do not count: repeated, cut off, or in contradiction to themselves.
        notes: what else to say of the file.
        places: where each line stands in the file, from 1.
    """

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    places: tuple[int, ...] = ()

    def without(self, faults: Mapping[int, str]) -> Log:
        """This log with fewer lines.

        Args:
            faults: by the position of a line, why it is left out.

        Raises:
            LogError: if no line is left.
        """
        if not faults:
            return self
        kept = [position for position in range(len(self.lines)) if position not in faults]
        out = [LeftOut(self.places[position], reason) for position, reason in faults.items()]
        if not kept:
            raise LogError(f"line {out[0].at}: {out[0].reason}; no line is left")
        return replace(
            self,
            lines=tuple(self.lines[position] for position in kept),
            places=tuple(self.places[position] for position in kept),
            left_out=tuple(sorted((*self.left_out, *out))),
        )

    @property
    def certifies(self) -> bool:
        """Whether it has radii."""
        return "radius" in self.columns

    @property
    def predictions(self) -> np.ndarray:
        """Class indices, -1 for abstention, shape ``[images]``."""
        return np.array([line.prediction for line in self.lines], dtype=np.int64)

    @property
    def correct(self) -> np.ndarray:
        """Booleans of shape ``[images]``."""
        return np.array([line.correct for line in self.lines], dtype=bool)

    @property
    def radii(self) -> np.ndarray:
        """Certified radii, 0 where a log has none, shape ``[images]``."""
        return np.array([line.radius or 0.0 for line in self.lines], dtype=np.float64)


def read(path: Path) -> Log:
    """Reads a log. What its lines say is checked, see `check`.

    Raises:
        LogError: if it is none, naming the line.
    """
    if path.is_dir():
        raise LogError(f"{path}: a folder; name a log in it")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise LogError(f"larger than {_MOST_BYTES // 2**20} MB: no log of images")
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return check(parse(content.decode("utf-16" if utf16 else "utf-8-sig")))
    except (OSError, UnicodeError) as error:
        raise LogError(f"{path}: cannot be read ({error})") from error
    except LogError as error:
        raise LogError(f"{path}, {error}") from None


def parse(text: str) -> Log:
    """A log from its text, whatever its lines say. A last line that was cut off is left out.

    Raises:
        LogError: if it is none, naming the line.

    Example:
        >>> log = parse(header(CERTIFY) + "7\\t3\\t3\\t0.4\\t1\\t15.4\\r\\n")
        >>> log.lines[0].radius, log.lines[0].seconds
        (0.4, 15.4)
    """
    numbered = list(enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1))
    filled = [(at, row) for at, row in numbered if row.strip()]
    at = filled[0][0] if filled else 1
    lines, places, left_out, notes = [], [], [], []
    try:
        form, named = rows.form_of([row for _, row in filled])
        if not named:
            notes.append(f"no header: columns taken as {' '.join(form.columns)}")
        if form.unused:
            notes.append(f"columns not used: {', '.join(name[:40] for name in form.unused[:8])}")
        for at, row in filled[named:]:
            if rows.is_header(row, form):
                notes.append(f"line {at} is the header again: the log was begun twice")
                continue
            try:
                line = rows.line_of(row, form)
                if at == len(numbered) and rows.may_be_cut(row, form):
                    raise ValueError("radius")
                lines.append(line)
                places.append(at)
            except ValueError as error:
                short = isinstance(error, rows.WidthError) and error.too_short
                if at == filled[-1][0] and (short or at == len(numbered)) and lines:
                    left_out.append(LeftOut(at, f"{error}: cut off"))
                elif isinstance(error, rows.WidthError):
                    raise
                else:
                    raise ValueError(f"{row[:200]!r} is not understood ({error})") from None
    except ValueError as error:
        raise LogError(f"line {at}: {error}") from None
    if VOTES in form.columns and lines and not any(line.votes for line in lines):
        notes.append(f"columns not used: {VOTES}")
    return Log(form.columns, tuple(lines), tuple(left_out), tuple(notes), tuple(places))


def check(log: Log) -> Log:
    """A log without the lines that make no sense, which it says are left out.

    Raises:
        LogError: if two lines of an image contradict each other, or no line is left.

    Example:
        >>> check(parse("label,idx,predict,correct\\n3,0,3,True\\n3,1,4,True")).left_out
        (LeftOut(at=3, reason='correct 1, but label 3 and predict 4'),)
    """
    try:
        return log.without(sense.faults(log.places, log.lines))
    except ValueError as error:
        raise LogError(str(error)) from None


def header(columns: Sequence[str]) -> str:
    """The first line of a log."""
    return "\t".join(columns) + "\n"


def keeps_votes(path: Path) -> bool:
    """Whether the lines of a log of ours end with their votes, as they did not always."""
    with path.open("rb") as file:
        return file.readline(2**10).decode("utf-8", "replace").split("\t")[-1].strip() == VOTES


def text_of(line: Line) -> str:
    """A line of a log; the radius is cut after six decimals, never rounded up.

    Its votes, where it has them, come last, as in a log with a column `VOTES`.

    Example:
        >>> text_of(Line(7, 3, 3, 0.12345699, True, 1.5))
        '7\\t3\\t3\\t0.123456\\t1\\t0:00:01.500000\\n'
    """
    values = [line.number, line.label, line.prediction]
    radius = []
    if line.radius is not None:
        cut = decimal.Decimal(line.radius).quantize(decimal.Decimal("1e-6"), decimal.ROUND_FLOOR)
        radius = [str(cut)]
    took = datetime.timedelta(seconds=line.seconds)
    votes = [] if line.votes is None else [tallies.cell_of(line.votes)]
    return "\t".join([*map(str, values), *radius, str(int(line.correct)), str(took), *votes]) + "\n"
