"""Lists of class names in every form that lies about; other ones refused, never shifted."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax.io.data import label_lists
from pagjax.io.files.errors import DataError

NAMES = ("tench, Tinca tinca", "goldfish", "great white shark", "crane")
IDS = ("n01440764", "n01443537", "n01484850", "n02012849")
LINES = "\n".join(NAMES)
WITH_IDS = "\n".join(f"{id_} {name}" for id_, name in zip(IDS, NAMES, strict=True))
JSON_INDEX = json.dumps({str(i): [IDS[i], NAMES[i]] for i in (2, 0, 1, 3)})


def write(folder: Path, content: str | bytes, name: str = "labels.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.replace("\n", "\r\n") + "\r\n\r\n",
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.encode("utf-16"),
        json.dumps(NAMES),
        b"\xef\xbb\xbf" + json.dumps(NAMES).encode(),
        json.dumps(dict(enumerate(NAMES))),
        json.dumps({name: index for index, name in reversed(list(enumerate(NAMES)))}),
        json.dumps({"id2label": dict(enumerate(NAMES)), "architectures": ["ResNet"]}),
        "{" + ",\n ".join(f"{i}: {name!r}" for i, name in enumerate(NAMES)) + "}",
        repr(list(NAMES)),
        "\n".join(f"{i}: {name}" for i, name in enumerate(NAMES)),
        "\n".join(f"{i} {NAMES[i]}" for i in (3, 1, 0, 2)),
        "\n".join(f"{i},{name}" for i, name in enumerate(NAMES)),
        "\n".join(f"{i}: {name!r}," for i, name in enumerate(NAMES)),
        "\n".join(f"{name}\t{i}" for i, name in enumerate(NAMES)),
        "\n".join(f"{name!r}," for name in NAMES),
        "index,name\n" + "\n".join(f'{i},"{NAMES[i]}"' for i in (3, 0, 1, 2)),
        "class_name;class_id\n" + "\n".join(f"{name};{i}" for i, name in enumerate(NAMES)),
        "\n".join(f"- {name}" for name in NAMES),
    ],
)
def test_names(content, tmp_path):
    found = label_lists.read(write(tmp_path, content))
    assert found == NAMES
    assert found.wordnet_ids is None
    assert found.notes == ()


@pytest.mark.parametrize(
    "content",
    [
        WITH_IDS,
        JSON_INDEX,
        json.dumps(dict(zip(IDS, NAMES, strict=True))),
        "\n".join(f'{id_},"{name}"' for id_, name in zip(IDS, NAMES, strict=True)),
        "\n".join(f"{id_}: {name!r}," for id_, name in zip(IDS, NAMES, strict=True)),
        "\n".join(f"{name}\t{id_}" for id_, name in zip(IDS, NAMES, strict=True)),
        "\n".join(f"{id_} {i + 1} {NAMES[i]}" for i, id_ in enumerate(IDS)),
        "wnid\tindex\tname\n" + "\n".join(f"{IDS[i]}\t{i}\t{NAMES[i]}" for i in range(4)),
        json.dumps([{"id": f"{id_[1:]}-n", "label": n} for id_, n in zip(IDS, NAMES, strict=True)]),
    ],
)
def test_wordnet_ids_are_kept(content, tmp_path):
    found = label_lists.read(write(tmp_path, content))
    assert found == NAMES
    assert found.wordnet_ids == IDS


def test_ids_alone_are_names_too(tmp_path):
    found = label_lists.read(write(tmp_path, "\n".join(IDS)))
    assert found == found.wordnet_ids == IDS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("{", "neither JSON"),
        ("[" * 100_000, "neither JSON"),
        ("{0: __import__('os')}", "neither JSON"),
        ("a\n\nb", "line 2 is empty"),
        ("caf\xe9\nb".encode("latin-1"), "byte 3 is not UTF-8"),
        (b"a\0b", "control characters"),
        (LINES.encode("utf-16-le"), "control characters"),
        ('{"0": "a", "2": "b"}', "no index 1"),
        ('{"1": "a", "2": "b"}', "from 1 to 2: number the classes from 0"),
        ('{"0": "a", "0": "b"}', "'0' comes twice"),
        ("{0: 'a', 0: 'b'}", "'0' comes twice"),
        ("[1, 2]", "1 is no class name"),
        ("[]", "no class names"),
        ("1 a\n2 b", "from 1 to 2"),
        ("0 a\n1 b\n3 c", "no index 2"),
        ("0 a\n1 b\n2 c\nd", "line 4, 'd', has no index"),
        ("n01440764 a\nn01443537 b\nc", "line 3, 'c', has no WordNet id"),
        ("n01440764 a\nn01440764 b", "n01440764"),
        ("n01443537 b\nn01440764 a", "do not ascend"),
        ("n01443537 1 b\nn01440764 2 a", "do not ascend"),
        ("label\ncat\ndog", "column's title"),
        ("cat\ta pet\ndog\ta pet", "a name, or columns"),
        ("'n01440764': 'tench',\n'n01443537': 'goldfish',", "a name, or columns"),
        ("name,description\ncat,a cat", "which are index and name"),
        ("class 1\nclass 0", "names that come twice"),
        ("index,name\n0,cat\n1,dog,cow", "line 3 has 3 columns"),
        ("# names\ncat", "line 1"),
        ("names:\n  0: cat", "line 1"),
        ("<html>", "line 1"),
    ],
)
def test_what_says_too_little_is_refused(content, message, tmp_path):
    with pytest.raises(DataError, match=rf"labels {tmp_path}.*: .*{message}"):
        label_lists.read(write(tmp_path, content))


def test_files_that_are_none(tmp_path):
    for path, message in ((tmp_path, "not a file"), (tmp_path / "no", "No such file")):
        with pytest.raises(DataError, match=message):
            label_lists.read(path)


def test_duplicates_are_told(tmp_path):
    found = label_lists.read(write(tmp_path, "crane\ngoldfish\ncrane"))
    assert found == ("crane", "goldfish", "crane")
    assert "'crane'" in found.notes[0]


def test_names_that_end_in_numbers_stay(tmp_path):
    for text in (
        "Boeing 737\nAirbus 320",
        "class 0\nclass 1\nclass 2",
        "0\n1\n2",
        "18 wheeler\nvan",
    ):
        assert label_lists.read(write(tmp_path, text)) == tuple(text.split("\n"))


def test_a_thousand_in_another_order_are_sorted_by_id(tmp_path):
    """As in `map_clsloc.txt`, whose indices start at 1 and follow another list."""
    ids = [f"n{number:08d}" for number in range(1000, 2000)]
    shuffled = ids[:]
    random.Random(0).shuffle(shuffled)
    lines = [f"{id_} {place} name_of_{id_}" for place, id_ in enumerate(shuffled, start=1)]
    found = label_lists.read(write(tmp_path, "\n".join(lines)))
    assert found.wordnet_ids == tuple(ids)
    assert found == tuple(f"name_of_{id_}" for id_ in ids)
    assert "sorted" in found.notes[0]
    from_zero = [f"{place} {id_} name" for place, id_ in enumerate(shuffled)]
    with pytest.raises(DataError, match="do not ascend"):
        label_lists.read(write(tmp_path, "\n".join(from_zero)))


@pytest.mark.parametrize("name", ["clsidx_to_labels.txt", "bom.txt", "bom.json"])
def test_the_cases(name, cases):
    assert label_lists.read(cases / "labels" / name) == NAMES


PLAIN = st.text("abcdefg hij,'é", min_size=1, max_size=9).map(str.strip).filter(bool)
FORMS = [
    "\n".join,
    "\r\n".join,
    json.dumps,
    lambda names: json.dumps(dict(enumerate(names))),
    lambda names: repr(dict(enumerate(names))),
    lambda names: "\n".join(f"{i}: {name}" for i, name in enumerate(names)),
]


@settings(max_examples=200, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=6), st.sampled_from(FORMS), st.booleans())
def test_random_lists_come_back_or_are_refused(tmp_path_factory, names, form, mark):
    content = (b"\xef\xbb\xbf" if mark else b"") + form(names).encode()
    try:
        found = label_lists.read(write(tmp_path_factory.getbasetemp(), content))
    except DataError:
        assert any("'" in name or "," in name or name == "id" for name in names)
        return
    unquoted = tuple(name.strip("',") for name in names)
    assert found == tuple(names) or tuple(name.strip("',") for name in found) == unquoted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_random_bytes_are_read_or_refused(tmp_path_factory, content):
    try:
        found = label_lists.read(write(tmp_path_factory.getbasetemp(), content))
    except DataError:
        return
    assert found
    assert all(isinstance(name, str) and name for name in found)
