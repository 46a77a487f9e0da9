"""What is no whole picture is refused by its name, and nothing of it is run or held."""

from __future__ import annotations

import io
import os
import socket
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pagjax.io.pictures import images
from pagjax.io.pictures.images import ImageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def read(path: Path, size: tuple[int, int] = (12, 17)) -> np.ndarray:
    return images.read(path, size)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_cut_off_files_are_refused(format, share, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, format)
    content = buffer.getvalue()
    (tmp_path / "a.png").write_bytes(content[: int(share * len(content))])
    with warnings.catch_warnings(action="ignore"), pytest.raises(ImageError, match=r"a\.png: not"):
        read(tmp_path / "a.png", (64, 64))


def png(width: int, height: int) -> bytes:
    """A grey PNG of any size whose rows are all one, packed without holding them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    squeezed = zlib.compress(b"\0" * 100)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", squeezed),
            chunk(b"IEND", b""),
        ]
    )


@pytest.mark.parametrize("size", [(20000, 10000), (9500, 9500), (2**30, 2**20)])
def test_too_many_pixels_are_refused_before_they_are_decoded(size, tmp_path):
    (tmp_path / "scan.png").write_bytes(png(*size))
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(ImageError, match=r"scan\.png.*89,478,485"),
    ):
        read(tmp_path / "scan.png")


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket.png"))
    listener.close()
    names = {"pipe": "a pipe", "folder": "a folder", "empty": "an empty file", "socket": "a socket"}
    for name, what in {**names, "loop": "levels of symbolic", "gone": "No such"}.items():
        with pytest.raises(ImageError, match=rf"{name}\.png: not a readable picture \(.*{what}"):
            read(tmp_path / f"{name}.png")
    with pytest.raises(ImageError, match="a device"):
        read(Path(os.devnull))


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.4"]
)
def test_postscript_is_no_picture(content, tmp_path, monkeypatch):
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen.__init__", started)
    (tmp_path / "a.jpg").write_bytes(content + b"showpage\n" * 20)
    with pytest.raises(ImageError, match="none of BMP"):
        read(tmp_path / "a.jpg")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_are_a_picture_or_our_error(tmp_path_factory, data):
    format = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]))
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, format)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(bytes(content))
    with warnings.catch_warnings(action="ignore"):
        try:
            found = images.read(path, (8, 8))
        except ImageError:
            return
    assert found.shape == (8, 8, 3)
    assert 0 <= found.min() <= found.max() <= 1
