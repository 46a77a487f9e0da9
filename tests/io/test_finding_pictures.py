"""Which files of a folder are pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagjax.io.pictures import images, listing
from pagjax.io.pictures.images import ImageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def read(path: Path, size: tuple[int, int] = (12, 17)) -> np.ndarray:
    return images.read(path, size)


def test_hidden_and_system_files_are_nobodys(tmp_path):
    for name in (
        ".ipynb_checkpoints/a.png",
        "__MACOSX/a.png",
        "@eaDir/a.png",
        "lost+found/a.png",
        "._a.png",
        ".a.png",
        "Thumbs.db",
        "desktop.ini",
        "deep/.hidden/a.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    with pytest.raises(ImageError, match="no pictures"):
        images.find([tmp_path])
    Image.new("RGB", (4, 4)).save(tmp_path / "deep" / "a.png")
    assert images.find([tmp_path]) == [tmp_path / "deep" / "a.png"]
    assert [path.name for path in listing.subfolders(tmp_path)] == ["deep"]


def test_links_that_lead_in_a_circle_do_not_hang(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert [path.name for path in images.find([tmp_path])] == ["a.png", "b.png"]
