"""`python -m pagjax.train` from end to end, on a few pictures of two colours."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pagjax import train
from pagjax.checkpoints import ancestry, shipped, store
from pagjax.checkpoints.cards import CARD
from pagjax.networks.base import base_network
from pagjax.training import origins, recipes, record
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.step import network_of

_SMALL = {
    "--image-size": "8",
    "--stem": "cifar",
    "--stage-sizes": "1",
    "--width": "4",
    "--normalizer": "none",
    "--batch-size": "4",
    "--procedure": "gaussian",
    "--sigma": "0.1",
    "--epochs": "3",
    "--peak-rate": "0.05",
    "--average": "0.5",
    "--draws": "10",
}
SMALL = [word for pair in _SMALL.items() for word in pair]


@pytest.fixture
def colours(tmp_path):
    """Six pictures of each of two colours."""
    for name, colour in (("red", (220, 30, 30)), ("blue", (30, 30, 220))):
        for split in ("train", "test"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(6):
                shade = tuple(value + number for value in colour)
                Image.new("RGB", (8, 8), shade).save(
                    tmp_path / "data" / split / name / f"{number}.png"
                )
    return tmp_path / "data"


def test_cards_name_where_a_run_started_without_a_path(tmp_path):
    path = shutil.copytree(shipped.path("cifar10-vanilla"), tmp_path / "mine")
    told = origins.portable(Settings("cifar10", init=str(path)))["init"]
    assert told.startswith("mine, sha256 ")
    assert origins.portable(Settings("cifar10", init="cifar10-vanilla"))["init"] == (
        "cifar10-vanilla"
    )
    (tmp_path / "mine.npz").write_bytes(b"statistics")
    settings = Settings("cifar10", teacher=str(path), statistics=str(tmp_path / "mine.npz"))
    told = origins.portable(settings)
    assert told["teacher"].startswith("mine, sha256 ")
    assert told["statistics"].startswith("mine.npz, sha256 ")


def test_trains_evaluates_resumes_and_refuses(colours, tmp_path, capsys):
    out = tmp_path / "colours-0.1"
    command = ["--data", str(colours), "--out", str(out), *SMALL]
    assert train.main([*command, "--stop-after", "2"]) == train.EXIT_DONE
    assert not (out / "checkpoint").exists()
    assert train.main([*command, "--no-evaluate"]) == train.EXIT_DONE
    assert store.restore(out / "checkpoint")[0].training_sigma == 0.1
    assert not (out / "checkpoint" / CARD).exists()
    assert train.main(command) == train.EXIT_DONE
    assert "smoothed, majority of 10 draws at sigma 0.1" in capsys.readouterr().out

    card = json.loads((out / "checkpoint" / CARD).read_text())
    assert card["accuracies"]["images"] == 12
    assert card["accuracies"]["smoothed"] >= 0.5
    assert "--sigma 0.1" in card["command"]
    assert card["command"].endswith("--out colours-0.1")
    assert str(tmp_path) not in json.dumps(card)
    assert card["settings"]["data"] == "data"
    assert (out / record.CURVES).exists()
    assert record.read(out)[-1].step == 9

    description, variables = store.restore(out / "checkpoint")
    assert description.labels == ("blue", "red")
    assert description.training_sigma == 0.1
    network = base_network(description, variables)
    red = np.full((1, 8, 8, 3), 0.1, np.float32) + np.array([0.8, 0, 0], np.float32)
    assert network.logits_fn(red).shape == (1, 2)

    assert train.main([*command, "--sigma", "0.2"]) == train.EXIT_REFUSED
    assert "sigma: 0.1, now 0.2" in capsys.readouterr().err
    following = ["--data", str(colours), "--out", str(tmp_path / "next"), *SMALL]
    tuned = [*following, "--init", str(out / "checkpoint"), "--no-evaluate"]
    assert train.main(tuned) == train.EXIT_DONE
    tuned_again = ["--data", str(colours), "--out", str(tmp_path / "last"), *SMALL, "--no-evaluate"]
    started = ["--init", str(tmp_path / "next" / "checkpoint")]
    assert train.main([*tuned_again, *started]) == train.EXIT_DONE
    mother, child = (
        ancestry.ancestors(store.restore(tmp_path / name / "checkpoint")[0])
        for name in ("next", "last")
    )
    assert [told.partition(",")[0] for told in child] == ["next", "colours-0.1"]
    assert child[1:] == mother
    capsys.readouterr()
    taught = ["--data", str(colours), *SMALL, "--procedure", "catrs", "--num-noise", "2"]
    taught += ["--teacher", str(out / "checkpoint"), "--teacher-draws", "5", "--attack-steps", "1"]
    there = ["--out", str(tmp_path / "taught"), "--stop-after", "1"]
    assert train.main([*taught, *there]) == train.EXIT_DONE
    assert (tmp_path / "taught" / "state" / "surveys" / "teacher.npz").exists()
    assert "teacher" in json.loads((tmp_path / "taught" / "data.json").read_text())
    assert train.main([*taught, *there, "--width", "8", "--overwrite"]) == train.EXIT_DONE
    other = ["--teacher", "cifar10-gaussian-0.25", "--overwrite"]
    assert train.main([*taught, *other, *there]) == train.EXIT_REFUSED
    assert "its classes are not those of" in capsys.readouterr().err


def test_a_dry_run_tells_how_long_it_takes_and_writes_nothing(colours, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    command = ["--data", str(colours), *SMALL, "--procedure", "acr", "--select-from", "1"]
    assert train.main([*command, "--num-noise", "1", "--dry-run"]) == train.EXIT_DONE
    told = capsys.readouterr().out
    assert "acr: 12 images of" in told
    # Twelve images: 100 draws once, and 16 at epoch 1 of 3.
    assert "9 steps, about" in told
    assert "1,392 forward passes" in told
    assert sorted(tmp_path.rglob("*")) == before


def test_papers_settings_come_with_their_procedure_and_others_are_refused(colours, capsys):
    def chosen(*words: str) -> Settings:
        return train._recipe(train.parser().parse_args([*words]))[0].settings

    given = chosen("--data", str(colours), "--procedure", "smoothmix", "--num-noise", "5")
    assert (given.num_noise, given.attack_steps, given.step_length) == (5, 4, 0.5)
    changed = chosen("cifar10-gaussian-0.25", "--procedure", "catrs")
    assert (changed.sigma, changed.epsilon, changed.weight) == (0.25, 1.0, 0.5)
    own = recipes.recipe("cifar10-catrs-0.50").settings
    assert chosen("cifar10-catrs-0.50", "--procedure", "catrs") == own
    refused = ["cifar10-gaussian-0.25", "--mix-steps", "1", "--dry-run"]
    assert train.main(refused) == train.EXIT_REFUSED
    assert "only smoothmix does" in capsys.readouterr().err


def test_says_what_is_missing(tmp_path, capsys):
    assert train.main([]) == train.EXIT_REFUSED
    assert "--list" in capsys.readouterr().err
    assert train.main(["cifar10-magic", "--out", str(tmp_path)]) == train.EXIT_REFUSED
    assert "cifar10-gaussian-0.25" in capsys.readouterr().err
    assert train.main(["cifar10-vanilla"]) == train.EXIT_REFUSED
    assert "--out" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete")
    refused = ["cifar10-vanilla", "--out", str(tmp_path / "mine"), "--overwrite"]
    assert train.main(refused) == train.EXIT_REFUSED
    assert (tmp_path / "mine" / "thesis.txt").exists()
    begun = ["imagenette-vanilla", "--out", str(tmp_path / "lost"), "--init"]
    assert train.main([*begun, "imagenette-vanilla-antialiased"]) == train.EXIT_REFUSED
    assert "train it first, by the recipe of that name" in capsys.readouterr().err
    assert train.main([*begun, "imagenette-vanila"]) == train.EXIT_REFUSED
    assert "did you mean imagenette-vanilla" in capsys.readouterr().err
    assert not (tmp_path / "lost").exists()


def test_lists_recipes_and_says_which_are_not_shipped(capsys):
    assert train.main(["--list"]) == train.EXIT_DONE
    told = capsys.readouterr().out
    assert all(name in told for name in recipes.BY_NAME)
    assert "not shipped" in told


@pytest.mark.parametrize("name", recipes.BY_NAME)
def test_recipes_describe_networks(name):
    recipe = recipes.recipe(name)
    network_of(recipe.settings, 10)
    assert recipe.expected


@pytest.mark.parametrize("shape", [{"stage_sizes": ()}, {"stage_sizes": (5000,)}, {"width": 10**9}])
def test_impossible_shapes_of_networks_are_refused(shape):
    with pytest.raises(TrainingError, match=next(iter(shape))):
        Settings("cifar10", **shape)
