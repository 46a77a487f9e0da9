"""The loop: interrupted equals uninterrupted, several devices equal one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.jobs.errors import JobError
from pagjax.training import loop, record, state_files
from pagjax.training.settings import TrainingError
from tests.training import tiny

ROOT = Path(__file__).resolve().parents[2]
TRAIN, TEST = tiny.data(10), tiny.data(6, seed=1)


def _train(folder: Path, settings=tiny.SETTINGS, **given):
    seen: list[loop.TrainingProgress] = []
    state = loop.train(settings, TRAIN, TEST, folder, report=seen.append, **given)
    return state, seen


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without interruption: its last state and its progress."""
    return _train(tmp_path_factory.mktemp("whole"))


def test_interrupted_equals_uninterrupted_bit_for_bit(whole, tmp_path):
    stopped, _ = _train(tmp_path, stop_after=3)
    assert int(stopped.step) == 3
    (tmp_path / ".step-4").mkdir()  # what a kill in the middle of saving leaves
    parts, _ = _train(tmp_path)
    assert int(parts.step) == int(whole[0].step) == 4
    for a, b in zip(jax.tree.leaves(parts), jax.tree.leaves(whole[0]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_state_in_a_folder_named_from_here_is_kept(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state_files.save(Path("run"), whole[0]._replace(step=jnp.asarray(3)))
    path = state_files.save(Path("run"), whole[0])
    assert [found.name for found in Path("run").iterdir()] == [path.name] == ["step-4"]


def test_progress_says_where_the_run_stands(whole, tmp_path):
    _, seen = whole
    last = seen[-1]
    assert (last.step, last.steps, last.epoch) == (4, 4, 2.0)
    assert last.test_accuracy is not None
    assert 0 <= last.accuracy <= 1
    for progress in seen:
        record.append(tmp_path, progress)
    with (tmp_path / record.METRICS).open("a") as file:
        file.write('{"step": 9, "lo')  # what a kill leaves
    lines = record.read(tmp_path)
    assert [line.step for line in lines] == [p.step for p in seen]
    assert record.draw_curves(tmp_path).stat().st_size > 1000


def test_averaged_weights_get_the_statistics_of_what_is_trained_on(tmp_path):
    plain = {"procedure": "vanilla", "sigma": 0.0, "crop": "none", "flip": False}
    settings = replace(tiny.SETTINGS, **plain, batch_size=len(TRAIN), epochs=4.0, average_from=1.0)
    state, _ = _train(tmp_path, settings)
    again, _ = _train(tmp_path, settings)
    images = TRAIN.images(np.arange(len(TRAIN))).astype(np.float32) / 255
    kernel = state.average["params"]["stem"]["conv"]["kernel"]
    layout = ("NHWC", "HWIO", "NHWC")
    seen = jax.lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=layout)
    measured = state.average["batch_stats"]["stem"]["norm"]
    np.testing.assert_allclose(measured["mean"], seen.mean((0, 1, 2)), rtol=0.01, atol=1e-3)
    np.testing.assert_allclose(measured["var"], seen.var((0, 1, 2)), rtol=0.01)
    jax.tree.map(np.testing.assert_array_equal, state.average, again.average)


def test_clocks_add_up_over_processes():
    assert record.total_of([5.0, 9.0, 2.0, 4.0]) == 13.0


def test_a_diverging_run_is_stopped(tmp_path):
    with pytest.raises(TrainingError, match="lower `peak_rate`"):
        _train(tmp_path, replace(tiny.SETTINGS, peak_rate=1e30, schedule="steps", epochs=8.0))


def test_too_few_images_for_a_batch(tmp_path):
    with pytest.raises(TrainingError, match="do not fill a batch of 64"):
        _train(tmp_path, replace(tiny.SETTINGS, batch_size=64))


_SHARDED = """
import json, sys
from pathlib import Path
import jax
from pagjax.training import loop
from tests.training import tiny
assert jax.device_count() == 2
seen = []
loop.train(
    tiny.SETTINGS, tiny.data(10), tiny.data(6, seed=1), Path(sys.argv[1]), report=seen.append
)
print(json.dumps([[p.loss, p.test_accuracy] for p in seen]))
"""


def test_two_devices_give_the_loss_curve_of_one(whole, tmp_path):
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(
        [sys.executable, "-c", _SHARDED, str(tmp_path / "two")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    two = json.loads(ran.stdout.splitlines()[-1])
    np.testing.assert_allclose([loss for loss, _ in two], [p.loss for p in whole[1]], rtol=2e-4)


def test_a_batch_that_devices_cannot_share_is_refused(monkeypatch):
    monkeypatch.setattr(jax, "devices", lambda: [None] * 3)
    with pytest.raises(TrainingError, match="multiple of 3"):
        loop.placements(4)


def test_a_state_of_real_files_comes_back_and_is_known_by_its_settings(whole, tmp_path):
    """With Orbax's own files, scalars too; another run's state, or an edited one, is told."""
    state = whole[0]
    path = state_files.save(tmp_path, state, {"seed": 1})
    found = state_files.restore(tmp_path, state, {"seed": 1})
    assert found is not None
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(JobError, match="other settings"):
        state_files.restore(tmp_path, state, {"seed": 2})
    (path / "manifest.ocdbt").write_bytes(b"")
    with pytest.raises(JobError, match=str(path)):
        state_files.restore(tmp_path, state)
