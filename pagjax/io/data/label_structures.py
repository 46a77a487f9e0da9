"""Class names in JSON, and in Python's lists and dictionaries."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from pagjax.io.data.class_folders import is_wordnet_id
from pagjax.io.files.errors import DataError, shown

_MOST_LITERAL = 2**20  # characters; Python's parser takes some hundred times as many bytes
_NAME_KEYS = ("name", "label", "words", "class_name")
_ID_KEYS = ("wnid", "wordnet_id", "synset", "id")
_WITHIN = ("id2label", "class_to_idx", "label2id", "classes", "labels", "names", "categories")


@dataclass(frozen=True)
class Entry:
    """A class of a list: its name, and what else the list says of it."""

    name: str
    index: int | None = None
    wordnet_id: str | None = None


def entries(text: str) -> list[Entry]:
    """Classes of a JSON or Python list or dictionary.

    Raises:
        DataError: if it is neither, or holds something else than names.
    """
    try:
        value = json.loads(text, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        value = _literal(text, error)
    return _of_value(value)


def _pairs(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [str(key) for key, _ in pairs]
        twice = [key for key in values if keys.count(str(key)) > 1]
        raise _TwiceError(f"key {shown(list(map(str, twice)))} comes twice")
    return values


class _TwiceError(DataError):
    """A key that comes twice is no reason to try another notation."""


def _literal(text: str, error: Exception) -> Any:
    """A Python literal; nothing is evaluated but constants, lists, tuples and dictionaries."""
    if isinstance(error, _TwiceError):
        raise error
    if len(text) > _MOST_LITERAL:
        raise DataError(f"not JSON ({error})") from error
    try:
        tree = ast.parse(text, mode="eval").body
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise DataError(f"neither JSON ({error}) nor a Python list or dictionary") from error
    if isinstance(tree, ast.Dict):
        _pairs([(ast.literal_eval(key), None) for key in tree.keys if key is not None])
    return value


def _of_value(value: Any) -> list[Entry]:
    if isinstance(value, dict):
        within = [key for key in _WITHIN if isinstance(value.get(key), dict | list | tuple)]
        if within:
            return _of_value(value[within[0]])
        found = [_of_pair(key, item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        found = [_of_item(item) for item in value]
    else:
        raise DataError("expected a list or a dictionary of class names")
    if not found:
        raise DataError("no class names")
    return found


def _of_pair(key: Any, item: Any) -> Entry:
    index = _index(key)
    if index is not None:
        return replace(_of_item(item), index=index)
    if isinstance(key, str):
        index = _index(item)
        if index is not None:  # name to index, as PyTorch's class_to_idx
            return Entry(key, index, key if is_wordnet_id(key) else None)
        if is_wordnet_id(key):
            return replace(_of_item(item), wordnet_id=key)
    raise DataError(f"{key!r}: {item!r} is no class's index and name"[:200])


def _of_item(item: Any) -> Entry:
    if isinstance(item, str):
        return Entry(item.strip(), None, item if is_wordnet_id(item) else None)
    if isinstance(item, list | tuple) and item and all(isinstance(part, str) for part in item):
        first, *rest = item
        if rest and re.fullmatch("n[0-9]+", first):
            return Entry(", ".join(rest), None, first if is_wordnet_id(first) else None)
        return Entry(", ".join(item))
    if isinstance(item, dict):
        name = next((item[key] for key in _NAME_KEYS if isinstance(item.get(key), str)), None)
        id_ = next((item[key] for key in _ID_KEYS if isinstance(item.get(key), str)), None)
        if name is not None:
            return Entry(name.strip(), None, _wordnet_id(id_))
    raise DataError(f"{item!r} is no class name"[:200])


def _wordnet_id(text: str | None) -> str | None:
    """``n01440764``, also written ``01440764-n``."""
    if text is None:
        return None
    turned = f"n{text[:-2]}" if text.endswith("-n") else text
    return turned if is_wordnet_id(turned) else None


def _index(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and value >= 0 else None
