"""Class folders through the commands: right labels in what they write, skips in their exit code."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image

from pagjax import certify, fit_seeds, train
from pagjax.arguments.certification import parser
from pagjax.certified_logs import job as jobs
from pagjax.certified_logs import logs
from pagjax.checkpoints import CheckpointError, store
from pagjax.checkpoints.card_tables import TABLE
from pagjax.comparison import starts as begun
from pagjax.convert import probe
from pagjax.figures import starts
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import open_data
from pagjax.jobs.errors import JobError
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from pagjax.seeds import store as statistics

LABELS = ("red", "golf ball", "blue, azure")
COLOURS = {"red": (220, 30, 30), "golf_ball": (230, 230, 230), "Blue": (30, 30, 220)}


def description(**given: object) -> Description:
    values = {"labels": LABELS, "training_sigma": 0.25, **given}
    config = ResNetConfig("cifar", "basic", (1,), 4)
    return Description("tiny", config, 3, NORMALIZERS["none"], (8, 8), **values)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    image = np.zeros((1, 8, 8, 3), np.float32)
    variables = jax.jit(description().network().init)(jax.random.key(0), image)
    return store.save(tmp_path_factory.mktemp("network") / "tiny", description(), variables)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two pictures of each class, whose folders have another order than the network's labels."""
    for name, colour in COLOURS.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            shade = tuple(value + number for value in colour)
            Image.new("RGB", (9, 8), shade).save(tmp_path / "data" / name / f"{number}.png")
    (tmp_path / "data" / ".ipynb_checkpoints").mkdir()
    return tmp_path / "data"


def test_certify_labels_skips_and_goes_on(network, folder, tmp_path, capsys):
    command = ["--checkpoint", str(network), "--data", str(folder), "--out", str(tmp_path / "out")]
    command += ["--num-draws", "20", "--num-selection", "5"]
    whole = (folder / "golf_ball" / "0.png").read_bytes()
    (folder / "golf_ball" / "0.png").write_bytes(whole[:40])
    assert certify.main(command) == certify.EXIT_SOME_SKIPPED
    told = capsys.readouterr().err
    assert "skipped: image 2: " in told
    assert "golf_ball/0.png" in told
    assert "1 of 6 images could not be read" in told
    log = tmp_path / "out" / "certify-sigma_0.25.tsv"
    # Blue, golf_ball, red on disk.
    assert {line.number: line.label for line in logs.read(log).lines} == {0: 2, 1: 2, 3: 1} | {
        4: 0,
        5: 0,
    }
    settings = json.loads(jobs.settings_file(log).read_text())
    assert settings["job"]["preprocessing"] == "cover"
    (folder / "golf_ball" / "0.png").write_bytes(whole)
    # The settings of a log of an older version.
    del settings["job"]["preprocessing"], settings["job"]["class_name"]
    jobs.settings_file(log).write_text(json.dumps(settings))
    assert certify.main(command) == certify.EXIT_DONE
    assert len(logs.read(log).lines) == 6
    assert certify.main([*command, "--preprocessing", "cohen"]) == certify.EXIT_REFUSED
    assert "preprocessing: 'cover', now 'cohen'" in capsys.readouterr().err
    # Renamed, the folder numbers its pictures otherwise.
    (folder / "Blue").rename(folder / "tmp")
    (folder / "red").rename(folder / "Blue")
    (folder / "tmp").rename(folder / "red")
    (folder / "Blue").rename(folder / "azure")
    (folder / "golf_ball").rename(folder / "Golf-Ball")
    assert certify.main(command) == certify.EXIT_REFUSED
    assert "are there now, and their numbers" in capsys.readouterr().err


def test_certify_refuses_by_name(network, folder, tmp_path, capsys):
    command = ["--checkpoint", str(network), "--data", str(folder), "--out", str(tmp_path / "out")]
    (folder / "red").rename(folder / "green")
    assert certify.main(command) == certify.EXIT_REFUSED
    assert "1 of 3 names are no class of the network: 'green'" in capsys.readouterr().err
    assert certify.main([*command, "--class", "red"]) == certify.EXIT_REFUSED
    assert "--class red is for a folder" in capsys.readouterr().err
    flat = [*command[:3], str(folder / "green"), *command[4:], "--class", "purple"]
    assert certify.main(flat) == certify.EXIT_REFUSED
    assert "'purple'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def imagenet_like(side: int, stem: str, classes: int):
    class Network:
        image_shape = (side, side, 3)
        labels = tuple(map(str, range(classes)))
        description = SimpleNamespace(config=SimpleNamespace(stem=stem))

    return Network


@pytest.mark.parametrize(
    ("side", "stem", "classes", "usual"),
    [
        (224, "imagenet", 1000, "cohen"),
        (224, "imagenet", 10, "cohen"),
        (288, "s2d", 1000, "cohen"),
        (32, "imagenet", 1000, "cover"),
        (32, "cifar", 10, "cover"),
        (128, "imagenet", 10, "cover"),
    ],
)
def test_imagenet_networks_are_certified_on_cohens_pictures(side, stem, classes, usual, tmp_path):
    args = parser().parse_args(["--checkpoint", "x", "--out", str(tmp_path)])
    network = imagenet_like(side, stem, classes)
    assert certify._preprocessing(args, network, [0.5]) == usual
    args.preprocessing = "cover"
    assert certify._preprocessing(args, network, [0.5]) == "cover"
    # A log of an older version goes on as it was begun.
    args.preprocessing = None
    log = tmp_path / "certify-sigma_0.5.tsv"
    log.write_text("idx\n")
    jobs.settings_file(log).write_text(json.dumps({"job": {"sigma": 0.5}}))
    assert certify._preprocessing(args, network, [0.5]) == "cover"


