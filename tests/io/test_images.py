"""Pictures of every mode in, 8-bit pictures out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pagjax.io.pictures import images, samples, sheets


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
def test_every_mode_reads(mode, tmp_path):
    picture = Image.linear_gradient("L").convert("RGB" if mode == "YCbCr" else "L").convert(mode)
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "tif"
    picture.save(tmp_path / f"picture.{suffix}")
    array = images.read(tmp_path / f"picture.{suffix}", (32, 48))
    assert array.shape == (32, 48, 3)
    assert array.dtype == np.float32
    assert 0 <= array.min() < 0.3
    assert 0.7 < array.max() <= 1


def test_sixteen_bit_greys_keep_their_range(tmp_path):
    values = np.tile(np.linspace(0, 65535, 16, dtype=np.uint16), (16, 1))
    Image.fromarray(values).save(tmp_path / "deep.png")
    array = images.read(tmp_path / "deep.png", (16, 16))
    np.testing.assert_allclose(array[0, :, 0], np.linspace(0, 1, 16), atol=0.5 / 255 + 1e-3)


def test_orientation_is_respected(tmp_path):
    picture = Image.new("RGB", (20, 20))
    picture.paste((255, 0, 0), (0, 0, 20, 5))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise when shown
    picture.save(tmp_path / "turned.png", exif=exif)
    array = images.read(tmp_path / "turned.png", (20, 20))
    assert array[:, 16:, 0].mean() > 0.9
    assert array[:, :14, 0].mean() < 0.1


def test_transparent_pixels_become_grey(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    np.testing.assert_allclose(images.read(tmp_path / "clear.png", (8, 8)), 128 / 255)


def test_the_centre_is_kept():
    picture = Image.new("RGB", (30, 10))
    picture.paste((255, 255, 255), (10, 0, 20, 10))
    np.testing.assert_array_equal(images.fit(picture, (10, 10)), np.ones((10, 10, 3)))


def test_values_survive_a_round_trip(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    images.to_pillow(pixels / 255).save(tmp_path / "same.png")
    np.testing.assert_array_equal(
        np.rint(images.read(tmp_path / "same.png", (16, 16)) * 255), pixels
    )


def test_small_pictures_grow_without_blur():
    pixels = np.random.default_rng(0).random((8, 8, 3))
    grown = np.asarray(images.to_pillow(pixels, enlarge_to=64))
    assert grown.shape == (64, 64, 3)
    np.testing.assert_array_equal(grown[::8, ::8], np.asarray(images.to_pillow(pixels)))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_unreadable_files_are_named(content, tmp_path):
    (tmp_path / "odd.png").write_bytes(content)
    with pytest.raises(images.ImageError, match=r"odd\.png: not a readable picture"):
        images.read(tmp_path / "odd.png", (8, 8))


def test_folders_are_searched_and_empty_ones_named(tmp_path):
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "deep" / "b.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.JPG")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.name for path in images.find([tmp_path])] == ["a.JPG", "b.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(images.ImageError, match="no pictures"):
        images.find([tmp_path / "empty"])


def test_the_samples_are_there():
    for name in samples.SAMPLES:
        given = samples.PREFIX + name
        assert images.read(samples.path(given), (64, 64), crop=samples.crop(given)).std() > 0.05
    with pytest.raises(ValueError, match="sample:nothing"):
        samples.path("sample:nothing")


def test_sheets_hold_every_picture():
    picture = np.full((16, 16, 3), (0.25, 0.5, 0.75))
    sheet = sheets.contact_sheet(
        [[picture, picture], [picture, None]],
        row_labels=["a rather long row label", "b"],
        column_labels=["start", "a column label too long for its column"],
        captions=[["", "p = 0.5"], ["", ""]],
        title="title",
        footer="footer " * 60,
    )
    cells = np.all(np.asarray(sheet) == (64, 128, 191), axis=-1).sum()
    assert cells == 3 * 160 * 160
