"""Which part of a picture is kept: words, points, boxes, and old records that name none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pagjax.io.pictures import crops, images, samples
from pagjax.jobs.errors import JobError
from pagjax.synthesis import inputs
from pagjax.synthesis.job import SUBJECT, Job

JOB = {
    "checkpoint": "a",
    "checkpoint_sha256": "b",
    "images": ("c.png",),
    "images_sha256": ("d",),
    "image_size": (8, 8),
    "targets": (0,),
    "pairs": ((0, 0),),
    "sigma": 0.5,
    "epsilon": 1.0,
    "step_size": 0.1,
    "num_steps": 2,
    "num_samples": 2,
    "objective": "tcm",
    "projection": "nearest",
    "noise": "fresh",
    "keep": "last",
    "clip": True,
    "seed": 0,
    "batch_size": 1,
    "chunk_size": None,
}


@pytest.fixture
def banded(tmp_path):
    """The file of a picture of 90 x 30 pixels: a third red, a third green, a third blue."""
    picture = Image.new("RGB", (90, 30))
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        picture.paste(colour, (30 * number, 0, 30 * number + 30, 30))
    picture.save(tmp_path / "bands.png")
    return tmp_path / "bands.png"


@pytest.mark.parametrize(
    ("crop", "colour"),
    [
        ("left", 0),
        ("centre", 1),
        ("center", 1),
        ("top", 1),
        ("RIGHT", 2),
        ("0.17,0.5", 0),
        ("0.9,0.2", 2),
        ("0.6667,0,1,1", 2),
        ("0,0,0.3333,1", 0),
    ],
)
def test_a_crop_shows_what_it_says(banded, crop, colour):
    shown = images.read(banded, (30, 30), crop=crops.parse(crop))
    assert shown[..., colour].mean() > 0.97
    assert np.delete(shown, colour, axis=-1).mean() < 0.02


@pytest.mark.parametrize(
    "text", ["middle", "", "0.5", "0.5,nan", "0.1,0.2,0.3", "1.2,0.5", "0.5,0,0.5,1", "1,0,0,1"]
)
def test_what_is_no_crop_is_named(text):
    with pytest.raises(JobError, match="--crop"):
        inputs.check_crop(text, ["a.png"])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
def test_the_centre_is_where_it_always_was(width, height, wider, higher):
    size = (width + wider, height + higher)
    assert crops.corner(crops.CENTRE, size, (width, height)) == (wider // 2, higher // 2)


@given(st.tuples(*[st.floats(0, 1)] * 2), st.integers(1, 50), st.integers(0, 50))
def test_windows_stay_inside(focus, wanted, more):
    left, top = crops.corner(focus, (wanted + more, wanted), (wanted, wanted))
    assert 0 <= left <= more
    assert top == 0


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 40), st.integers(1, 40))
def test_boxes_keep_at_least_a_pixel(shares, width, height):
    kept = crops.box(tuple(shares), (width, height))
    assert kept is not None
    assert 0 <= kept[0] < kept[2]
    assert 0 <= kept[1] < kept[3]


def test_samples_show_their_subject_unless_told_otherwise():
    names = ["sample:cat"]
    own = inputs.read_pictures(names, (32, 32)).pictures
    centre = inputs.read_pictures(names, (32, 32), "centre").pictures
    assert np.abs(own - centre).max() > 0.05
    file = samples.path("sample:cat")
    np.testing.assert_array_equal(centre[0], images.read(file, (32, 32)))
    np.testing.assert_array_equal(
        own[0], images.read(file, (32, 32), crop=samples.crop("sample:cat"))
    )


def test_jobs_record_a_crop_only_where_it_matters():
    assert inputs.check_crop(SUBJECT, ["a.png", "seed:cifar10/cat-0-0"]) == "centre"
    assert inputs.check_crop(SUBJECT, ["a.png", "sample:cat"]) == SUBJECT
    assert inputs.check_crop("0.50,0.0", ["a.png"]) == "top"
    assert inputs.check_crop(" 0.25,0.30 ", ["a.png"]) == "0.25,0.3"
    old = Job(**JOB).to_json()
    assert "crop" not in old
    assert Job.from_json(old).crop == "centre"
    new = Job(**JOB, crop="top").to_json()
    assert Job.from_json(new).crop == new["crop"] == "top"
