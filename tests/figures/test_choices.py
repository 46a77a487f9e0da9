"""What a user chooses for figures is used, told or refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pagjax.checkpoints import shipped
from pagjax.figures import left_out, make, panels, starts
from pagjax.figures.__main__ import main, parser
from pagjax.figures.cast import Cast
from pagjax.figures.make import Choice
from pagjax.figures.recipes import recipes
from pagjax.jobs.errors import JobError
from pagjax.seeds import store

KNOWN = recipes()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["vanila=a"], "did you mean vanilla"),
        (["Adverserial=a"], "did you mean adversarial"),
        (["robust=a"], "no figure has this role"),
        (["gaussian-25%=a"], "write 0.25"),
        (["gaussian-64=a"], "in units of [0, 1]"),
        (["vanilla=a", "Vanilla=b"], "vanilla is given twice, a and b"),
        (["gaussian-0.5=a", "gaussian-.50=b"], "gaussian-0.50 is given twice"),
        (["vanilla="], "write ROLE=NAME_OR_PATH"),
        (["=a"], "write ROLE=NAME_OR_PATH"),
    ],
)
def test_roles_that_no_figure_has_are_refused(given, told):
    with pytest.raises(JobError) as refused:
        Cast(given)
    assert told in str(refused.value)


def test_networks_that_are_not_there_are_refused_with_the_closest(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "names", lambda: ["cifar10-vanilla", "cifar10-gaussian-0.25"])
    with pytest.raises(JobError, match="did you mean cifar10-vanilla"):
        Cast(["vanilla=cifar10-vanila"]).check()
    same = Cast([f"vanilla={tmp_path}", f"adversarial={tmp_path}"])
    assert "plays vanilla and adversarial" in same.check()[0]
    assert Cast(["gaussian-0.5=cifar10-vanilla"]).of_role("gaussian-0.50") == "cifar10-vanilla"


def test_networks_without_a_figure_are_told():
    def told(roles, numbers, sigma=0.25):
        found = list(left_out.of_networks(roles, [KNOWN[number] for number in numbers], sigma))
        assert all(one.is_input for one in found)
        return [one.words for one in found]

    assert told(["vanilla"], [1]) == []
    assert "figures 1, 12 do" in told(["adversarial"], [2])[0]
    assert "pass `sigma=0.37`" in told(["gaussian-0.37"], [2])[0]
    assert "(none)" in told(["vanilla"], [])[0]


def test_settings_that_no_figure_uses_are_told():
    def told(names, *numbers):
        found = left_out.of_settings(names, [KNOWN[number] for number in numbers])
        return [one.words.split(":")[0].strip("`") for one in found]

    every = ["images", "targets", "rows", "columns", "sigma", "num_samples", "certify"]
    assert told(every, 2) == []
    assert told(every, 3) == ["images", "rows"]
    assert told(every, 4) == ["columns", "sigma"]
    assert told(every, 14) == ["columns", "num_samples"]
    assert told(every, 2, 4, 14) == []
    assert told(every) == every


def _pairs(number, **chosen):
    network = SimpleNamespace(labels=("cat", "dog", "cow", "hen"), image_shape=(8, 8, 3))
    told = []
    begun, _, targets = make._pairs(KNOWN[number], Choice(**chosen), network, 8, told.append)
    return begun, targets, [(one.words, one.is_input) for one in told]


def test_a_crop_without_images_is_told():
    network = SimpleNamespace(labels=store.load("cifar10").labels, image_shape=(32, 32, 3))
    for number, images in ((2, ("sample:cat",)), (2, ()), (3, ()), (3, ("sample:cat",))):
        told = []
        choice = Choice(images=images, rows=1, crop="top")
        make._pairs(KNOWN[number], choice, network, 32, told.append)
        ignored = [one for one in told if one.words.startswith("`crop=top`: not used")]
        assert len(ignored) == (number == 3 or not images)


def test_images_and_targets_that_a_figure_leaves_out_are_told():
    samples = ("sample:cat", "sample:coffee", "sample:astronaut")
    begun, _, told = _pairs(2, images=samples, rows=2, targets=("cat", "dog"))
    assert begun.left_out == ("astronaut",)
    assert told == [
        ("1 of the images are left out: astronaut; `rows=2` is as many as it takes", True)
    ]
    _, targets, told = _pairs(1, images=samples[:2], targets=("cat", "dog", "cow"))
    assert targets == (0, 2) or targets == (0, 1)
    assert ("2 images for 3 rows: it has 2 rows", False) in told
    assert any("1 of the targets are left out" in words for words, is_input in told if is_input)
    _, _, told = _pairs(2, images=samples[:1], rows=1, columns=1, targets=("cat", "dog"))
    assert told == [("`columns=1`: the 2 targets are the columns", False)]
    _, _, told = _pairs(2, images=samples[:1], rows=1, columns=9)
    assert told == [("`columns=9`: there are 4 classes", False)]
    with pytest.raises(JobError, match="class 1, dog, is given twice"):
        _pairs(2, images=samples[:1], rows=1, targets=("dog", "1"))
    with pytest.raises(JobError, match="nowhere"):
        _pairs(2, images=("sample:cat", "nowhere.png"))


def test_damaged_images_are_skipped_and_told(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:40])
    begun, _, told = _pairs(2, images=(str(tmp_path),), rows=1)
    assert begun.names == ("whole",)
    ((words, is_input),) = told
    assert words.startswith(f"skipped: {tmp_path / 'cut.png'}: not a readable picture")
    assert is_input
    with pytest.raises(JobError, match=r"cut\.png: not a readable picture"):
        _pairs(2, images=(str(tmp_path / "cut.png"),), rows=1)


def test_a_data_sets_images_are_enough_for_every_part(monkeypatch):
    class Data:
        targets, labels = np.array([0, 1, 1]), ("a", "b")

        def __len__(self):
            return 3

        def images(self, picked):
            return np.zeros((len(picked), 4, 4, 3), np.uint8)

    monkeypatch.setattr(starts, "open_data", lambda *_, **__: Data())
    begun = starts.choose(["x"], ["a", "b"], count=5, part=2, seed=0, side=4, data_dir=None)
    assert len(begun.names) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["2", "--rows", "0"], "at least 1"),
        (["2", "--sigma", "64"], "in units of [0, 1]; 0.25, not 64 or 25%"),
        (["2", "--sigma", "0,25"], "write 0.25"),
        (["2", "--seed", "-1"], "seeds lie from 0"),
        (["2", "--num-samples", "1.5"], "whole number"),
    ],
)
def test_numbers_are_read_as_everywhere(arguments, told, capsys):
    with pytest.raises(SystemExit) as refused:
        parser().parse_args(arguments)
    assert refused.value.code == 2
    assert told in capsys.readouterr().err


def test_unknown_roles_end_the_command_with_one_line(capsys, tmp_path):
    assert main(["2", "--networks", "vanila=x", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: --networks vanila=: no figure has this role; did you mean van")
    assert told.count("\n") == 1


def test_kept_panels_of_another_shape_are_named_and_made_again(tmp_path, capsys):
    job, images = SimpleNamespace(num_steps=4, pairs=((0, 0), (1, 1))), np.zeros((2, 8, 8, 3))
    good = {
        "results": np.zeros((2, 8, 8, 3), np.float32),
        "frames": np.zeros((2, 5, 8, 8, 3), np.uint8),
        "objective": np.zeros((2, 4), np.float32),
    }
    file = tmp_path / "a.npz"
    np.savez(file, **good)
    assert set(panels._read(file, job, images)) == set(good)
    for name, array in (
        ("results", np.full((2, 8, 8, 3), np.nan, np.float32)),
        ("results", np.full((2, 8, 8, 3), 1.5, np.float32)),
        ("results", np.zeros((2, 8, 8, 3), np.int32)),
        ("frames", np.zeros((2, 5, 9, 8, 3), np.uint8)),
        ("objective", np.zeros(2, np.float32)),
    ):
        np.savez(file, **(good | {name: array}))
        assert panels._read(file, job, images) is None
        told = capsys.readouterr().err
        assert str(file) in told
        assert name in told
    del good["objective"]
    np.savez(file, **good)
    assert panels._read(file, job, images) is None
    assert "objective" in capsys.readouterr().err
