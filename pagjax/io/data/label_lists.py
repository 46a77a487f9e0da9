"""Lists of class names, in the forms in which they lie about."""

from __future__ import annotations

import codecs
import os
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path

from pagjax.io.data import label_structures, label_tables
from pagjax.io.data.class_folders import IMAGENET, is_wordnet_id
from pagjax.io.data.label_structures import Entry
from pagjax.io.files.errors import DataError, shown

MOST_BYTES = 2**24
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Labels(tuple[str, ...]):
    """Class names in the order of a network's outputs.

    Attributes:
        wordnet_ids: the classes' WordNet ids in the same order, or None.
        notes: what people should know of how the list was read, a line each.
    """

    wordnet_ids: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def read(path: str | Path) -> Labels:
    """Class names from a file.

    Read are: names, a line each; a JSON or Python list of them; a JSON or Python dictionary from
    index to name or from name to index; Keras's ImageNet class index; WordNet ids with names
    (``LOC_synset_mapping.txt``), alone, or with indices (``map_clsloc.txt``); lines and tables with
    an index column. What is read of a list in which WordNet ids do not ascend: a thousand classes
    without indices from 0 are sorted by id, as every ImageNet network of PyTorch has them; other
    lists without indices are refused.

    Args:
        path: a file of UTF-8, or of UTF-16 with its mark.

    Returns:
        `Labels`.

    Raises:
        DataError: if the file is none of these, or says too little of the order.
    """
    try:
        return _labels(_entries(_text(Path(path))))
    except (DataError, OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"labels {path}: {said}") from error


def _text(path: Path) -> str:
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise DataError("not a file")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"more than {MOST_BYTES:,} bytes: not a list of class names")
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start} is not {encoding.upper()} ({error.reason}): save the file as UTF-8"
        ) from error
    if any(ord(character) < 32 and character not in "\t\n\r\f" for character in text):
        raise DataError("control characters: save the list as text in UTF-8")
    return text


def _entries(text: str) -> list[Entry]:
    stripped = text.strip()
    if not stripped:
        raise DataError("an empty file")
    if stripped[0] in "[{(":
        return label_structures.entries(stripped)
    return label_tables.entries(text)


def _labels(entries: list[Entry]) -> Labels:
    """Checks entries, brings them into order and makes labels of them."""
    notes: list[str] = []
    indexed = [entry.index for entry in entries if entry.index is not None]
    ids = [entry.wordnet_id for entry in entries if entry.wordnet_id is not None]
    if len(ids) not in (0, len(entries)):
        raise DataError(f"{len(ids)} WordNet ids for {len(entries)} classes: expected all or none")
    wrong = [id_ for id_ in ids if not is_wordnet_id(id_)]
    if wrong or len(set(ids)) != len(ids):
        twice = [id_ for id_, count in Counter(ids).items() if count > 1]
        raise DataError(f"WordNet ids {shown(wrong or twice)}: expected n and 8 digits, once each")
    if indexed:
        entries = _in_order(entries, indexed, bool(ids))
        indexed = [] if entries[0].index is None else indexed
    ids = [entry.wordnet_id for entry in entries if entry.wordnet_id is not None]
    if ids != sorted(ids):
        if indexed and len(ids) != IMAGENET:
            notes.append("the WordNet ids do not ascend: took the order of the list's indices")
        elif not indexed and len(ids) == IMAGENET:
            entries = sorted(entries, key=lambda entry: entry.wordnet_id or "")
            notes.append("the list was in another order: sorted its 1000 classes by WordNet id")
        else:
            raise DataError(
                "its WordNet ids do not ascend, so it may be in another order than the network's "
                "outputs: sort it by id, or give names alone in the order of the outputs"
            )
    names = [entry.name for entry in entries]
    empty = [number for number, name in enumerate(names) if not name.strip()]
    if empty:
        raise DataError(f"class {empty[0]} has an empty name")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        notes.append(
            f"several classes are called {shown(twice)}: only an index"
            f"{' or a WordNet id' if ids else ''} names them"
        )
    labels = Labels(names)
    labels.wordnet_ids = tuple(entry.wordnet_id or "" for entry in entries) if ids else None
    labels.notes = tuple(notes)
    return labels


def _in_order(entries: list[Entry], indexed: list[int], has_ids: bool) -> list[Entry]:
    """By index; without the indices where they are those of another order than a network's."""
    count = len(entries)
    if len(indexed) != count:
        raise DataError(f"{len(indexed)} indices for {count} classes: expected all or none")
    if sorted(indexed) == list(range(count)):
        return sorted(entries, key=lambda entry: entry.index or 0)
    if sorted(indexed) == list(range(1, count + 1)):
        if has_ids:
            return [replace(entry, index=None) for entry in entries]
        raise DataError(f"indices from 1 to {count}: number the classes from 0, as outputs are")
    twice = [str(index) for index, times in Counter(indexed).items() if times > 1]
    if twice:
        raise DataError(f"index {shown(twice)} comes twice")
    missing = sorted(set(range(count)) - set(indexed))
    raise DataError(
        f"{count} classes with indices from {min(indexed)} to {max(indexed)}: no index {missing[0]}"
    )
