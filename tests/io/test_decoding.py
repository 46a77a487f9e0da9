"""One reader: any mode and metadata to the right pixels, anything else refused by its name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pagjax.io.pictures import decoding, images, sheets
from pagjax.io.pictures.greys import grey_to_rgb
from pagjax.io.pictures.images import ImageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def read(path: Path, size: tuple[int, int] = (12, 17)) -> np.ndarray:
    return images.read(path, size)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_formats_and_names_that_lie(suffix, tmp_path):
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(PIXELS).save(tmp_path / f"a.{suffix}", **options)
    (tmp_path / f"a.{suffix}").rename(tmp_path / "b.jpg")
    np.testing.assert_allclose(read(tmp_path / "b.jpg"), PIXELS / 255, atol=1e-6)


def grey_of(values: np.ndarray, top: float) -> np.ndarray:
    """Independently: grey as three channels in [0, 1]."""
    return np.repeat((values.astype(np.float64) / top)[..., None], 3, axis=2)


def expected(mode: str, values: np.ndarray) -> np.ndarray:
    """A mode's picture as RGB in [0, 1], computed without Pillow."""
    shares = values.astype(np.float64)
    if mode == "RGB":
        return shares / 255
    if mode in ("RGBA", "LA"):
        alpha = shares[..., -1:] / 255
        colour = np.broadcast_to(shares[..., :-1], (*values.shape[:2], 3)) / 255
        return colour * alpha + 128 / 255 * (1 - alpha)
    if mode == "CMYK":
        return (255 - shares[..., :3]) / 255 * (255 - shares[..., 3:]) / 255
    tops = {"L": 255, "1": 1, "I;16": 65535, "F": 1.0}
    return grey_of(shares, tops[mode])


CHANNELS = {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["L", "1", "RGB", "RGBA", "LA", "CMYK", "I;16", "F"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_random_pictures_of_every_mode(tmp_path_factory, mode, height, width, seed):
    rng = np.random.default_rng(seed)
    shape = (height, width, CHANNELS[mode]) if mode in CHANNELS else (height, width)
    if mode == "F":
        values = rng.random(shape, dtype=np.float32)
    elif mode == "I;16":
        values = rng.integers(0, 65536, shape, dtype=np.uint16)
    else:
        values = rng.integers(0, 2 if mode == "1" else 256, shape, dtype=np.uint8)
    picture = Image.fromarray(values * 255 if mode == "1" else values, mode=None)
    if mode in ("1", "CMYK", "LA"):
        picture = (
            picture.convert("1", dither=Image.Dither.NONE)
            if mode == "1"
            else Image.merge(mode, [Image.fromarray(v) for v in np.moveaxis(values, 2, 0)])
        )
    path = tmp_path_factory.getbasetemp() / "random.tif"
    picture.save(path)
    found = images.read(path, (height, width))
    np.testing.assert_allclose(found, expected(mode, values), atol=1 / 255)


def test_palettes_and_their_transparency(tmp_path):
    indices = RNG.integers(0, 4, (6, 6), dtype=np.uint8)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [7, 8, 9]], np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(colours.tobytes())
    picture.save(tmp_path / "a.png")
    np.testing.assert_allclose(read(tmp_path / "a.png", (6, 6)), colours[indices] / 255, atol=1e-6)
    picture.save(tmp_path / "b.png", transparency=2)
    colours[2] = 128
    np.testing.assert_allclose(read(tmp_path / "b.png", (6, 6)), colours[indices] / 255, atol=1e-6)


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read(tmp_path / "a.gif", (8, 8))[..., 0], 1)


def test_deep_greys():
    def lightest(values: np.ndarray, format: str | None = None) -> int:
        picture = Image.fromarray(values)
        picture.format = format
        return int(np.asarray(grey_to_rgb(picture)).max())

    assert lightest(np.array([[0, 255]], np.uint16)) == 1
    assert lightest(np.array([[0, 255]], np.int32)) == 255
    assert lightest(np.array([[0, 255]], np.int32), "PNG") == 1
    assert lightest(np.array([[0, 60000]], np.int32)) == 233
    assert lightest(np.array([[0, 2**30]], np.int32)) == 255
    assert lightest(np.array([[0, 0.5]], np.float32)) == 128
    assert lightest(np.array([[0, 100]], np.float32)) == 100
    for wrong in ([[np.nan, 0.5]], [[np.inf, 0.5]], [[-1.0, 1.0]]):
        with pytest.raises(ValueError, match="pixels"):
            grey_to_rgb(Image.fromarray(np.array(wrong, np.float32)))


TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [*TURNED, 0, 9, 60000])
def test_every_orientation(orientation, suffix, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(PIXELS).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    right = TURNED.get(orientation, TURNED[1])(PIXELS) / 255
    np.testing.assert_allclose(read(tmp_path / f"a.{suffix}", right.shape[:2]), right, atol=1e-6)


def exif_of(*tags: tuple[int, int, int, bytes]) -> bytes:
    entries = b"".join(struct.pack("<HHI", *tag[:3]) + tag[3].ljust(4, b"\0") for tag in tags)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    "exif",
    [
        exif_of((0x0112, 2, 4, b"six")),
        exif_of((0x0112, 3, 2, struct.pack("<HH", 6, 6))),
        exif_of((0x011A, 5, 1, struct.pack("<I", 10**6))),
        exif_of((0x011A, 1, 1, b"\1"), (0x0128, 3, 1, struct.pack("<H", 2))),
        exif_of((0x8769, 4, 1, struct.pack("<I", 8)), (0x8825, 2, 4, b"abcd")),
        b"Exif\0\0nothing",
        b"Exif\0\0II*\0" + bytes(range(40)),
    ],
)
def test_broken_metadata_do_not_cost_the_picture(exif, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    try:
        found = read(tmp_path / "a.jpg")
    except ImageError:
        pytest.fail("refused")
    assert np.abs(found - PIXELS / 255).mean() < 0.01


def test_a_jpeg_whose_metadata_stop_pillow_is_read_without(tmp_path, monkeypatch):
    def stopped(picture: Image.Image) -> None:
        if "exif" in picture.info:
            raise TypeError("broken tags")

    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=100, subsampling=0)
    plain = read(tmp_path / "a.jpg")
    exif = exif_of((0x0112, 3, 1, b"\6\0"))
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile._read_dpi_from_exif", stopped)
    np.testing.assert_array_equal(read(tmp_path / "a.jpg"), plain)
    assert b"Exif" in (tmp_path / "a.jpg").read_bytes()
    kept = decoding.without_metadata((tmp_path / "a.jpg").read_bytes())
    assert kept is not None
    assert b"Exif" not in kept
    assert decoding.without_metadata(b"\x89PNG") is None


def test_metadata_that_fail_after_the_pixels_do_not_cost_them(tmp_path, monkeypatch):
    def stopped(picture: Image.Image) -> None:
        raise KeyError("a tag")

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "a.tif", exif=exif)
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load_end", stopped)
    found = images.read(tmp_path / "a.tif", PIXELS.shape[1::-1])
    assert found.shape == (17, 12, 3)


@pytest.mark.parametrize("shape", [(1, 8000), (8000, 1), (3, 40_000)])
def test_long_strips_are_cut_before_they_are_resized(shape, tmp_path, monkeypatch):
    values = np.broadcast_to(np.linspace(0, 255, max(shape)), (min(shape), max(shape)))
    values = values.T if shape[0] > shape[1] else values
    Image.fromarray(np.ascontiguousarray(values).astype(np.uint8)).save(tmp_path / "strip.png")
    largest = []
    resize = Image.Image.resize

    def counted(picture: Image.Image, size: tuple[int, int], *args: object, **kwargs: object):
        largest.append(size[0] * size[1])
        return resize(picture, size, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "resize", counted)
    found = images.read(tmp_path / "strip.png", (224, 224))
    assert max(largest) <= 16_000_000
    np.testing.assert_allclose(found, 0.5, atol=2 / 255)


def test_a_strip_cut_first_equals_one_resized_first(monkeypatch):
    picture = Image.fromarray(RNG.integers(0, 256, (9, 300, 3), dtype=np.uint8))
    whole = images.fit(picture, (40, 40))
    monkeypatch.setattr(images, "_MOST_AT_ONCE", 1)
    np.testing.assert_allclose(images.fit(picture, (40, 40)), whole, atol=1 / 255)


@pytest.mark.parametrize("shape", [(300, 400), (513, 300), (224, 224), (256, 257), (50, 40)])
def test_cohens_preprocessing_is_torchvisions(shape):
    """Resize(256), CenterCrop(224) of torchvision, with PyTorch's antialiased bilinear kernel."""
    torch = pytest.importorskip("torch")
    height, width = shape
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    short = min(shape)
    scaled = (256 * height // short, 256 * width // short)
    given = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float64))
    resized = torch.nn.functional.interpolate(
        given, scaled, mode="bilinear", align_corners=False, antialias=True
    )[0].numpy()
    top, left = round((scaled[0] - 224) / 2), round((scaled[1] - 224) / 2)
    right = resized[:, top : top + 224, left : left + 224].transpose(1, 2, 0) / 255
    found = images.fit(Image.fromarray(pixels), (224, 224), preprocessing="cohen")
    np.testing.assert_allclose(found, right, atol=1.01 / 255)
    small = images.fit(Image.fromarray(pixels), (32, 32), preprocessing="cohen")
    assert small.shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("gray16.png", True),
        ("exif-dpi-as-byte.jpg", True),
        ("strip-8000x1.png", True),
        ("scan-200-megapixels.png", False),
    ],
)
def test_the_cases(name, right, cases):
    if not right:
        with pytest.raises(ImageError, match=r"scan-200-megapixels\.png.*89,478,485"):
            images.read(cases / "pictures" / name, (64, 64))
        return
    found = images.read(cases / "pictures" / name, (64, 64))
    if name == "gray16.png":
        np.testing.assert_allclose(found[0, :, 0], np.linspace(0, 1, 64), atol=1 / 255)
    elif name == "exif-dpi-as-byte.jpg":  # turned: its first row was its first column, from below
        np.testing.assert_allclose(found[0, :, 1], np.linspace(1, 0, 64), atol=0.1)


def test_sheets_of_many_pictures_come_in_pages():
    colour = np.array([64, 128, 192])
    picture = np.broadcast_to(colour / 255, (16, 16, 3))
    rows = [[picture, picture] for _ in range(300)]
    names = [str(number) for number in range(300)]
    notes = [["", "p = 1"]] * 300
    pages = list(
        sheets.contact_sheets(rows, row_labels=names, column_labels=["a", "b"], captions=notes)
    )
    assert len(pages) == 4
    assert max(page.height for page in pages) <= sheets.MOST_SIDE
    cells = sum(np.all(np.asarray(page) == colour, axis=-1).sum() for page in pages)
    assert cells == 600 * 160 * 160
