"""Text of users in tables that other programs read: spreadsheets, LaTeX, terminals."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FORMULA = tuple("=+-@＝＋－＠")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: "\\" + letter for letter in "&%$#_{}"},
}


def csv_cell(value: Any) -> Any:
    r"""A cell that no spreadsheet runs: an apostrophe before text that would begin a formula.

    Numbers, also as text, stay numbers. Text is made one line: a carriage return or a tab at its
    beginning hides a formula from whoever looks at the first letter only.

    Example:
        >>> csv_cell("=1+1"), csv_cell("\r=1"), csv_cell("-0.5"), csv_cell(-0.5), csv_cell("horse")
        ("'=1+1", "'=1", '-0.5', -0.5, 'horse')
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    text = value if value.isprintable() else one_line(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def latex(text: str) -> str:
    r"""Text as LaTeX sets it, in one line.

    Example:
        >>> print(latex("a_b ~ 50%"))
        a\_b \textasciitilde{} 50\%
    """
    return "".join(_LATEX.get(letter, letter) for letter in one_line(text))


def one_line(text: str) -> str:
    r"""Text in one line without control characters, which move a terminal's cursor.

    Example:
        >>> one_line("a\tb\x1b[2J")
        'a b?[2J'
    """
    flat = " ".join(text.split()) if any(letter.isspace() for letter in text) else text
    return "".join(letter if letter.isprintable() else "?" for letter in flat)
