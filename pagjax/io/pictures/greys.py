"""Greys deeper than eight bits."""

from __future__ import annotations

import numpy as np
from PIL import Image

_ROWS_AT_ONCE = 2**20  # pixels


def grey_to_rgb(picture: Image.Image) -> Image.Image:
    """A picture of whole numbers or floats (Pillow's modes I and F) as RGB in 8 bits.

    Sixteen-bit files, and formats whose greys Pillow widens to 16 bits, are divided by 65535. What
    else there is says nothing of its range: floats up to 1 are divided by 1, numbers up to 255 by
    255, up to 65535 by 65535, and larger ones by the largest.

    Raises:
        ValueError: for pixels that are negative or not finite.

    Example, a 16-bit grey whose lightest pixel is dark:
        >>> deep = Image.fromarray(np.full((2, 2), 514, np.uint16))
        >>> grey_to_rgb(deep).getpixel((0, 0))
        (2, 2, 2)
    """
    values = np.asarray(picture)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("non-finite pixels")
    if low < -1e-6 * max(high, 1.0):
        raise ValueError(f"pixels from {low:g} to {high:g}: negative ones mean nothing here")
    whole = picture.mode != "F"
    if picture.mode.startswith("I;16") or (whole and picture.format in ("PNG", "PPM")):
        top = 65535.0
    elif not whole and high <= 1:
        top = 1.0
    else:
        top = max(high, 255.0 if high <= 255 else 65535.0)
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, _ROWS_AT_ONCE // values.shape[1])
    for first in range(0, len(values), rows):
        part = values[first : first + rows].astype(np.float64)
        grey[first : first + rows] = np.clip(np.rint(part / top * 255), 0, 255)
    return Image.fromarray(grey).convert("RGB")
