"""Sheets of results for notebooks, whose cells show a value as the PNG that it gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from pagjax.io.pictures.sheets import contact_sheet, png

_ACROSS, _MOST = 6, 24


def sheet_of_result(result: Any) -> bytes | None:
    """The pictures of a `pagjax.TargetedResult`, with how far their objective rose and they went.

    Pixels outside [0, 1], of runs in other units, are brought there together, and said to be so.

    Args:
        result: one whose ``images`` have shape ``[batch, height, width, channels]``.

    Returns:
        A PNG; None where there is no picture: within jit, of other shapes, or not finite.
    """
    try:
        images = np.asarray(result.images, np.float32)
        values = [np.asarray(value, np.float64) for value in result.trace]
    except Exception:  # traced, deleted, or on another host
        return None
    if images.ndim != 4 or 0 in images.shape or images.shape[-1] not in (1, 3):
        return None
    if not np.isfinite(images).all():
        return None
    shown = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images[:_MOST]]
    notes = []
    low, high = float(images.min()), float(images.max())
    if low < -1e-5 or high > 1 + 1e-5:
        shown = [(image - low) / (high - low or 1) for image in shown]
        notes.append(f"pixels {low:.3g} to {high:.3g} are drawn as 0 to 1")
    if len(images) > _MOST:
        notes.append(f"and {len(images) - _MOST} more")
    starts = range(0, len(shown), _ACROSS)
    captions = _captions(values, len(shown))
    sheet = contact_sheet(
        [shown[start : start + _ACROSS] for start in starts],
        row_labels=["" for _ in starts],
        column_labels=["" for _ in shown[:_ACROSS]],
        captions=[captions[start : start + _ACROSS] for start in starts],
        footer="; ".join(notes),
    )
    return png(sheet)


def _captions(trace: list[np.ndarray], count: int) -> list[str]:
    objective, _, distance, *_ = trace
    if objective.ndim != 2 or not objective.shape[1]:
        return [""] * count
    return [
        f"objective {way[0]:.3g} to {way[-1]:.3g}, distance {far[-1]:.3g}"
        for way, far in zip(objective[:count], distance[:count], strict=True)
    ]
