"""The page of a blind test: nothing given away, nothing injected, and used as a reader would."""

from __future__ import annotations

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from pagjax.alignment import blind
from pagjax.figures import blind_page
from pagjax.figures.blind_page import BlindPicture
from tests.support.browser import opened

CLASSES = ["tench", "church", "golf ball"]


def _png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _pictures(networks=("vanilla", "smoothed"), each=3):
    return [
        BlindPicture(_png(40 * number + 9 * order), network, f"start {order}", CLASSES[order % 3])
        for number, network in enumerate(networks)
        for order in range(each)
    ]


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_the_page_tells_nothing_before_the_end():
    text = blind_page.page(_pictures(), CLASSES, seed=1).decode()
    for word in ("vanilla", "smoothed", "start 0"):
        assert word not in text
    assert "http" not in text


def test_the_order_is_the_seeds_and_keeps_every_picture():
    pictures = _pictures(each=8)
    tests = []
    for seed in (1, 1, 2):
        text = blind_page.page(pictures, CLASSES, seed=seed).decode()
        data = text.split('type="application/json">')[1].split("</script>")[0]
        tests.append(json.loads(data))
    assert tests[0] == tests[1]
    assert tests[0]["pictures"] != tests[2]["pictures"]
    assert sorted(tests[0]["pictures"]) == sorted(tests[2]["pictures"])
    # Picture and key are shuffled together.
    made = {one.png: [one.network, one.start, one.target] for one in pictures}
    key = json.loads(base64.b64decode(tests[0]["key"]))
    for source, entry in zip(tests[0]["pictures"], key, strict=True):
        assert made[base64.b64decode(source.split(",")[1])] == entry


def test_hostile_names_inject_nothing():
    hostile = '</script><img src=x onerror="alert(1)">'
    plain, strange = _Tags(), _Tags()
    names = [["a", "b"], [hostile, 'b" onclick="alert(2)']]
    for parser, (first, second) in zip((plain, strange), names, strict=True):
        one = BlindPicture(_png(5), first, second, first)
        parser.feed(blind_page.page([one], [first, second], seed=0).decode())
    assert strange.tags == plain.tags
    assert strange.attributes == plain.attributes


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        blind_page.page([], CLASSES, seed=0)
    with pytest.raises(ValueError, match="'lion' is not among"):
        blind_page.page([BlindPicture(b"", "a", "b", "lion")], CLASSES, seed=0)


def test_a_reader_answers_goes_back_reloads_and_saves(tmp_path):
    pictures = [*_pictures(), BlindPicture(_png(250), "=cmd()", 'a "start", odd', "tench")]
    path = blind_page.write(tmp_path, pictures, CLASSES, seed=3)
    order = [pictures[index] for index in np.random.default_rng(3).permutation(len(pictures))]
    with opened(path, width=400) as page:
        page.fill("#reader", "N. N.")
        page.keyboard.press("Enter")
        page.keyboard.press("n")
        page.keyboard.press("Backspace")
        for one in order[:3]:
            page.click(f'.choice[data-answer="{one.target}"]')
        page.reload()
        assert page.inner_text("#progress") == f"Picture 4 of {len(order)}"
        page.click("#back")
        assert page.inner_text("#progress") == f"Picture 3 of {len(order)}"
        for _ in order[2:]:
            page.keyboard.press("n")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        with page.expect_download() as download:
            page.click("#save")
        saved = tmp_path / "answers.csv"
        download.value.save_as(saved)
        scores = page.inner_text("#scores")
    answers = blind.read_answers([saved])
    assert [a.answer for a in answers] == [order[0].target, order[1].target, *["none"] * 5]
    assert [a.target for a in answers] == [one.target for one in order]
    assert {a.reader for a in answers} == {"N. N."}
    for name, (value, low, high) in blind.recognised(answers).items():
        shown = next(line for line in scores.splitlines() if line.startswith(name.strip("'")))
        count = sum(a.network == name for a in answers)
        assert f"{round(value * count)} of {count}" in shown
        assert f"{low:.2f} to {high:.2f}" in shown
