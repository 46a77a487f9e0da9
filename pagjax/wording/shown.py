"""How values introduce themselves: arrays in a word, records in a few lines, pictures by a painter.

Arrays are told by what they say of themselves, so that this needs neither NumPy nor JAX. Whoever
draws pictures stands above whoever has them: a record asks for its picture by name, and the
package, which knows all rooms, says at its door who draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

_MOST_LINES = 6
_painters: dict[str, str] = {}


def array(value: Any) -> str:
    """An array's type and shape, or a single number.

    Example:
        >>> import numpy as np
        >>> array(np.zeros((2, 3), np.float32)), array(np.float32(0.5)), array(7)
        ('float32[2, 3]', '0.5', '7')
    """
    shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", None)
    if not shape and (told := number(value)) is not None:
        return told
    return f"{dtype}[{', '.join(map(str, shape))}]"


def number(value: Any) -> str | None:
    """A number in four digits; None for what has no single value, or none yet, as within jit.

    Example:
        >>> number(3.14159), number(True), number("x")
        ('3.142', '1', None)
    """
    try:
        return f"{float(value):.4g}"
    except Exception:  # whatever an array says that is traced, deleted or on another host
        return None


def several(lines: Sequence[str]) -> str:
    """A few lines, indented, and how many more there are.

    Example:
        >>> print(several(["a", "b"]))
          a
          b
    """
    shown = list(lines)
    if len(shown) > _MOST_LINES:
        shown = [*shown[: _MOST_LINES - 1], f"and {len(shown) - _MOST_LINES + 1} more"]
    return "\n".join(f"  {line}" for line in shown)


def some_of(names: Sequence[str], most: int = 4) -> str:
    """The first and the last of many names.

    Example:
        >>> some_of(["cat", "dog"]), some_of([str(i) for i in range(1000)])
        ('cat, dog', '0, 1, 2, ..., 999')
    """
    if len(names) <= most:
        return ", ".join(names)
    return ", ".join([*names[: most - 1], "...", names[-1]])


def paints(kind: str, painter: str) -> None:
    """Says who draws records of a kind: ``module:function``, imported when first asked."""
    _painters[kind] = painter


def painted(kind: str, record: Any) -> bytes | None:
    """A record as PNG; None where nobody draws it, or it has no values yet."""
    if kind not in _painters:
        return None
    module, _, function = _painters[kind].partition(":")
    picture: bytes | None = getattr(import_module(module), function)(record)
    return picture
