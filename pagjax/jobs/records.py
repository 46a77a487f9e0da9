"""What lies beside results as JSON, read with an eye on every field: people edit files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError

_MOST_BYTES = 2**26
_CURE = "mend it, or remove it"
_KINDS = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}

Kind = TypeVar("Kind", str, int, float, list, dict)


def read(path: Path) -> dict[str, Any]:
    """A record.

    Raises:
        RefusedError: naming the file, if it is no JSON object.
        OSError: if it cannot be opened.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise RefusedError(f"{path} is larger than {_MOST_BYTES // 2**20} MB: {_CURE}")
    values = atomic.read_json(path, _CURE)
    if not isinstance(values, dict):
        raise RefusedError(f"{path} holds no record: {_CURE}")
    return values


def field(path: Path, values: Mapping[str, Any], name: str, kind: type[Kind]) -> Kind:
    """One of a record's fields.

    Args:
        path: of the record, for the message.
        values: the record, or a part of it.
        name: of the field, with dots between the names of fields in fields.
        kind: what it must be; a whole number is a number too.

    Raises:
        RefusedError: naming file and field, if it is missing or another kind of value.

    Example:
        >>> field(Path("a.json"), {"job": {"sigma": 0.25}}, "job.sigma", float)
        0.25
        >>> field(Path("a.json"), {"job": {"sigma": "0.25"}}, "job.sigma", float)
        Traceback (most recent call last):
        pagjax.io.files.errors.RefusedError: a.json: job.sigma is '0.25', not a number: mend ...
    """
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise RefusedError(f"{path}: {name} is missing: {_CURE}")
        value = value[part]
    right = isinstance(value, kind) and not isinstance(value, bool)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        right, value = abs(value) < 2**63, float(value) if abs(value) < 2**63 else value
    if not right or (isinstance(value, float) and not math.isfinite(value)):
        shown = repr(value) if not isinstance(value, list | dict) else type(value).__name__
        raise RefusedError(f"{path}: {name} is {shown[:60]}, not {_KINDS[kind]}: {_CURE}")
    found: Kind = value
    return found
