"""A page of records that somebody edited: text stays text, and no file but the figures' own."""

from __future__ import annotations

import base64
import copy
import io
import json
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pagjax.alignment.measurements import as_csv
from pagjax.figures import gallery
from pagjax.io.files.errors import RefusedError

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'><!--\x00&lt;\ud800"
RECORD = {
    "figure": 2,
    "title": "Many",
    "shows": "Pictures.",
    "claims": [
        {"words": "Seen.", "column": "judge_robust_hit", "of": None, "minus": None, "least": 0.5}
    ],
    "settings": "epsilon 1",
    "command": "python -m pagjax.figures 2",
    "ways": [{"file": "ways/1.png", "label": "cat to dog", "frames": 2, "side": 8}],
    "rows": [{"variant": "smoothed", "judge_robust_hit": 1.0}] * 3,
}
KINDS = ("png", "gif", "jpeg")
MEANS = "variant,pictures,logit,judge_robust_hit,judge_robust_hit_low,judge_robust_hit_high\n"


def _png(size=(16, 8), kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, "green").save(buffer, kind)
    return buffer.getvalue()


def _write(tmp_path, record=RECORD, means="smoothed,3,1.5,1,0.3,1\n"):
    folder = tmp_path / "figure-02"
    (folder / "ways").mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(record if isinstance(record, str) else json.dumps(record))
    (folder / "means.csv").write_text(MEANS + means)
    (folder / "figure.png").write_bytes(_png())
    (folder / "ways" / "1.png").write_bytes(_png())
    return folder


