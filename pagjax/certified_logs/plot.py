"""Certified accuracy against radius, as the field draws it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from pagjax.certification import average_certified_radius
from pagjax.certification.paired import tango_interval
from pagjax.certified_logs.distribution import Distribution
from pagjax.certified_logs.logs import Log
from pagjax.certified_logs.pairing import Pair, compare
from pagjax.certified_logs.report import radius_interval
from pagjax.wording.escapes import one_line

_ALPHA = 0.05
_POINTS = 200  # radii at which a difference is drawn
_LONGEST = 58  # letters of a name in a legend


def curve(log: Log) -> tuple[np.ndarray, np.ndarray]:
    """Certified accuracy as a function of the radius: where it falls, and to the left of what.

    Returns:
        Radii in increasing order, and the accuracy up to each; the first is at radius 0.

    Example:
        >>> from pagjax.certified_logs.logs import CERTIFY, header, parse
        >>> log = parse(header(CERTIFY) + "0\\t1\\t1\\t0.5\\t1\\t1\\n1\\t1\\t-1\\t0.0\\t0\\t1")
        >>> radii, accuracy = curve(log)
        >>> radii.tolist(), accuracy.tolist()
        ([0.0, 0.5], [0.5, 0.5])
    """
    reached = np.sort(log.radii[log.correct])
    remaining = np.arange(len(reached), 0, -1) / max(1, len(log.lines))
    start = remaining[:1] if len(remaining) else np.zeros(1)
    return np.concatenate([[0.0], reached]), np.concatenate([start, remaining])


def draw(
    logs: Sequence[Log], names: Sequence[str], pair: Pair | None = None, *, format: str = "png"
) -> bytes:
    """A picture of several logs' curves, to where the last one ends.

    The area under a curve is the average certified radius (ACR), which the legend says with
    Student's 95% interval.

    Args:
        logs: of certificates.
        names: for the legend.
        pair: two logs' shared images: below the curves their difference, first minus second, with
            its paired 95% interval at each radius by itself; and that of the ACR.
        format: ``"png"``, ``"pdf"`` or ``"svg"``.
    """
    from matplotlib.figure import Figure

    height = 4 + 0.2 * len(names) + (2.2 if pair else 0)
    figure = Figure(figsize=(6, height), layout="constrained")
    ratios: dict[str, Any] = {"height_ratios": [2, 1], "sharex": True} if pair else {}
    found = figure.subplots(2 if pair else 1, 1, squeeze=False, **ratios)[:, 0]
    axes = found[0]
    letters = ("A: ", "B: ") if pair else ("",) * len(names)
    for log, name, letter in zip(logs, names, letters, strict=True):
        radii, accuracy = curve(log)
        # A curve ends where its last image falls, and drops to zero there.
        ends = np.append(radii, radii[-1]), np.append(accuracy, 0.0)
        label = f"{letter}{_label(name)}: ACR {_average(log)}"
        axes.plot(*ends, drawstyle="steps-pre", linewidth=1.4, label=label)
    axes.set(ylabel="certified accuracy", ylim=(0, 1))
    if pair is not None:
        _draw_difference(found[1], pair)
    found[-1].set(xlabel="radius")
    found[-1].set_xlim(left=0)
    for one in found:
        one.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize=8)
    return _saved(figure, format)


def draw_distributions(found: Sequence[Distribution], *, format: str = "png") -> bytes:
    """The share of images whose p_A is at least p, for every p.

    Proven lower bounds begin at a half; shares of draws, dashed, at 0.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4 + 0.25 * len(found)), layout="constrained")
    axes = figure.subplots()
    votes = any(one.shares is not None for one in found)
    for number, one in enumerate(found):
        if one.bounds is not None:
            values, shares = _steps(one.bounds[one.bounds > 0], one.images, 0.5)
            label = f"{_label(one.name)}: lower bounds"
            axes.plot(values, shares, drawstyle="steps-pre", color=f"C{number}", label=label)
        if one.shares is not None:
            values, shares = _steps(one.shares, one.images, 0.0)
            label = f"{_label(one.name)}: shares of draws"
            style: dict[str, Any] = {
                "linestyle": "--",
                "linewidth": 1.0,
                "color": f"C{number}",
                "label": label,
            }
            axes.plot(values, shares, drawstyle="steps-pre", **style)
    axes.set(xlabel="p", ylabel="images whose p_A is at least p", ylim=(0, 1))
    axes.set_xlim(0 if votes else 0.5, 1)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize=8)
    return _saved(figure, format)


def _steps(values: np.ndarray, images: int, start: float) -> tuple[np.ndarray, np.ndarray]:
    """The share of images that reach each value, from `start` on, falling to 0 at the last."""
    ordered = np.sort(values)
    remaining = np.arange(len(ordered), 0, -1) / max(1, images)
    most = remaining[:1] if len(remaining) else np.zeros(1)
    last = ordered[-1:] if len(ordered) else np.array([start])
    return (
        np.concatenate([[start], ordered, last]),
        np.concatenate([most, remaining, [0.0]]),
    )


def _draw_difference(axes: Any, pair: Pair) -> None:
    """Difference of two certified accuracies by radius, and of the average radius in words."""
    radii = np.linspace(0, pair.radii.max(initial=0.0), _POINTS)
    reached = pair.correct[:, None] & (pair.radii[:, None] >= radii[:, None])
    only = (reached & ~reached[::-1]).sum(axis=-1)
    values = (only[0] - only[1]) / len(pair.numbers)
    low, high = tango_interval(only[0], only[1], len(pair.numbers), _ALPHA)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.fill_between(radii, low, high, alpha=0.25, color="0.3", linewidth=0)
    axes.plot(radii, values, color="0.1", linewidth=1.2)
    title = f"A - B on {len(pair.numbers):,} images"
    if difference := compare(pair, (), alpha=_ALPHA).radius_difference:
        value, least, most = difference
        title += f", ACR {value:+.3f} ({least:+.3f} to {most:+.3f})"
    axes.set_title(title, fontsize=9)
    axes.set_ylabel("difference")


def _average(log: Log) -> str:
    found = radius_interval(log, _ALPHA)
    if found is None:
        return f"{average_certified_radius(log.radii, log.correct):.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _saved(figure: Any, format: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=150)
    return buffer.getvalue()


def _label(name: str) -> str:
    """A name as Matplotlib writes it: no mathematics, and none left out for its first letter.

    Of a long one the beginning and the end.
    """
    line = one_line(name)
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 3]}...{line[-(_LONGEST - _LONGEST // 3 - 3) :]}"
    return re.sub("^_", " _", line.replace("$", r"\$"))
