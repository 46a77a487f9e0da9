"""train, killed before its file operations: the same command ends in the same network."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from PIL import Image

from pagjax import train
from pagjax.io.files import atomic, locks
from pagjax.jobs import environment
from pagjax.training import loop, own_files, record, run_folder, watch
from pagjax.training.settings import Settings
from pagjax.training.step import Measured, State, network_of
from tests.safety import quick_arrays
from tests.safety.injection import check_every_kill, snapshot
from tests.training import tiny

_SMALL = {
    "--image-size": "8",
    "--stem": "cifar",
    "--stage-sizes": "1",
    "--width": "4",
    "--normalizer": "none",
    "--batch-size": "4",
    "--procedure": "gaussian",
    "--sigma": "0.1",
    "--epochs": "1",
    "--draws": "2",
}
OLD, NEW = ("--seed", "1"), ("--seed", "2")


@pytest.fixture
def data(tmp_path) -> Path:
    for index, pixels in enumerate(tiny.images(18)):
        split = "train" if index < 12 else "test"
        home = tmp_path / "data" / split / ("blue", "green", "red")[index % 3]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(home / f"{index}.png")
    return tmp_path / "data"


@pytest.fixture(scope="module")
def variables():
    settings = Settings(
        "", image_size=8, stem="cifar", stage_sizes=(1,), width=4, normalizer="none"
    )
    image = jnp.zeros((1, 8, 8, 3))
    made = jax.eval_shape(network_of(settings, 3).init, jax.random.key(0), image)
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), dict(made))


@pytest.fixture
def run(data, variables, monkeypatch) -> Callable[..., int]:
    """The command, with a step that adds the batch's mean to all weights, and a linear network."""

    def init(settings, *_):
        start = jax.tree.map(lambda leaf: leaf + np.float32(settings.seed), variables)
        return State(np.zeros((), np.int32), start, start, (np.zeros((), np.int32),))

    def make_step(settings, *_):
        def step(state, images, labels):
            moved = np.float32(np.asarray(images).mean() / 1000)
            new = jax.tree.map(lambda leaf: np.asarray(leaf) + moved, state.variables)
            count = np.asarray(state.step) + np.int32(1)
            seen = Measured(np.float32(np.asarray(labels).sum()), np.float32(0.5))
            return State(count, new, new, state.optimizer), seen

        return step

    def network(description, values, *_):
        return SimpleNamespace(logits_fn=Partial(_linear, values["params"]["head"]["bias"]))

    clock = itertools.count()
    quick_arrays.use(monkeypatch)
    monkeypatch.setattr(loop, "init", init)
    monkeypatch.setattr(loop, "make_step", make_step)
    monkeypatch.setattr(loop, "place", lambda state, mesh: state)
    monkeypatch.setattr(watch, "_trial", lambda *_: 0.5)
    monkeypatch.setattr(watch, "_classifier", lambda *_: None)
    monkeypatch.setattr(watch, "STEPS_BETWEEN_REPORTS", 1)
    monkeypatch.setattr(watch, "SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr(watch.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(run_folder, "base_network", network)
    monkeypatch.setattr(record, "total_of", lambda *_: 0.0)
    monkeypatch.setattr(
        record, "draw_curves", lambda folder: atomic.write_bytes(folder / record.CURVES, b"")
    )
    monkeypatch.setattr(environment, "prepare", lambda: None)
    monkeypatch.setattr(environment, "describe", dict)
    small = [word for pair in _SMALL.items() for word in pair]

    def command(out: Path, *more: str) -> int:
        return train.main(["--data", str(data), "--out", str(out / "run"), *small, *more])

    return command


def _linear(bias, images):
    return jnp.tanh(images.mean(axis=(1, 2))) + jnp.asarray(bias, images.dtype)


def _result(folder: Path):
    """All files but locks and clocks, and what was measured of each step."""
    left = snapshot(folder, leave_out=lambda n: n.endswith(".lock") or n.endswith(record.METRICS))
    lines = record.read(folder / "run")
    measured = [(line.step, line.loss, line.test_accuracy) for line in lines]
    text = (folder / "run" / record.METRICS).read_text()
    assert len(text.splitlines()) == len(lines)
    return left, measured


def _made(folder: Path) -> Path:
    (folder / "kills").mkdir()
    return folder / "kills"


def test_kills_of_a_first_start(run, tmp_path):
    total = check_every_kill(
        prepare=lambda folder: None,
        run=lambda folder: run(folder, *NEW),
        result=_result,
        folder=_made(tmp_path),
        every=3,
    )
    assert total > 100


def test_kills_of_an_overwriting_start(run, tmp_path):
    """Of a run that was whole, and of one of the same settings that was not."""
    assert run(tmp_path / "old", *OLD) == 0

    def prepare(folder):
        shutil.copytree(tmp_path / "old", folder, dirs_exist_ok=True)

    total = check_every_kill(
        prepare=prepare,
        run=lambda folder: run(folder, *NEW, "--overwrite"),
        result=_result,
        folder=_made(tmp_path),
        every=5,
    )
    assert total > 100
    run(tmp_path / "fresh", *NEW)
    assert _result(tmp_path / "fresh") == _result(tmp_path / "kills" / "whole")


def test_steps_are_not_taken_again(run, tmp_path, monkeypatch):
    assert run(tmp_path, *NEW) == 0
    wanted, taken, make = _result(tmp_path), [], loop.make_step

    def counted(*given):
        step = make(*given)

        def count(state, *batch):
            taken.append(int(state.step))
            if taken.count(2) == 1 and taken[-1] == 2:
                raise KeyboardInterrupt
            return step(state, *batch)

        return count

    monkeypatch.setattr(loop, "make_step", counted)
    assert run(tmp_path, *NEW, "--overwrite") == 130
    assert run(tmp_path, *NEW, "--overwrite") == 0
    assert taken == [0, 1, 2, 2]
    assert _result(tmp_path) == wanted
    taken.clear()
    assert run(tmp_path, *NEW, "--overwrite", "--stop-after", "1") == 0
    assert taken == [0]  # that one was done: it is forgotten when asked for


def test_the_second_process_is_refused(run, tmp_path, capsys):
    with locks.held(tmp_path / "run"):
        assert run(tmp_path) == 2
    assert f"{tmp_path / 'run'} is in use by another job" in capsys.readouterr().err


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("where", ["alone", "beside", "state/step-3", "checkpoint", "link"])
def test_files_of_others_stay(run, tmp_path, capsys, overwrite, where):
    if where != "alone":
        assert run(tmp_path, *OLD) == 0
    mine = tmp_path / "run" / ("" if where in ("alone", "beside", "link") else where) / "thesis.tex"
    mine.parent.mkdir(exist_ok=True)
    if where == "link":
        mine.symlink_to(tmp_path / "data")
    else:
        mine.write_text("years")
    before = snapshot(tmp_path)
    status = run(tmp_path, *NEW, *(["--overwrite"] if overwrite else []))
    assert status == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert str(tmp_path / "run") in told
    assert snapshot(tmp_path) == before
    if where == "alone" or overwrite:
        assert "thesis.tex" in told


def test_out_that_is_a_file_is_one_line(run, tmp_path, capsys):
    (tmp_path / "run").write_text("mine")
    assert run(tmp_path) == 2
    assert str(tmp_path / "run") in capsys.readouterr().err.splitlines()[-1]


EDITS = {
    "settings.json": ["", "[]", "{", '{"data": 7}', '{"sigma": 1}', '{"mine": 1}'],
    "data.json": ["", "[]", "{", "{}"],
    "metrics.jsonl": ['{"step": "one"}\n', "7\n", '{"step": 1}\n', '{"step": 1e400}\n'],
    "state/step-2/manifest.ocdbt": None,
    "state/step-2/digest.json": ["", "{}", '{"sha256": 7}', '{"sha256": "0"}'],
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_files_are_named(run, tmp_path, capsys, name):
    assert run(tmp_path, *OLD, "--stop-after", "2") == 0
    file = tmp_path / "run" / name
    whole = file.read_bytes()
    state = run_folder_state(tmp_path)
    tried = EDITS[name] or [_leaves(state, 1.0), _leaves(state, step=7), _leaves(state, cut=True)]
    for content in tried:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        assert run(tmp_path, *OLD) == 2, content
        told = capsys.readouterr().err.splitlines()[-1]
        named = file.parent if name.startswith("state") or name == "settings.json" else file.name
        assert str(named) in told
    file.write_bytes(whole)
    assert run(tmp_path, *OLD) == 0


def run_folder_state(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "run" / "state" / "step-2" / "manifest.ocdbt") as file:
        return {name: file[name] for name in file.files}


def _leaves(state, added=0.0, *, step=None, cut=False) -> bytes:
    changed = {n: a + np.float32(added) if a.dtype == np.float32 else a for n, a in state.items()}
    if step is not None:
        changed["00000"] = np.int32(step)
    if cut:
        changed.pop("00001")
    buffer = io.BytesIO()
    np.savez(buffer, **changed)
    return buffer.getvalue()


@pytest.mark.parametrize("split", ["train", "test"])
def test_changed_images_are_told(run, data, tmp_path, capsys, split):
    assert run(tmp_path, *OLD, "--stop-after", "2") == 0
    picture = next((data / split / "red").iterdir())
    Image.new("RGB", (8, 8)).save(picture)
    assert run(tmp_path, *OLD) == 2
    told = "training images" if split == "train" else "test images"
    assert f"begun with other {told}" in capsys.readouterr().err


def test_a_state_of_another_run_is_told(run, tmp_path, capsys):
    assert run(tmp_path, *OLD, "--stop-after", "2") == 0
    assert run(tmp_path / "other", *NEW, "--stop-after", "2") == 0
    shutil.rmtree(tmp_path / "run" / "state")
    shutil.copytree(tmp_path / "other" / "run" / "state", tmp_path / "run" / "state")
    assert run(tmp_path, *OLD) == 2
    assert "is of a run of other settings" in capsys.readouterr().err


def test_runs_of_before_go_on(run, tmp_path):
    """They have no digests, and say nothing of their images."""
    assert run(tmp_path / "new", *OLD) == 0
    assert run(tmp_path / "old", *OLD, "--stop-after", "2") == 0
    (tmp_path / "old" / "run" / "data.json").unlink()
    (tmp_path / "old" / "run" / "state" / "step-2" / "digest.json").unlink()
    assert run(tmp_path / "old", *OLD) == 0
    assert _result(tmp_path / "old")[0] == _result(tmp_path / "new")[0]


def test_an_evaluation_of_another_network_is_not_taken_over(run, tmp_path):
    assert run(tmp_path / "new", *NEW) == 0
    assert run(tmp_path / "old", *OLD) == 0
    kept = tmp_path / "old" / "run" / "evaluation"
    assert run(tmp_path / "run", *NEW, "--stop-after", "2") == 0
    shutil.copytree(kept, tmp_path / "run" / "run" / "evaluation")
    assert run(tmp_path / "run", *NEW) == 0
    assert _result(tmp_path / "run")[0] == _result(tmp_path / "new")[0]


def test_settings_that_a_run_writes_are_of_its_own_files(run, tmp_path):
    assert run(tmp_path, *OLD) == 0
    assert own_files.foreign(tmp_path / "run") == []
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["seed"] == 1
