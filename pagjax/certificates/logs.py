"""Logs of certified and predicted images: Cohen et al.'s tab-separated lines, and known variants.

Reads what Cohen et al. (2019), Salman et al. (2019) and Jeong and Shin (2020) published: ends of
lines with or without carriage return, no lines after the header, times as ``h:mm:ss[.ffffff]`` or
seconds, and a base network's prediction as an extra column.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

CERTIFY = ("idx", "label", "predict", "radius", "correct", "time")
PREDICT = ("idx", "label", "predict", "correct", "time")
BASE_PREDICT = ("idx", "label", "predict", "basePredict", "correct", "time")
_TIME = re.compile(r"(?:(?:(?P<d>\d+) days?, )?(?P<h>\d+):(?P<m>\d+):)?(?P<s>\d+(?:\.\d+)?)")


class LogError(ValueError):
    """A file that is no log of certified or predicted images; the message says where and why."""


class Line(NamedTuple):
    """One image.

    Attributes:
        number: of the image in the data set.
        label: its class.
        prediction: class index, -1 for abstention.
        radius: certified l2 radius in pixel units; None in a log of predictions.
        correct: whether the prediction is the label.
        seconds: what it took.
        base_prediction: the base network's class, where a log of predictions has it.
    """

    number: int
    label: int
    prediction: int
    radius: float | None
    correct: bool
    seconds: float
    base_prediction: int | None = None


@dataclass(frozen=True)
class Log:
    """The lines of a log in the order of the file, and the names of its columns."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]

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
    """Reads a log.

    Raises:
        LogError: if it is none, naming the line.
    """
    try:
        return parse(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path}: cannot be read ({error})") from error
    except LogError as error:
        raise LogError(f"{path}, {error}") from None


def parse(text: str) -> Log:
    """A log from its text.

    Raises:
        LogError: if it is none, naming the line.

    Example:
        >>> log = parse(header(CERTIFY) + "7\\t3\\t3\\t0.4\\t1\\t15.4\\r\\n")
        >>> log.lines[0].radius, log.lines[0].seconds
        (0.4, 15.4)
    """
    rows = text.splitlines()
    columns = tuple(rows[0].split("\t")) if rows else ()
    if columns not in (CERTIFY, PREDICT, BASE_PREDICT):
        found = rows[0] if rows else "an empty file"
        raise LogError(
            f"line 1: {found[:80]!r} is not the header of a log of certified or predicted images, "
            f"{' '.join(CERTIFY)} separated by tabs"
        )
    filled = enumerate(rows[1:], 2)
    return Log(columns, tuple(_line(row, columns, at) for at, row in filled if row.strip()))


def header(columns: Sequence[str]) -> str:
    """The first line of a log."""
    return "\t".join(columns) + "\n"


def text_of(line: Line) -> str:
    """A line of a log; the radius is cut after six decimals, never rounded up.

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
    return "\t".join([*map(str, values), *radius, str(int(line.correct)), str(took)]) + "\n"


def _line(row: str, columns: tuple[str, ...], at: int) -> Line:
    cells = row.split("\t")
    if len(cells) != len(columns):
        raise LogError(f"line {at}: {len(cells)} columns instead of {len(columns)}")
    by_name = dict(zip(columns, cells, strict=True))
    try:
        radius = float(by_name["radius"]) if "radius" in by_name else None
        if radius is not None and not (math.isfinite(radius) and radius >= 0):
            raise ValueError(f"radius {by_name['radius']}")
        base = by_name.get("basePredict")
        return Line(
            int(by_name["idx"]),
            int(by_name["label"]),
            int(by_name["predict"]),
            radius,
            {"0": False, "1": True}[by_name["correct"]],
            _seconds(by_name["time"]),
            None if base is None else int(base),
        )
    except (ValueError, KeyError) as error:
        raise LogError(f"line {at}: {row!r} is not understood ({error})") from None


def _seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"time {text!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in found.group("d", "h", "m", "s"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
