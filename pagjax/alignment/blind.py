"""What people saw in pictures without captions: answers of blind tests, and shares by network."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagjax.alignment.intervals import Interval, share_interval
from pagjax.wording.tables import aligned

COLUMNS = ("reader", "picture", "network", "start", "target", "answer")
"""Of the CSV file that the page of a blind test saves, one line a picture."""

NONE = "none"
"""The answer of one who sees none of the classes."""

_LARGEST = 16 * 2**20


class BlindTestError(ValueError):
    """A file of answers that cannot be used; the message names the file and the line."""


@dataclass(frozen=True)
class Answer:
    """One picture, and what a reader saw in it.

    Attributes:
        reader: who looked.
        picture: its name in the test.
        network: that made it.
        start: what it was made from.
        target: the class it was made for.
        answer: the class that the reader chose, or `NONE`.
    """

    reader: str
    picture: str
    network: str
    start: str
    target: str
    answer: str

    @property
    def right(self) -> bool:
        """Whether the reader named the target."""
        return self.answer == self.target


def read_answers(paths: Iterable[str | Path]) -> list[Answer]:
    """Answers from files that the page of a blind test saved.

    Args:
        paths: CSV files with the columns `COLUMNS`, in any order.

    Returns:
        All answers. A reader's second answer to the same picture is refused, since nobody is blind
        to a picture twice.

    Raises:
        BlindTestError: for a file that cannot be read, lacks a column or an entry, or repeats a
            reader's picture.
    """
    found: dict[tuple[str, str, str, str, str], str] = {}
    answers = []
    for path in map(Path, paths):
        for number, row in _rows(path):
            empty = [name for name in COLUMNS if not (row[name] or "").strip()]
            if empty:
                raise BlindTestError(f"{path}, line {number}: no {empty[0]}")
            answer = Answer(**{name: row[name].strip() for name in COLUMNS})
            which = (answer.reader, answer.picture, answer.network, answer.start, answer.target)
            if which in found:
                raise BlindTestError(
                    f"{path}, line {number}: {answer.reader} answered picture {answer.picture} "
                    f"before, in {found[which]}: leave one of them out"
                )
            found[which] = f"{path}, line {number}"
            answers.append(answer)
    return answers


def recognised(answers: Sequence[Answer], alpha: float = 0.05) -> dict[str, Interval]:
    """The share of pictures whose target was named, by network, with its exact interval.

    Answers count as independent; with several readers of the same pictures the intervals are too
    narrow.

    Args:
        answers: from `read_answers`.
        alpha: an interval misses the true share with at most this probability, in (0, 1).

    Returns:
        Intervals by network, in the order in which the networks first appear.

    Raises:
        ValueError: for alpha outside (0, 1).

    Reference: Clopper and Pearson (1934).

    Example:
        >>> seen = [Answer("me", str(i), "smoothed", "cat", "tench", "tench") for i in range(10)]
        >>> [round(value, 3) for value in recognised(seen)["smoothed"]]
        [1.0, 0.692, 1.0]
    """
    hits: dict[str, list[bool]] = {}
    for answer in answers:
        hits.setdefault(answer.network, []).append(answer.right)
    return {name: share_interval(np.array(values), alpha) for name, values in hits.items()}


def table(answers: Sequence[Answer]) -> str:
    """Shares by network as text, and who looked.

    Example:
        >>> print(table([Answer("me", "1", "vanilla", "cat", "tench", "none")]))
        network  target named  95% interval  pictures
        vanilla  0.00          0.00 to 0.97  1
        looked: me
    """
    rows = [("network", "target named", "95% interval", "pictures")]
    for name, (value, low, high) in recognised(answers).items():
        count = sum(answer.network == name for answer in answers)
        rows.append((name, f"{value:.2f}", f"{low:.2f} to {high:.2f}", str(count)))
    readers = ", ".join(dict.fromkeys(answer.reader for answer in answers))
    return "\n".join([*aligned(rows), f"looked: {readers}"])


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        if path.stat().st_size > _LARGEST:
            raise BlindTestError(f"{path}: larger than any file of answers")
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BlindTestError(f"{path}: no file of answers ({error})") from error
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BlindTestError(f"{path}: no column {', '.join(missing)}")
    if not rows:
        raise BlindTestError(f"{path}: no answers")
    return rows
