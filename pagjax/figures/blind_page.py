"""The page of a blind test: pictures in random order without captions, one question each.

Static and whole in one file: it works without a network and keeps the reader's answers in the
browser until they are saved as CSV.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagjax.alignment.blind import COLUMNS, NONE
from pagjax.figures.blind_script import SCRIPT, STYLE

PAGE = "blind.html"


@dataclass(frozen=True)
class BlindPicture:
    """A picture that is asked about.

    Attributes:
        png: its file's content.
        network: that made it.
        start: what it was made from.
        target: the class it was made for.
    """

    png: bytes
    network: str
    start: str
    target: str


def order(count: int, seed: int) -> list[int]:
    """Positions of pictures in the order in which they are shown."""
    return [int(index) for index in np.random.default_rng(seed).permutation(count)]


def name(shown: Sequence[BlindPicture]) -> str:
    """What a test is called, and before a number each of its pictures: a digest of all of them."""
    return hashlib.sha256(b"".join(one.png for one in shown)).hexdigest()[:12]


def page(pictures: Sequence[BlindPicture], classes: Sequence[str], *, seed: int) -> bytes:
    """The test as an HTML file.

    Args:
        pictures: of all networks; their order is shuffled.
        classes: what a reader may choose from, beside none of them.
        seed: of the order.

    Returns:
        The file's content.

    Raises:
        ValueError: without pictures, for a target that is not among the classes, or a class that
            is called as the answer of those who see none.

    Example:
        >>> one = BlindPicture(b"", "smoothed", "cat", "tench")
        >>> b"tench" in page([one], ["tench", "church"], seed=0)
        True
    """
    if NONE in classes:
        raise ValueError(f"a class called {NONE!r} cannot be told from the answer {NONE!r}")
    if not pictures:
        raise ValueError("no pictures: a blind test needs at least one")
    strange = [one.target for one in pictures if one.target not in classes]
    if strange:
        raise ValueError(f"target {strange[0]!r} is not among the classes {list(classes)}")
    shown = [pictures[index] for index in order(len(pictures), seed)]
    # Encoded, so that a glance at the page's source tells nobody what a picture should show.
    hidden = [[one.network, one.start, one.target] for one in shown]
    test = {
        "name": name(shown),
        "classes": list(classes),
        "none": NONE,
        "columns": list(COLUMNS),
        "pictures": ["data:image/png;base64," + _encoded(one.png) for one in shown],
        "key": _encoded(json.dumps(hidden).encode()),
    }
    data = json.dumps(test).replace("<", "\\u003c")
    buttons = "".join(
        f'<button class="choice" data-answer="{html.escape(label)}"><kbd>{key}</kbd>'
        f"{html.escape('none of them' if label == NONE else label.split(',')[0])}</button>"
        for label, key in zip([*classes, NONE], [*_keys(len(classes)), "n"], strict=True)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>What is in these pictures?</title><style>{STYLE}</style></head><body>"
        "<main><h1>What is in these pictures?</h1>"
        '<section id="begin"><p>'
        f"{len(shown)} pictures, made by networks of different training in random order. "
        "For each choose the class that you see, or none of them. Which network made what is told "
        "at the end. Answers stay in this browser until you save them.</p>"
        '<label>Your name or initials <input id="reader" maxlength="60" autocomplete="off"></label>'
        '<button id="start">Begin</button></section>'
        '<section id="ask" hidden><p id="progress" aria-live="polite"></p>'
        '<img id="picture" alt="The picture in question">'
        f'<div id="choices" role="group" aria-label="What do you see?">{buttons}</div>'
        '<button id="back">Back one</button></section>'
        '<section id="end" hidden><h2>Named without captions</h2>'
        '<div id="scores"></div><p class="note">Intervals hold 95% (Clopper and Pearson 1934).</p>'
        '<button id="save">Save as CSV</button> <button id="again">Start anew</button>'
        '<h2>Every picture</h2><div id="review"></div></section>'
        "<noscript>This test needs JavaScript.</noscript></main>"
        f'<script id="test" type="application/json">{data}</script>'
        f"<script>{SCRIPT}</script></body></html>"
    ).encode()


def write(
    folder: Path, pictures: Sequence[BlindPicture], classes: Sequence[str], *, seed: int
) -> Path:
    """Writes `page` into a folder, whole or not at all; returns its path."""
    from pagjax.io.files import atomic

    atomic.write_bytes(folder / PAGE, page(pictures, classes, seed=seed))
    return folder / PAGE


def _keys(count: int) -> list[str]:
    """A key for every class: digits, then letters but n and b."""
    keys = "1234567890qwertyuiopasdfghjklzxcvm"
    return [keys[index] if index < len(keys) else "" for index in range(count)]


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
