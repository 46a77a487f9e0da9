"""A row of a log as an image's line, and a header as the form of the rows below it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from pagjax.certified_logs import cells, columns, tallies
from pagjax.certified_logs.columns import CERTIFY, Form
from pagjax.certified_logs.tallies import VOTES, Tally


class Line(NamedTuple):
    """One image.

    Attributes:
        number: of the image in the data set.
        label: its class.
        prediction: class index, -1 for abstention.
        radius: certified l2 radius in pixel units; None in a log of predictions.
        correct: whether the prediction is the label.
        seconds: what it took; NaN where a log does not say.
        base_prediction: the base network's class, where a log of predictions has it.
        votes: of the draws; None where a log does not say.
    """

    number: int
    label: int
    prediction: int
    radius: float | None
    correct: bool
    seconds: float
    base_prediction: int | None = None
    votes: Tally | None = None


class WidthError(ValueError):
    """A row of another number of cells than the log has columns."""

    def __init__(self, count: int, expected: int) -> None:
        """See the class."""
        super().__init__(f"{count} columns instead of {expected}")
        self.too_short = count < expected


def line_of(row: str, form: Form) -> Line:
    """An image's line; its cells may contradict each other.

    Raises:
        WidthError: for too few or too many cells.
        ValueError: for cells that say nothing.
    """
    found = columns.cells_of(row, form.separator, len(form.names))
    if len(found) != len(form.names):
        raise WidthError(len(found), len(form.names))
    cell = {name: text for name, text in zip(form.names, found, strict=True) if name}
    number = cells.whole("idx", cell["idx"], 0)
    label = cells.whole("label", cell["label"], 0)
    prediction = cells.whole("predict", cell["predict"], -1)
    radius = base = None
    if "radius" in cell:
        radius = cells.radius(cell["radius"])
    if "basePredict" in cell:
        base = cells.whole("basePredict", cell["basePredict"], -1)
    correct = prediction == label
    if "correct" in cell:
        correct = cells.yes_or_no("correct", cell["correct"])
    seconds = cells.seconds(cell["time"]) if "time" in cell else math.nan
    votes = tallies.parse(cell.get(VOTES, ""))
    return Line(number, label, prediction, radius, correct, seconds, base, votes)


def may_be_cut(row: str, form: Form) -> bool:
    """Whether the last row of a file that ends without a new line lost a part of its radius.

    ``7.11e-0`` is a number, and a hundred thousand times ``7.11e-05``.
    """
    return (
        form.names[-1] == "radius"
        and re.search(r"(?:\.|[eE][+-]?[0-9])$", row.rstrip()) is not None
    )


def form_of(filled: Sequence[str]) -> tuple[Form, bool]:
    """A log's form, and whether its first row is a header.

    Without one the columns are those of Cohen et al. by their number.

    Args:
        filled: rows that are not blank.

    Raises:
        ValueError: if the first row is neither a header nor an image's line, or the columns of a
            log without a header may be others.
    """
    first = filled[0] if filled else ""
    form = columns.of_header(first)
    if form is not None:
        return form, True
    form = columns.without_header(first)
    try:
        if form is not None:
            line_of(first, form)
    except ValueError:
        form = None
    if form is None:
        raise ValueError(
            f"{(first or 'an empty file')[:80]!r} is not the header of a log of certified or "
            f"predicted images, {' '.join(CERTIFY)} separated by tabs"
        )
    fourth = [columns.cells_of(row, form.separator)[3:4] for row in filled]
    if form.names == CERTIFY and all(re.fullmatch("-?[0-9]+", "".join(text)) for text in fourth):
        raise ValueError(
            "no header, and the fourth column may be a radius or the base network's prediction: "
            f"add the header, {' '.join(CERTIFY)} separated by tabs"
        )
    return form, False


def is_header(row: str, form: Form) -> bool:
    """Whether a row in the middle is the header again.

    Raises:
        ValueError: if it is another header.
    """
    if not any(letter.isalpha() for letter in row):
        return False
    again = columns.of_header(row)
    if again is not None and again.names != form.names:
        raise ValueError(f"another header than the first, {' '.join(again.columns)}")
    return again is not None
