"""Whether a log's lines make sense: one line an image, none against itself, no radius too large."""

from __future__ import annotations

from collections.abc import Sequence

from pagjax.certified_logs.rows import Line

# Beyond it no double below 1 has a normal quantile: a larger radius is of no certificate.
MOST_SIGMAS = 8.3
REPEATS = "the same as line"
_CUT = 1e-3  # what adding up rounded numbers may be off by
_EXTRA = 1.005  # published radii are rounded to three digits, and may be rounded up


def faults(places: Sequence[int], lines: Sequence[Line]) -> dict[int, str]:
    """What is wrong with lines that do not count, by the position of the line.

    Args:
        places: where each line stands in the file, from 1.
        lines: all lines.

    Raises:
        ValueError: if two lines are of the same image and do not say the same but for the time.

    Example:
        >>> faults([2, 3], [Line(0, 3, 3, 0.4, True, 1.0), Line(1, 3, 4, 0.2, True, 1.0)])
        {1: 'correct 1, but label 3 and predict 4'}
    """
    first: dict[int, int] = {}
    found = {}
    for position, line in enumerate(lines):
        earlier = first.setdefault(line.number, position)
        if earlier != position:
            if lines[earlier]._replace(seconds=0.0) != line._replace(seconds=0.0):
                raise ValueError(
                    f"lines {places[earlier]} and {places[position]} are both of image "
                    f"{line.number}, and contradict each other: keep one of them"
                )
            found[position] = f"{REPEATS} {places[earlier]}"
        elif (reason := _contradiction(line)) is not None:
            found[position] = reason
    return found


def too_large(lines: Sequence[Line], most: float, why: str) -> dict[int, str]:
    """Lines whose radius is above the largest that can be certified, by position.

    Args:
        lines: of certificates.
        most: the largest radius, in pixel units.
        why: what it follows from.

    Example:
        >>> too_large([Line(0, 3, 3, 4.0, True, 1.0)], 1.0, "100,000 draws")
        {0: 'radius 4, and 100,000 draws certify at most 1'}
    """
    return {
        position: f"radius {line.radius:g}, and {why} certify at most {most:.4g}"
        for position, line in enumerate(lines)
        if line.radius is not None and line.radius > most * _EXTRA + 1e-6
    }


def _contradiction(line: Line) -> str | None:
    if line.prediction < 0 and line.correct:
        return "abstains (predict -1), but correct 1"
    if line.prediction < 0 and line.radius:
        return f"abstains (predict -1), but radius {line.radius:g}"
    if line.votes is not None and line.votes.votes > line.votes.draws + _CUT:
        return f"{line.votes.votes:g} votes of {line.votes.draws} draws"
    if line.correct != (line.prediction == line.label):
        return f"correct {line.correct:d}, but label {line.label} and predict {line.prediction}"
    return None