class _Page(HTMLParser):
    """Tags with their attributes, and what scripts hold."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.words = [], [], []
        self._inside = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self._inside = tag
        for name, value in attrs:
            if name in ("src", "data-strip"):
                assert value.startswith(tuple(f"data:image/{kind};base64," for kind in KINDS))
            if name == "href":
                known = ("https://arxiv.org/abs/1910.08640", "../../README.md", "blind.html")
                assert value in known or value.startswith("#figure-")

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        (self.scripts if self._inside == "script" else self.words).append(data)


def _page(tmp_path):
    return _Page(gallery.write(tmp_path).read_text(encoding="utf-8"))


def test_the_page_tells_what_stands_in_the_record(tmp_path):
    _write(tmp_path)
    page = _page(tmp_path)
    assert "".join(page.words).count("cat to dog") == 1
    assert page.scripts == [gallery.SCRIPT]
    assert "1.00 (0.29 to 1.00), 3 pictures" in page.words


@pytest.mark.parametrize(
    "place", ["title", "shows", "settings", "command", "words", "label", "means"]
)
def test_text_of_records_stays_text(tmp_path, place):
    _write(tmp_path)
    plain = _page(tmp_path)
    record, means = copy.deepcopy(RECORD), "smoothed,3,1.5,1,0.3,1\n"
    if place == "words":
        record["claims"][0]["words"] = HOSTILE
    elif place == "label":
        record["ways"][0]["label"] = HOSTILE
    elif place == "means":
        means = (
            '"'
            + HOSTILE.replace('"', '""').replace("\ud800", "").replace("\0", "")
            + '",3,x,1,0.3,1\n'
        )
    else:
        record[place] = HOSTILE
    _write(tmp_path, record, means)
    hostile = _page(tmp_path)
    assert hostile.tags == plain.tags
    assert hostile.scripts == plain.scripts
    assert any("<script>alert(1)</script>" in words for words in hostile.words)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=8),
    st.just(HOSTILE),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["variant", "file", "words"]), st.text(max_size=3), max_size=2),
)


@given(st.data())
@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_edited_records_make_a_harmless_page_or_are_named(tmp_path, data):
    record = copy.deepcopy(RECORD)
    part = data.draw(
        st.sampled_from([record, record["claims"][0], record["ways"][0], record["rows"][0]])
    )
    name = data.draw(st.sampled_from(list(part)))
    if data.draw(st.booleans()):
        part[name] = data.draw(values)
    else:
        del part[name]
    _write(tmp_path, record)
    told = ""
    try:
        page = _page(tmp_path)
    except RefusedError as error:
        told = str(error)
    else:
        assert page.scripts == [gallery.SCRIPT]
        assert not any(name.startswith("on") for _, names in page.tags for name in names)
    assert "\n" not in told
    assert told == "" or "record.json: " in told


@pytest.mark.parametrize(
    "kind", ["up", "absolute", "link", "text", "missing", "folder", "null", "long"]
)
def test_only_pictures_of_the_figures_own_folder_are_shown(tmp_path, kind):
    secret = tmp_path / "secret.png"
    secret.write_bytes(_png((5, 5)))
    record = copy.deepcopy(RECORD)
    folder = _write(tmp_path, record)
    (folder / "text.png").write_text("root:x:0:0")
    (folder / "link.png").symlink_to(secret)
    record["ways"][0]["file"] = {
        "up": "../secret.png",
        "absolute": str(secret),
        "link": "link.png",
        "text": "text.png",
        "missing": "ways/9.png",
        "folder": "ways",
        "null": "ways/\0.png",
        "long": "a" * 5000,
    }[kind]
    (folder / "record.json").write_text(json.dumps(record))
    with pytest.raises(RefusedError) as refused:
        gallery.write(tmp_path)
    assert "record.json" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / gallery.PAGE).exists()


@pytest.mark.parametrize("name", ["figure.png", "means.csv", "record.json"])
def test_links_out_of_the_folder_are_not_followed(tmp_path, name):
    folder = _write(tmp_path)
    outside = tmp_path / f"outside-{name}"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    with pytest.raises(RefusedError, match="not in its folder"):
        gallery.write(tmp_path)


def test_a_gif_is_shown_as_one(tmp_path):
    folder = _write(tmp_path)
    (folder / "ways" / "1.png").write_bytes(_png(kind="GIF"))
    page = gallery.write(tmp_path).read_text()
    assert "data:image/gif;base64," + base64.b64encode(_png(kind="GIF")).decode() in page


def test_the_blind_test_is_text_in_the_page_too(tmp_path):
    _write(tmp_path)
    (tmp_path / "blind.html").write_text("the test")
    row = {"network": HOSTILE, "pictures": 3, "named": 0.5, "named_low": 0.1, "named_high": 0.9}
    pages = []
    for text in ("plain", HOSTILE):
        told = row | {"network": text, "readers": text, "panel_share": 0.25}
        (tmp_path / "blind.csv").write_bytes(as_csv([told]))
        pages.append(_page(tmp_path))
    plain, hostile = pages
    assert hostile.tags == plain.tags
    assert ("a", ("href",)) in plain.tags
    assert {"0.50", "0.10 to 0.90"} <= set(plain.words)
    assert any("Looked: plain." in words for words in plain.words)
    assert hostile.scripts == plain.scripts == [gallery.SCRIPT]


@pytest.mark.parametrize(
    "text", ["", "network\n", "network,pictures,named,readers,named_low\na,1,0,me,x\n", "\udcff"]
)
def test_a_broken_table_of_the_blind_test_is_named(tmp_path, text):
    _write(tmp_path)
    (tmp_path / "blind.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RefusedError, match=r"blind\.csv"):
        gallery.write(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"figure": 2', "[" * 10**5])
def test_broken_records_are_named(tmp_path, text):
    _write(tmp_path, text)
    with pytest.raises(RefusedError, match=r"record\.json"):
        gallery.write(tmp_path)


def test_numbers_as_csv_run_nothing():
    rows = [{"start": "=cmd()", "target": "@x", "logit": -0.5, "note": "-0.5", "plain": "horse"}]
    assert as_csv(rows).decode().splitlines()[1] == "'=cmd(),'@x,-0.5,-0.5,horse"
