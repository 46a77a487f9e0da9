"""Seeds in `synthesize --class`, and `python -m pagjax.align`, on a network of random weights."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from pagjax import align, synthesize
from pagjax import checkpoints as pagjax_checkpoints
from pagjax.alignment import batches
from pagjax.checkpoints import store as checkpoints
from pagjax.comparison import inputs, measuring
from pagjax.comparison import starts as begun
from pagjax.comparison.settings import Comparison
from pagjax.io.files.atomic import read_arrays
from pagjax.jobs.errors import JobError
from pagjax.seeds import starts, store
from pagjax.seeds.fitting import fit_classes
from pagjax.synthesis.plan import Asked
from tests.support import tiny_checkpoint
from tests.training import tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_checkpoint.save(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def judge(checkpoint) -> Path:
    """The same architecture with other weights."""
    description, variables = checkpoints.restore(checkpoint)
    other = jax.tree.map(lambda leaf: np.asarray(leaf) * 1.25, variables)
    return checkpoints.save(checkpoint.with_name("judge"), description, other)


@pytest.fixture(scope="module")
def statistics(tmp_path_factory) -> Path:
    """Three classes at eight pixels, half the network's side."""
    fitted = fit_classes(tiny.data(60), split="train", share=0.9)
    file = tmp_path_factory.mktemp("statistics") / "tiny.npz"
    store.save(file, dataclasses.replace(fitted, labels=tiny_checkpoint.LABELS))
    return file


def test_a_seeds_name_says_all(statistics):
    names, targets = starts.names(["dog"], tiny_checkpoint.LABELS, str(statistics), count=2, seed=5)
    assert targets == ["1", "1"]
    one, other = (starts.read(name, (16, 16)) for name in names)
    assert one.shape == (16, 16, 3)
    np.testing.assert_array_equal(one, starts.read(names[0], (16, 16)))
    assert np.abs(one - other).max() > 0.01
    assert np.abs(one - starts.read(names[0].replace("dog-5", "dog-6"), (16, 16))).max() > 0.01
    assert one[..., 1].mean() > one[..., 0].mean() + 0.2  # its class is brighter in this channel
    for name, message in (
        ("seed:horse", "write seed:STATISTICS"),
        ("seed:svhn/dog-0-0", "shipped"),
        (f"seed:{statistics}/bird-0-0", "no class of this network"),
    ):
        with pytest.raises(JobError, match=message):
            starts.read(name, (16, 16))
    with pytest.raises(JobError, match="multiple of 8, not 20"):
        starts.read(names[0], (20, 20))


