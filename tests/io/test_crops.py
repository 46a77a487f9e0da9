"""Which part of a picture is kept: words, points, boxes, and old records that name none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pagjax import align
from pagjax.comparison import inputs as comparison_inputs
from pagjax.comparison.settings import Comparison
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import LabelledImages, open_data
from pagjax.io.pictures import crops, images, samples
from pagjax.jobs.errors import JobError
from pagjax.synthesis import inputs
from pagjax.synthesis.job import SUBJECT, Job
from tests.support import tiny_checkpoint

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
    with pytest.raises(JobError, match="`crop`"):
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


@pytest.fixture
def bands(banded, tmp_path):
    """A folder of data whose pictures, of one class a band, are all `banded`."""
    for split, number in (("test", 2), ("train", 3)):
        for label in tiny_checkpoint.LABELS:
            folder = tmp_path / "data" / split / label
            folder.mkdir(parents=True)
            for index in range(number):
                (folder / f"{index}.png").write_bytes(banded.read_bytes())
    banded.unlink()
    return tmp_path / "data"


def _align(*given):
    asked = vars(align.parser().parse_args(["--networks", "a", *given]))
    return Comparison(**{k: v for k, v in asked.items() if k not in ("out", "overwrite")})


@pytest.mark.parametrize(("crop", "colour"), [("left", 0), ("centre", 1), ("0.7,0,1,1", 2)])
def test_labelled_pictures_show_what_a_crop_says(bands, crop, colour):
    """As `synthesize` would: starts and the images among which neighbours are looked for."""
    args = _align("--data", str(bands), "--crop", crop, "--count", "4")
    kept = comparison_inputs.crop_of(args)
    classes = Classes(tiny_checkpoint.LABELS)
    starts, train, source = comparison_inputs.read_starts(args, classes, (16, 16, 3), kept)
    assert source.endswith(f" {kept}") == (crop != "centre")
    for shown in (starts.images, train().images([0, 8]) / 255):
        assert shown[..., colour].mean() > 0.97
        assert np.delete(shown, colour, axis=-1).mean() < 0.02


@pytest.mark.parametrize("kind", ["array", "picture"])
def test_data_sets_are_cropped_as_files_are(banded, kind):
    picture = Image.open(banded).convert("RGB")
    held = np.asarray(picture) if kind == "array" else picture
    for crop in ("left", "0.7,0,1,1"):
        data = LabelledImages(
            "a", ("a",), np.zeros(1, int), 30, lambda _: [held], crop=crops.parse(crop)
        )
        seen = data.images([0])[0] / 255
        np.testing.assert_allclose(
            seen, images.read(banded, (30, 30), crop=crops.parse(crop)), atol=1 / 255
        )
    square = np.asarray(picture.crop((0, 0, 30, 30)))
    whole, half = (
        LabelledImages("a", ("a",), np.zeros(1, int), 30, lambda _: [square], crop=crop)
        for crop in ((0.0, 0.5), (0.0, 0.0, 0.5, 0.5))
    )
    np.testing.assert_array_equal(whole.images([0])[0], square)
    assert half.images([0]).shape == (1, 30, 30, 3)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--crop", "middle", "--data", "x"], "--crop 'middle': one of centre, top"),
        (["--crop", "top"], "--crop top: class seeds are whole"),
        (
            ["--crop", "top", "--data", "x", "--preprocessing", "cohen"],
            "--crop top: --preprocessing cohen keeps the centre",
        ),
    ],
)
def test_align_refuses_a_crop_that_would_change_nothing(given, told, tmp_path, capsys):
    out = tmp_path / "out"
    assert align.main(["--networks", "a", *given, "--out", str(out)]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists() or not list(out.glob("[!.]*"))


def test_a_box_goes_with_either_preprocessing(bands):
    args = _align("--data", str(bands), "--crop", "0,0,0.3,1", "--preprocessing", "cohen")
    kept = comparison_inputs.crop_of(args)
    data = open_data(str(bands), "test", 16, preprocessing="cohen", crop=crops.parse(kept))
    assert data.images([0])[0, ..., 0].mean() > 250


def test_runs_of_the_centre_are_recorded_as_before_there_were_crops():
    args = _align("--data", "x", "--crop", "center")
    assert comparison_inputs.crop_of(args) == "centre"
    assert "crop" not in args.to_json()
