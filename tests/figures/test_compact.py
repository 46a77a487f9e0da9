"""Pictures as a page carries them: what is lost, what is kept, and what is refused by name."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from pagjax.figures import compact, gallery, grid
from pagjax.figures.rows import Numbers, Row
from pagjax.io.files.errors import RefusedError
from tests.figures.test_gallery_of_others import RECORD, _write

SIDE, FRAMES = 80, 25


def _smooth(height, width, seed=0):
    """A picture like those of networks: blurred noise in all channels, and a little grain."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    whole = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 6, (height, width, 3))
    return np.clip(np.asarray(whole) + grain, 0, 255).astype(np.uint8)


def _saved(path, pixels, kind="PNG"):
    Image.fromarray(pixels).save(path, kind)
    return path


def _opened(shown):
    return np.asarray(Image.open(io.BytesIO(shown.content)).convert("RGB"))


def _noise_ratio(ours, theirs):
    error = np.mean((ours.astype(float) - theirs.astype(float)) ** 2)
    return 10 * np.log10(255**2 / error)


def test_a_way_keeps_its_ends_and_every_second_frame(tmp_path):
    frames = [_smooth(SIDE, SIDE, seed) for seed in range(FRAMES)]
    file = _saved(tmp_path / "1.png", np.concatenate(frames, axis=1))
    shown, count = compact.strip(file, FRAMES, SIDE)
    assert (shown.kind, count) == ("jpeg", 13)
    assert len(shown.content) < file.stat().st_size / 4
    seen = _opened(shown)
    assert seen.shape == (SIDE, 13 * SIDE, 3)
    for number, frame in enumerate(frames[::2]):
        own = seen[:, number * SIDE : (number + 1) * SIDE]
        assert _noise_ratio(own, frame) > 32
        assert number == 0 or _noise_ratio(own, frames[2 * number - 1]) < 20


def test_colours_keep_their_full_resolution(tmp_path):
    """Red and blue pixels side by side would be purple at half the colours' resolution."""
    stripes = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 200, 200
    seen = _opened(compact.strip(_saved(tmp_path / "1.png", stripes), 2, SIDE)[0])
    assert np.abs(seen.astype(int) - stripes).mean() < 12


@pytest.mark.parametrize("count", [1, 2, 12, 13, 14, 100])
def test_frames_are_spread_from_start_to_result(count):
    kept = compact.kept_frames(count)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert len(kept) == len(set(kept)) == min(count, compact.MOST_FRAMES)
    assert np.ptp(np.diff(kept)) <= 1 if count > 2 else True


def test_small_pictures_and_other_kinds_stay_as_they_are(tmp_path):
    small = _saved(tmp_path / "small.png", _smooth(32, 32 * FRAMES))
    assert compact.strip(small, FRAMES, 32) == (("png", small.read_bytes()), FRAMES)
    assert compact.sheet(small) == ("png", small.read_bytes())
    plain = _saved(tmp_path / "plain.png", np.zeros((2000, 2000, 3), np.uint8))
    assert compact.sheet(plain).kind == "png"
    done = _saved(tmp_path / "1.jpg", _smooth(SIDE, 3 * SIDE), "JPEG")
    assert compact.strip(done, 3, SIDE) == (("jpeg", done.read_bytes()), 3)
    text = tmp_path / "text.png"
    text.write_text("no picture")
    assert compact.sheet(text) is compact.strip(text, 1, SIDE) is None


def test_transparent_sheets_stand_on_white(tmp_path):
    pixels = np.dstack([_smooth(300, 300), np.full((300, 300), 255, np.uint8)])
    pixels[:40, :40] = 0
    shown = compact.sheet(_saved(tmp_path / "figure.png", pixels))
    assert shown.kind == "jpeg"
    assert _opened(shown)[5:35, 5:35].min() > 240


def test_what_is_no_such_strip_is_named(tmp_path):
    folder = _write(tmp_path, json.dumps(RECORD | {"ways": [RECORD["ways"][0] | {"side": SIDE}]}))
    file = folder / "ways" / "1.png"
    _saved(file, _smooth(SIDE, 3 * SIDE))
    with pytest.raises(RefusedError, match=r"1\.png: 240 x 80 pixels, not 2 frames of 80"):
        gallery.write(tmp_path)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(RefusedError, match=r"1\.png"):
        gallery.write(tmp_path)


def test_the_slider_has_a_stop_for_every_frame_that_is_left(tmp_path):
    ways = [RECORD["ways"][0] | {"side": SIDE, "frames": FRAMES}]
    folder = _write(tmp_path, json.dumps(RECORD | {"ways": ways}))
    _saved(folder / "ways" / "1.png", _smooth(SIDE, FRAMES * SIDE))
    page = gallery.write(tmp_path).read_text()
    assert 'max="12" value="12"' in page
    assert f'<canvas width="{SIDE}" height="{SIDE}"' in page
    assert f'style="width: {3 * SIDE}px"' in page  # whole pixels: no picture is resampled
    strip = page.split('data-strip="data:image/jpeg;base64,')[1].split('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(strip))).size == (13 * SIDE, SIDE)


def test_many_seeds_stand_in_rows_of_five_each_with_its_class_below():
    pictures = np.linspace(0, 1, 7)[:, None, None, None] * np.ones((7, 4, 4, 3))
    row = Row(1, "net", "a", "b", 0.25, "tcm", 2, 3, 1.0, Numbers("smoothed", {"probability": 0.5}))
    results = [grid.Cell(1 - picture, row) for picture in pictures]
    names = list("abcdefg")
    laid = grid._seeds(pictures, results, names)
    assert laid.row_labels == ("seed", "result") * 2
    assert [len(row) for row in laid.cells] == [5, 5, 2, 2]
    assert [cell.caption for row in laid.cells[::2] for cell in row] == names
    for above, below in zip(laid.cells[::2], laid.cells[1::2], strict=True):
        for seed, result in zip(above, below, strict=True):
            np.testing.assert_allclose(seed.picture, 1 - result.picture)
    few = grid._seeds(pictures[:5], results[:5], names[:5])
    assert few.column_labels == tuple(names[:5])
    assert [cell.caption for cell in few.cells[0]] == [""] * 5
