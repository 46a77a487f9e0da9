"""Which class a target is, and which lengths a job and a training run take."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax.comparison import inputs
from pagjax.jobs.errors import JobError
from pagjax.jobs.targets import resolve_target
from pagjax.seeds import starts
from pagjax.synthesis.job import Job
from pagjax.training import recipes, step
from pagjax.training.settings import Settings, TrainingError

IMAGENET = ("crane", "tench, Tinca tinca", "golf ball", "crane, bird", "maillot", "golf_ball")
DIGITS = ("0", "1", "10", "2")
JOB = Job(
    checkpoint="a",
    checkpoint_sha256="",
    images=("a",),
    images_sha256=("",),
    image_size=(32, 32),
    targets=(0,),
    pairs=((0, 0),),
    sigma=0.25,
    epsilon=5.0,
    step_size=0.1,
    num_steps=1,
    num_samples=1,
    objective="tcm",
    projection="ball-then-box",
    noise="fresh",
    keep="last",
    clip=True,
    seed=0,
    batch_size=1,
    chunk_size=None,
)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("Tench", 1),
        ("tinca_tinca", 1),
        ("TENCH, tinca TINCA", 1),
        (" maillot ", 4),
        ("3", 3),
        ("+3", 3),
        ("003", 3),
        (5, 5),
    ],
)
def test_targets_are_found_by_label_and_index(text, index):
    assert resolve_target(text, IMAGENET) == index


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("crane", "several classes: use one of the indices [0, 3]"),
        ("golf-ball", "several classes: use one of the indices [2, 5]"),
        ("malliot", "did you mean maillot?"),
        ("-1", "classes are 0 to 5"),
        ("6", "classes are 0 to 5"),
        (6, "classes are 0 to 5"),
        (str(2**40), "classes are 0 to 5"),
        ("9" * 5000, "classes are 0 to 5"),
        ("²", "is no class"),
        ("1.0", "is no class"),
        ("", "is no class"),
        ("a\nb", "is no class"),
    ],
)
def test_targets_that_mean_no_class_or_several_are_refused(text, told):
    with pytest.raises(JobError) as refused:
        resolve_target(text, IMAGENET)
    assert told in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_numbers_that_are_other_classes_labels_are_refused_with_both_indices():
    assert resolve_target("1", DIGITS) == 1
    for text, label in (("2", 3),):
        with pytest.raises(JobError, match="label of class 3 and the index of class 2, 10"):
            resolve_target(text, DIGITS)
        assert resolve_target(f"label:{text}", DIGITS) == label
        assert resolve_target(f"index:{text}", DIGITS) == int(text)
    assert resolve_target("10", DIGITS) == 2  # no index


@given(st.text(max_size=30), st.lists(st.text(max_size=8), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_target_is_a_class_or_refused_in_one_line(text, labels):
    told = ""
    try:
        assert 0 <= resolve_target(text, labels) < len(labels)
    except JobError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1


def test_classes_of_one_label_keep_their_own_seeds(monkeypatch):
    class Statistics:
        labels, data = IMAGENET, "tiny"

    monkeypatch.setattr(starts, "_statistics", lambda *_: ("tiny", Statistics))
    names, targets = starts.names([0, 3, "tench"], IMAGENET, None, count=1, seed=0)
    assert targets == ["0", "3", "1"]
    assert names == [
        "seed:tiny/0-0-0",
        "seed:tiny/crane, bird-0-0",
        "seed:tiny/tench, Tinca tinca-0-0",
    ]
    Statistics.labels = DIGITS
    _, targets = starts.names(list(range(4)), DIGITS, None, count=1, seed=0)
    assert [resolve_target(text, DIGITS) for text in targets] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "lengths",
    [
        {"sigma": 64},
        {"sigma": float("nan")},
        {"sigma": "0.25"},
        {"epsilon": 64.0},
        {"epsilon": -1.0},
        {"epsilon": None},
        {"step_size": 56.0},
        {"step_size": float("inf")},
    ],
)
def test_lengths_in_other_units_are_refused_by_jobs_and_training(lengths):
    with pytest.raises(JobError, match="64 or 25%"):
        dataclasses.replace(JOB, **lengths)
    if "step_size" not in lengths:
        with pytest.raises(TrainingError, match="64 or 25%"):
            Settings(data="cifar10", **lengths)


def test_the_ball_may_reach_across_the_box_and_beyond_it_without_one():
    assert dataclasses.replace(JOB, epsilon=55.43).epsilon == 55.43
    assert dataclasses.replace(JOB, epsilon=64.0, image_size=(224, 224)).epsilon == 64
    assert dataclasses.replace(JOB, epsilon=64.0, clip=False).epsilon == 64


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"procedure": "smoothavd"}, "did you mean smoothadv"),
        ({"optimizer": "sdg"}, "did you mean sgd"),
        ({"normalizer": "cifar-10"}, "cifar10"),
        ({"stem": "cifr"}, "did you mean cifar"),
        ({"precision": "float16"}, "float32"),
        ({"crop": "random"}, "one of pad, resized, none"),
    ],
)
def test_names_of_settings_are_refused_with_the_closest(setting, told):
    with pytest.raises(TrainingError) as refused:
        step.check_names(Settings(data="cifar10", **setting))
    assert told in str(refused.value)
    assert next(iter(setting)) in str(refused.value)


def test_unknown_recipes_are_refused_with_the_closest():
    with pytest.raises(TrainingError, match=r"did you mean cifar10-vanilla\b"):
        recipes.recipe("cifar10-vanila")
    for recipe in recipes.BY_NAME.values():
        step.check_names(recipe.settings)


def test_networks_of_one_name_are_refused(tmp_path):
    inputs.check_names(["a/x", "a/y"])
    with pytest.raises(JobError, match="given twice"):
        inputs.check_names(["x", "x"])
    with pytest.raises(JobError, match="are one name"):
        inputs.check_names(["a/x", "b/x"])
