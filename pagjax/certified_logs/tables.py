"""A table of measured numbers as text, LaTeX or Markdown: every number with its interval."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from pagjax.wording.escapes import latex, one_line
from pagjax.wording.tables import aligned

_COMPARED = re.compile(r"([rp])? ?(=|>=) ([0-9.]+)")
_POWER = re.compile(r"([0-9.]+)e(-[0-9]+)")


class Measured(NamedTuple):
    """A number and its interval, NaN where there is none.

    Attributes:
        value, low, high: shares where `percent`, else lengths.
        percent: whether to show them in percent.
        signed: whether it is a difference.
        digits: behind the point of the value; those of a length are always three.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    percent: bool = True
    signed: bool = False
    digits: int = 2

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return not math.isnan(self.value)

    def shown(self) -> tuple[str, str, str]:
        """The number and the ends of its interval; the ends empty where it has none."""
        scale, digits = (100, self.digits) if self.percent else (1, 3)
        sign = "+" if self.signed else ""
        value = f"{scale * self.value:{sign}.{digits}f}"
        if math.isnan(self.low):
            return value, "", ""
        places = 1 if self.percent else 3
        low, high = (f"{scale * end:{sign}.{places}f}" for end in (self.low, self.high))
        return value, low, high


Cell = str | Measured


class Table(NamedTuple):
    """Rows of as many cells as the head has; the first of each is a name."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def text(table: Table) -> str:
    """Columns aligned for a terminal, shares in percent.

    Example:
        >>> print(text(Table(["log", "r = 0"], [["a", Measured(0.5, 0.1, 0.9)]])))
        log              r = 0
        a    50.00 (10.0-90.0)
    """
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    return "\n".join(aligned([list(table.head), *rows], numbers=True))


def latex_table(table: Table) -> str:
    r"""A tabular of the booktabs package.

    Example:
        >>> print(latex_table(Table(["", "r = 0"], [["a_b", Measured(0.5, 0.1, 0.9)]])))
        % \usepackage{booktabs}
        \begin{tabular}{lr}
        \toprule
         & $r = 0$ \\
        \midrule
        a\_b & 50.00\% {\scriptsize (10.0--90.0)} \\
        \bottomrule
        \end{tabular}
    """
    rows = [[_in_latex(cell) for cell in row] for row in table.rows]
    head = ["" if name == "log" else _in_latex(name) for name in table.head]
    lines = [" & ".join(row) + r" \\" for row in [head, *rows]]
    columns = "l" + "r" * (len(table.head) - 1)
    begin = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", lines[0]]
    return "\n".join([*begin, r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"])


def markdown(table: Table) -> str:
    r"""A table of Markdown with pipes, aligned to the right but for the names.

    Example:
        >>> print(markdown(Table(["log", "r = 0"], [["a|b", Measured(0.5, 0.1, 0.9)]])))
        | log | r = 0 |
        |---|---:|
        | a\|b | 50.00% (10.0 to 90.0) |
    """
    rows = [[_in_markdown(cell) for cell in row] for row in table.rows]
    rule = "|---|" + "---:|" * (len(table.head) - 1)
    lines = [f"| {' | '.join(row)} |" for row in [list(table.head), *rows]]
    return "\n".join([lines[0], rule, *lines[1:]])


def _plain(cell: Cell) -> str:
    if isinstance(cell, str):
        return one_line(cell)
    if not cell.known:
        return "-"
    value, low, high = cell.shown()
    return f"{value} ({low}{' to ' if cell.signed else '-'}{high})" if low else value


def _in_latex(cell: Cell) -> str:
    if isinstance(cell, str):
        return _words_in_latex(cell)
    if not cell.known:
        return "--"
    value, low, high = cell.shown()
    unit = r"\%" if cell.percent else ""
    if cell.signed:
        value, low, high = (f"${number}$" if number else "" for number in (value, low, high))
    between = " to " if cell.signed else "--"
    return f"{value}{unit}" + (rf" {{\scriptsize ({low}{between}{high})}}" if low else "")


def _in_markdown(cell: Cell) -> str:
    if isinstance(cell, str):
        return re.sub(r"([|<>\\`*_\[\]])", r"\\\1", one_line(cell))
    if not cell.known:
        return "-"
    value, low, high = cell.shown()
    unit = "%" if cell.percent else ""
    return f"{value}{unit}" + (f" ({low} to {high})" if low else "")


def _words_in_latex(words: str) -> str:
    """Text; what compares, subtracts or counts in powers of ten is set as mathematics."""
    known = {"-": "--", "sigma": r"$\sigma$", "A - B": "A $-$ B"}
    if words in known:
        return known[words]
    if found := _COMPARED.fullmatch(words):
        sign = found[2].replace(">=", r"\geq")
        return f"${found[1] or ''} {sign} {found[3]}$".replace("$ ", "$")
    if found := _POWER.fullmatch(words):
        return rf"${found[1]} \cdot 10^{{{int(found[2])}}}$"
    return latex(words)