def test_classes_are_painted_from_seeds_alone(checkpoint, statistics, tmp_path, capsys):
    given = ["--checkpoint", str(checkpoint), "--class", "dog", "cat", "--count", "2"]
    given += ["--statistics", str(statistics), "--steps", "2", "--num-samples", "2"]
    assert synthesize.main([*given, "--out", str(tmp_path / "out")]) == 0
    arrays = read_arrays(tmp_path / "out" / "arrays.npz")
    assert arrays["target"].tolist() == [1, 1, 0, 0]
    assert arrays["image"].tolist() == [0, 1, 2, 3]
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    expected = [starts.read(name, (16, 16)) for name in record["job"]["images"]]
    np.testing.assert_array_equal(arrays["x0"], expected)
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.height > 4 * 160 > sheet.width  # two classes of two rows, two columns
    again = ["--repeat", str(tmp_path / "out" / "record.json"), "--out", str(tmp_path / "again")]
    assert synthesize.main(again) == 0
    assert "the same bits" in capsys.readouterr().out
    assert synthesize.main([*given, "--targets", "dog", "--out", str(tmp_path / "no")]) == 2
    assert "--class brings its own" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_several_networks_are_measured_and_kept(checkpoint, judge, statistics, tmp_path, capsys):
    given = ["--networks", str(checkpoint), "--vanilla-judge", str(judge), "--count", "4"]
    given += ["--statistics", str(statistics), "--steps", "2", "--num-samples", "2"]
    given += ["--agreement", "2", "--out", str(tmp_path / "out")]
    assert align.main(given) == 0
    told = capsys.readouterr()
    assert "judge low pass hit" in told.out
    assert "no robust judge" in told.err
    with (tmp_path / "out" / "numbers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    folder = tmp_path / "out" / "networks" / "tiny"
    pictures, numbers = folder / "pictures.npz", folder / "numbers.npz"
    kept = read_arrays(numbers)
    for name, values in kept.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-4)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    (network,) = record["networks"].values()
    mean = network["summary"]["distance"]["value"]
    assert mean == pytest.approx(kept["distance"].mean(), rel=1e-6)
    before = pictures.stat().st_mtime_ns, numbers.stat().st_mtime_ns
    assert align.main(given) == 0
    assert (pictures.stat().st_mtime_ns, numbers.stat().st_mtime_ns) == before
    assert align.main([*given, "--seed", "3"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert align.main([*given[:2], "--judge", str(checkpoint), *given[4:]]) == 2
    assert "cannot judge them" in capsys.readouterr().err


def test_a_judge_that_makes_pictures_judges_those_of_others(checkpoint, judge, capsys):
    networks = {str(path): pagjax_checkpoints.load(path) for path in (checkpoint, judge)}
    args = argparse.Namespace(judge=[str(judge)], vanilla_judge=None)
    judges = inputs.read_judges(args, networks).networks
    kept = [inputs.impartial(judges, name, network) for name, network in networks.items()]
    assert [[judge.name for judge in seated] for seated in kept] == [["robust"], []]
    assert kept[0][0].on_panel
    assert f"{judge} does not judge its own pictures: no robust" in capsys.readouterr().err


def _comparison(**changes) -> Comparison:
    given = vars(align.parser().parse_args(["--networks", "tiny"]))
    return Comparison(**{k: v for k, v in given.items() if k not in ("out", "overwrite")} | changes)


def test_a_panel_hears_each_network_once_and_one_judge_is_recorded_as_before(checkpoint, judge):
    networks = {str(checkpoint): pagjax_checkpoints.load(checkpoint)}
    third = checkpoints.save(
        judge.with_name("third"),
        checkpoints.restore(judge)[0],
        jax.tree.map(lambda leaf: np.asarray(leaf) * 1.5, checkpoints.restore(judge)[1]),
    )
    asked = _comparison(judge=[str(judge), str(third)], vanilla_judge=str(third))
    judges, weights, identities = inputs.read_judges(asked, networks)
    assert list(judges) == ["robust", "robust_2", "vanilla"]
    assert set(weights) == set(identities) == {*judges, "low_pass"}
    seated = inputs.impartial(judges, "tiny", networks[str(checkpoint)])
    panel = [one.name for one in seated if one.on_panel]
    assert panel == ["robust", "robust_2"]  # the vanilla one is the second again
    assert [one.name for one in seated] == ["robust", "robust_2", "vanilla", "low_pass"]
    with pytest.raises(JobError, match="given twice"):
        inputs.read_judges(_comparison(judge=[str(judge), str(judge)]), networks)
    for given, told in ((None, None), (["a"], "a"), (["a", "b"], ["a", "b"])):
        assert _comparison(judge=given).to_json()["judge"] == told


def test_presets_make_jobs(checkpoint):
    starts = begun.Starts("grey", np.full((3, 16, 16, 3), 0.5), np.zeros(3, int))
    network = pagjax_checkpoints.load(checkpoint)
    jobs = [
        measuring.job_of(
            "tiny",
            network,
            starts,
            np.ones(3, int),
            Asked(preset="fast", sigma=sigma, num_samples=count),
        )
        for sigma, count in ((0.25, None), (0.25, 3), (0.0, None))
    ]
    assert [job.sampling for job in jobs] == ["antithetic", "independent", "independent"]
    assert [job.num_samples for job in jobs] == [2, 3, 1]
    assert {(job.schedule, job.momentum) for job in jobs} == {("linear", 0.8)}


def test_pictures_of_another_machines_batches_are_taken_over(checkpoint, tmp_path, monkeypatch):
    starts = begun.Starts("grey", np.full((3, 16, 16, 3), 0.5, np.float32), np.zeros(3, int))
    network = pagjax_checkpoints.load(checkpoint)
    given = Asked(sigma=0.25, epsilon=1.0, num_steps=1, num_samples=2)
    job = measuring.job_of("tiny", network, starts, np.ones(3, int), given)
    made = measuring.make_pictures(tmp_path, network, job, starts, lambda progress: None)
    elsewhere = dataclasses.replace(job, batch_size=1)
    monkeypatch.setattr(measuring, "execute", None)
    found = measuring.make_pictures(tmp_path, network, elsewhere, starts, lambda progress: None)
    np.testing.assert_array_equal(found, made)
    with pytest.raises(JobError, match="other settings"):
        measuring.make_pictures(
            tmp_path, network, dataclasses.replace(job, epsilon=2.0), starts, lambda progress: None
        )


def test_accelerators_take_all_pictures_at_once(checkpoint, monkeypatch):
    starts = begun.Starts("grey", np.full((100, 16, 16, 3), 0.5), np.zeros(100, int))
    network = pagjax_checkpoints.load(checkpoint)
    given = Asked(sigma=0.25, epsilon=1.0, num_steps=1, num_samples=20)
    sizes = []
    for platform in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda platform=platform: platform)
        job = measuring.job_of("tiny", network, starts, np.ones(100, int), given)
        sizes.append(job.batch_size)
        batches.in_batches(lambda x: sizes.append(len(x)) or x, starts.images)
    assert sizes[-2:] == [100, 100]
    assert max(sizes[:-2]) <= 16


def test_nearest_images_are_kept_with_what_they_were_looked_for(tmp_path):
    data = tiny.data(60)
    starts = begun.from_data(data, 4, seed=0)
    targets, others = (starts.classes + 1) % 3, (starts.classes + 2) % 3
    opened = []

    def look(file, source, own=others):
        wanted = begun.Wanted(starts, targets, own, 2)
        return begun.neighbours(file, wanted, source, lambda: opened.append(source) or data)

    file = tmp_path / "neighbours.npz"
    found = look(file, "tiny train")
    for classes, images in zip((targets, others), found, strict=True):
        for start, index, nearest in zip(starts.images, classes, images, strict=True):
            pictures = data.images(np.flatnonzero(data.targets == index)) / 255
            distances = np.sort(np.square(pictures - start).sum(axis=(1, 2, 3)))
            np.testing.assert_allclose(
                np.square(nearest - start).sum(axis=(1, 2, 3)), distances[:2], rtol=1e-4
            )
    np.testing.assert_array_equal(look(file, "tiny train"), found)
    assert opened == ["tiny train"]
    look(file, "tiny test")
    look(file, "tiny test", targets)
    assert opened == ["tiny train", "tiny test", "tiny test"]
