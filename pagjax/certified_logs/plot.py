"""Certified accuracy against radius, as the field draws it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np

from pagjax.certified_logs.logs import Log
from pagjax.wording.escapes import one_line


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


def draw(logs: Sequence[Log], names: Sequence[str], *, format: str = "png") -> bytes:
    """A picture of several logs' curves.

    Args:
        logs: of certificates.
        names: for the legend.
        format: ``"png"``, ``"pdf"`` or ``"svg"``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4 + 0.2 * len(names)), layout="constrained")
    axes = figure.subplots()
    for log, name in zip(logs, names, strict=True):
        radii, accuracy = curve(log)
        # A curve ends where its last image falls, and drops to zero there.
        ends = np.append(radii, radii[-1]), np.append(accuracy, 0.0)
        axes.plot(*ends, drawstyle="steps-pre", linewidth=1.4, label=_label(name))
    axes.set(xlabel="radius", ylabel="certified accuracy", ylim=(0, 1))
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=150)
    return buffer.getvalue()


def _label(name: str) -> str:
    """A name as Matplotlib writes it: no mathematics, and none left out for its first letter."""
    return re.sub("^_", " _", one_line(name).replace("$", r"\$"))
