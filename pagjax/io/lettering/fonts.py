"""Fonts that cover what users write: Matplotlib's own, then the machine's, then code points.

A character that no font here has is written as its code point, such as ``[U+72D7]``: an empty box
would say nothing.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageFont

_OWN = ("DejaVuSans.ttf", "STIXGeneral.ttf")
_BOLD = "DejaVuSans-Bold.ttf"
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp")


def said(label: str) -> str:
    """A class or file name as people say it: the first synonym, with spaces for underscores.

    Example:
        >>> said("African_elephant, Loxodonta africana")
        'African elephant'
    """
    words = spaced(label)
    return words.split(",")[0].strip() or words


def spaced(text: str) -> str:
    """A text with single spaces for underscores and white space.

    Example:
        >>> spaced("garbage_truck")
        'garbage truck'
    """
    return " ".join(text.replace("_", " ").split())


def legible(text: str) -> str:
    """A text of which every character has a font here.

    Composed accents, no control characters, and code points for what no font has.

    Example:
        >>> legible("Äpfel, яблоки")
        'Äpfel, яблоки'
    """
    return "".join(piece for _, piece in pieces(text))


@lru_cache(maxsize=4096)
def pieces(text: str) -> tuple[tuple[str, str], ...]:
    """A text in runs of one font: the font's file and the characters it draws.

    Args:
        text: any; line breaks count as spaces.

    Example:
        >>> [(Path(file).name, run) for file, run in pieces("naïve")]
        [('DejaVuSans.ttf', 'naïve')]
    """
    # Joiners shape the letters beside them, but a font's box for them says nothing.
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    drawn: list[tuple[str, str]] = []
    for character in unicodedata.normalize("NFC", " ".join(seen.split())):
        font = _font_of(character)
        drawn.append((font or _files()[0], character if font else f"[U+{ord(character):04X}]"))
    return tuple(
        (file, "".join(piece for _, piece in run))
        for file, run in groupby(drawn, lambda one: one[0])
    )


@lru_cache(maxsize=64)
def font(file: str, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """A font of a height in pixels."""
    if bold and file == _files()[0]:
        file = str(_folder() / _BOLD)
    return ImageFont.truetype(file, size)


def length(text: str, size: int, bold: bool = False) -> float:
    """Width of a line in pixels.

    Example:
        >>> 0 < length("tench", 10) < length("English springer", 10)
        True
    """
    return sum(font(file, size, bold).getlength(run) for file, run in pieces(text))


def families(text: str) -> list[str]:
    """Names by which Matplotlib finds the fonts of a text."""
    from matplotlib.font_manager import FontProperties

    files = dict.fromkeys([_files()[0], *(file for file, _ in pieces(text))])
    return [FontProperties(fname=file).get_name() for file in files]


def _folder() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@lru_cache(maxsize=1)
def _files() -> tuple[str, ...]:
    return tuple(str(_folder() / name) for name in _OWN)


@lru_cache(maxsize=1)
def _others() -> tuple[str, ...]:
    """The machine's own fonts, one a family; asked only for what Matplotlib's lack."""
    from matplotlib.font_manager import fontManager

    plain = [entry for entry in fontManager.ttflist if entry.style == "normal"]
    plain.sort(key=lambda entry: abs(int(entry.weight) - 400) if str(entry.weight).isdigit() else 0)
    # Matplotlib's font of last resort has a box for every script: it covers all and says nothing.
    kept = {entry.name: entry.fname for entry in reversed(plain) if "Last Resort" not in entry.name}
    return tuple(sorted(file for file in kept.values() if str(_folder()) not in file))


@lru_cache(maxsize=64)
def _covered(file: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()  # a font that is gone since Matplotlib listed it


@lru_cache(maxsize=4096)
def _font_of(character: str) -> str | None:
    for group in (_files, _others):
        for file in group():
            if ord(character) in _covered(file):
                return file
    return None
