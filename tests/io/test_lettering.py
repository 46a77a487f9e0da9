"""Words on sheets and figures: any script, no word broken, nothing silently an empty box."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pagjax.figures import drawing, grid
from pagjax.figures.rows import Numbers, Row
from pagjax.io.lettering import fonts, lines
from pagjax.io.pictures import sheets

SCRIPTS = ["Äpfel", "œuvre", "яблоко", "ελέφαντας", "žirafa", "Đà Nẵng", "كلب", "סוס", "ԱԲԳ"]


@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts_are_drawn_with_their_own_letters(text):
    assert fonts.legible(text) == text
    files = [file for file, _ in fonts.pieces(text)]
    drawn = fonts.font(files[0], 20).getmask(text)
    empty = fonts.font(files[0], 20).getmask("\U0010fffd" * len(text))  # boxes of no glyph
    assert bytes(drawn) != bytes(empty)


def test_what_no_font_has_is_told_by_its_code_point(monkeypatch):
    monkeypatch.setattr(fonts, "_others", lambda: ())
    fonts.pieces.cache_clear()
    fonts._font_of.cache_clear()
    try:
        assert fonts.legible("狗 dog") == "[U+72D7] dog"
        assert fonts.legible("a\u200db\x07") == "ab"
    finally:
        fonts.pieces.cache_clear()
        fonts._font_of.cache_clear()


def test_accents_are_composed():
    assert fonts.legible("Cafe\u0301") == "Café"


@given(st.text(max_size=20))
def test_any_text_has_fonts_and_a_length(text):
    assert fonts.length(text, 12) >= 0
    assert all(fonts.legible(run) == run for _, run in fonts.pieces(text))


@pytest.mark.parametrize(
    "label", ["African_elephant", "garbage truck", "German short-haired pointer"]
)
@pytest.mark.parametrize("width", [60, 90, 128, 160])
def test_lines_break_between_words(label, width):
    words = fonts.spaced(label)
    block = lines.fitted(words, width, 15)
    assert " ".join(block.lines) == words
    assert all(fonts.length(line, block.size) <= width for line in block.lines)


def test_long_words_shrink_before_they_are_cut():
    word = "Lebensversicherung"
    wide = fonts.length(word, 15)
    assert lines.fitted(word, wide + 1, 15) == ((word,), 15)
    block = lines.fitted(word, 0.75 * wide, 15)
    assert block.lines == (word,)
    assert block.size < 15
    (cut,) = lines.fitted(word, 40, 15).lines
    assert cut.endswith("...")
    assert fonts.length(cut, lines.SMALLEST) <= 40


def test_classes_are_said_as_people_say_them():
    assert fonts.said("English_springer, English springer spaniel") == "English springer"
    assert fonts.said(", odd") == ", odd"


def test_sheets_and_figures_take_any_words():
    picture = np.full((8, 8, 3), 0.5)
    odd = "狗_und $x$ и_كلب"
    sheet = sheets.contact_sheet(
        [[picture, picture]],
        row_labels=[odd],
        column_labels=["start", odd],
        captions=[["", odd]],
        title=odd,
        footer=odd,
    )
    assert sheet.width > 2 * sheets.CELL
    row = Row(1, "net", "a", "b", 0.25, "tcm", 2, 3, 1.0, Numbers("smoothed", {"probability": 0.5}))
    cells = ((grid.Cell(picture), grid.Cell(picture, row)),)
    arranged = grid.Grid((f"{odd}\nto {odd}",), ("start", odd), cells)
    drawn = drawing.draw(arranged, title=odd, footer=odd)
    assert Image.open(io.BytesIO(drawn["png"])).width > 256
    assert drawn["pdf"].startswith(b"%PDF")