SMALL = "--image-size 8 --stem cifar --stage-sizes 1 --width 4 --normalizer none --batch-size 2"
SMALL += " --epochs 1 --peak-rate 0.01 --average 0 --draws 2 --procedure vanilla"


def test_training_never_measures_itself_silently(folder, network, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["--data", str(folder), "--out", str(out), *SMALL.split()]
    assert train.main(command) == train.EXIT_REFUSED
    assert "6 of 6 test images" in (told := capsys.readouterr().err)
    assert "--evaluate-on-training" in told
    (folder / "red" / "0.png").write_bytes(b"no picture")
    said = [*command, "--overwrite", "--evaluate-on-training", "--init", str(network)]
    assert train.main(said) == train.EXIT_SOME_SKIPPED
    assert "skipped: " in capsys.readouterr().err
    card = (out / "checkpoint" / TABLE).read_text()
    assert "evaluated on its own training images" in card.splitlines()[0]
    assert "5 training images" in card
    assert "left out: 1 training images and 1 test images" in card
    # The classes are those of the network to start from.
    assert store.restore(out / "checkpoint")[0].labels == LABELS


def test_training_splits_share_their_classes(folder, tmp_path, capsys):
    (tmp_path / "split").mkdir()
    folder.rename(tmp_path / "split" / "train")
    command = ["--data", str(tmp_path / "split"), "--out", str(tmp_path / "run"), *SMALL.split()]
    assert train.main(command) == train.EXIT_REFUSED
    assert "no folder 'test'" in capsys.readouterr().err
    (tmp_path / "split" / "test" / "violet").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "split" / "test" / "violet" / "0.png")
    assert train.main(command) == train.EXIT_REFUSED
    assert "'violet'" in capsys.readouterr().err


def test_fit_seeds_takes_a_networks_classes(folder, network, tmp_path, capsys):
    out = tmp_path / "own.npz"
    command = [str(folder), "--image-size", "8", "--out"]
    assert fit_seeds.main([*command, str(out)]) == fit_seeds.EXIT_DONE
    assert statistics.load(out).labels == ("Blue", "golf_ball", "red")
    assert "alphabetical order" in capsys.readouterr().err
    out = tmp_path / "networks.npz"
    assert fit_seeds.main([*command, str(out), "--checkpoint", str(network)]) == fit_seeds.EXIT_DONE
    found = statistics.load(out)
    assert found.labels == LABELS
    assert found.fits[2].mean.reshape(-1, 3).argmax(axis=1).tolist() == [2] * 64


def test_figures_know_the_classes_of_class_folders(folder):
    given = {"count": 6, "part": 0, "seed": 0, "side": 8, "data_dir": None}
    assert starts.choose([str(folder)], LABELS, **given).classes == (2, 2, 1, 1, 0, 0)
    assert starts.choose([str(folder / "red")], LABELS, **given).classes == (None, None)


def test_alignment_draws_others_for_damaged_pictures(folder):
    (folder / "red" / "0.png").write_bytes(b"no picture")
    data = open_data(str(folder), "test", 8, classes=Classes(LABELS))
    found = begun.from_data(data, 5, seed=0)
    assert sorted(found.classes.tolist()) == [0, 1, 1, 2, 2]
    assert "red/0.png" in found.skipped[0]
    for image, own in zip(found.images, found.classes, strict=True):
        assert own == 1 or image[0, 0].argmax() == own
    with pytest.raises(JobError, match="has 5 images"):
        begun.from_data(data, 6, seed=0)
    why: list[str] = []
    nearest = begun.nearest_images(found.images, found.classes, data, 1, why.append)
    assert nearest.shape == (5, 1, 8, 8, 3)
    assert len(why) == 1
    with pytest.raises(JobError, match=r"1 images of red.*`neighbours=1`"):
        begun.nearest_images(found.images, found.classes, data, 2, why.append)


def test_probing_matches_by_name_never_by_place(folder):
    files, classes = probe.labelled_pictures(folder, LABELS, 3)
    assert [file.parent.name for file in files[::2]] == ["Blue", "golf_ball", "red"]
    assert classes.tolist() == [2, 2, 1, 1, 0, 0]
    for labels in (None, ("one", "two", "three")):
        with pytest.raises(CheckpointError, match="'Blue', 'golf_ball'"):
            probe.labelled_pictures(folder, labels, 3)


def test_wordnet_ids_travel_with_the_network():
    ids = ("n01440764", "n03028079", "n03417042")
    whole = description(wordnet_ids=ids)
    assert Description.from_json(whole.to_json()).wordnet_ids == ids
    older = {name: value for name, value in whole.to_json().items() if name != "wordnet_ids"}
    assert Description.from_json(older).wordnet_ids is None
    for wrong in (ids[:2], (ids[0],) * 3):
        with pytest.raises(ValueError, match="WordNet ids for 3 classes"):
            description(wordnet_ids=wrong)
