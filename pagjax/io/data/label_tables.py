"""Class names in text: a line each, alone or beside indices and WordNet ids."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence

from pagjax.io.data.label_structures import Entry
from pagjax.io.files.errors import DataError

_ID = r"(?P<id>n[0-9]{8})"
_INDEX = r"(?P<index>[0-9]{1,9})"
_NAME = r"(?P<name>\S.*?)"
_BETWEEN = r"\s*[\s,;:=]\s*"
# Every line of a file is of one form; the fuller forms first.
_FORMS = [
    re.compile(form)
    for form in (
        f"{_ID}{_BETWEEN}{_INDEX}{_BETWEEN}{_NAME}",
        f"{_INDEX}{_BETWEEN}{_ID}{_BETWEEN}{_NAME}",
        f"{_INDEX}{_BETWEEN}{_ID}",
        f"{_ID}{_BETWEEN}{_INDEX}",
        f"{_ID}{_BETWEEN}{_NAME}",
        f"{_ID}",
        f"{_NAME}{_BETWEEN}{_ID}",
    )
]
_INDEX_FIRST = re.compile(f"{_INDEX}{_BETWEEN}{_NAME}")
_INDEX_LAST = re.compile(f"{_NAME}{_BETWEEN}{_INDEX}")
_QUOTED = re.compile(r"""(['"])((?:(?!\1).)*)\1,?""")
_HEADERS: dict[str, tuple[str, ...]] = {
    "index": ("index", "idx", "id", "class id", "classid", "class index", "number", "label id"),
    "id": ("wnid", "wordnet id", "synset", "synset id", "wordnetid"),
    "name": ("name", "class name", "classname", "label name", "description", "words", "title"),
}
_HEADER_WORDS = {word for words in _HEADERS.values() for word in words} | {
    "class",
    "classes",
    "label",
    "labels",
    "names",
}


def entries(text: str) -> list[Entry]:
    """Classes of lines of text.

    Raises:
        DataError: if the lines are not all of one form, or one of them is no class.
    """
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    while lines and not lines[-1]:
        lines.pop()
    if "" in lines:
        raise DataError(f"line {lines.index('') + 1} is empty: a class without a name?")
    table = _table(lines)
    if table is not None:
        return table
    for number, line in enumerate(lines, start=1):
        if line[0] in "#<%" or line[-1] == ":" or any(mark in line for mark in "{}[]"):
            raise DataError(f"line {number}, {line[:60]!r}, is no class name: remove it")
    if _title(lines[0]) in _HEADER_WORDS and len(lines) > 1:
        raise DataError(f"line 1, {lines[0]!r}, is a column's title or a class: remove it if so")
    lines = _each(lines, lambda line: line.removeprefix("- ") if line.startswith("- ") else None)
    lines = _each(lines, _unquoted)
    for form in _FORMS:
        found = [form.fullmatch(line) for line in lines]
        if all(found):
            return [_entry(match, _unquoted) for match in found if match]
    with_id = sum(re.match(_ID, line) is not None for line in lines)
    if 2 * with_id >= len(lines):
        other = next(i for i, line in enumerate(lines) if re.match(_ID, line) is None)
        raise DataError(f"line {other + 1}, {lines[other][:60]!r}, has no WordNet id; others do")
    return _with_index(lines)


def _title(text: str) -> str:
    """A column's title without case and underscores."""
    return re.sub(r"[\s_\-]+", " ", text.strip().strip("\"'").casefold())


def _with_index(lines: Sequence[str]) -> list[Entry]:
    """Names beside indices, where every line has one and they are a network's; else names."""
    plain = [Entry(line) for line in lines]
    for form in (_INDEX_FIRST, _INDEX_LAST):
        found = [form.fullmatch(line) for line in lines]
        numbered = sum(match is not None for match in found)
        if all(found):
            given = [_entry(match, _unquoted) for match in found if match]
            indices = [entry.index for entry in given if entry.index is not None]
            if form is _INDEX_FIRST:
                return given  # whose indices are checked by those who ask
            count = len(lines)
            if len({entry.name for entry in given}) < count:
                if indices == list(range(count)):
                    return plain  # "class 0", "class 1", ...
                if sorted(indices) == list(range(count)):
                    raise DataError("numbers in another order after names that come twice")
            elif sorted(indices) in (list(range(count)), list(range(1, count + 1))):
                return given
        elif form is _INDEX_FIRST and _seem_indexed(numbered, len(lines)):
            other = next(i for i, match in enumerate(found) if match is None)
            raise DataError(f"line {other + 1}, {lines[other][:60]!r}, has no index; others do")
    for number, line in enumerate(lines, start=1):
        if "\t" in line or line[-1] in ",;":
            raise DataError(
                f"line {number}, {line[:60]!r}: a name, or columns? Give names alone, or titles"
            )
    return plain


def _seem_indexed(numbered: int, lines: int) -> bool:
    """Whether so many lines begin with a number that the others seem to lack theirs."""
    return numbered > 2 and 2 * numbered >= lines


def _entry(match: re.Match[str], clean: Callable[[str], str | None] = str) -> Entry:
    given = match.groupdict()
    name, index = given.get("name") or given.get("id") or "", given.get("index")
    cleaned = clean(name)
    name = name if cleaned is None else cleaned
    return Entry(name.strip(), None if index is None else int(index), given.get("id"))


def _each(lines: list[str], change: Callable[[str], str | None]) -> list[str]:
    """Every line changed, or none, where one of them is not of the form."""
    changed = [change(line) for line in lines]
    return lines if None in changed else [line or "" for line in changed]


def _unquoted(text: str) -> str | None:
    match = _QUOTED.fullmatch(text)
    return None if match is None else match[2]


def _table(lines: Sequence[str]) -> list[Entry] | None:
    """Classes of a table with titles; None where the first line is none."""
    for delimiter in "\t;,":
        titles = [_title(title) for title in lines[0].split(delimiter)]
        if len(titles) > 1 and all(title in _HEADER_WORDS for title in titles):
            break
    else:
        return None
    rows = list(csv.reader(lines[1:], delimiter=delimiter, skipinitialspace=True))
    columns = {
        kind: [place for place, title in enumerate(titles) if title in words]
        for kind, words in _HEADERS.items()
    }
    other = [place for place, title in enumerate(titles) if title in ("class", "label")]
    if not columns["name"]:
        columns["name"] = other
    elif not columns["index"]:
        columns["index"] = other
    if len(columns["name"]) != 1 or any(len(places) > 1 for places in columns.values()):
        raise DataError(f"columns {lines[0]!r}: which are index and name? Title them so")
    found = []
    for number, row in enumerate(rows, start=2):
        if len(row) != len(titles):
            raise DataError(f"line {number} has {len(row)} columns, the titles {len(titles)}")
        cells = {kind: row[places[0]].strip() for kind, places in columns.items() if places}
        if not cells.get("index", "0").isascii() or not cells.get("index", "0").isdigit():
            raise DataError(f"line {number}: index {cells['index']!r} is no whole number")
        index = int(cells["index"][:10]) if "index" in cells else None
        found.append(Entry(cells["name"], index, cells.get("id")))
    if not found:
        raise DataError("titles and no classes")
    return found
