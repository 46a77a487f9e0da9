"""The command, as a user runs it: pictures, records, interruptions, bad inputs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from pagjax import synthesize
from pagjax.io.files.atomic import read_arrays
from pagjax.synthesis.job import Job
from tests.support import tiny_checkpoint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_checkpoint.save(tmp_path_factory.mktemp("network"))


@pytest.fixture
def pictures(tmp_path) -> list[str]:
    generator = np.random.default_rng(0)
    paths = []
    for name in ("one", "two"):
        pixels = generator.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        paths.append(str(tmp_path / f"{name}.png"))
    return paths


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    jax.config.update("jax_compilation_cache_dir", None)


def _arguments(checkpoint: Path, pictures: list[str], out: Path, **changes: str) -> list[str]:
    options = {"steps": "6", "num-samples": "3", "epsilon": "2", "step-size": "0.5", **changes}
    given = ["--checkpoint", str(checkpoint), "--images", *pictures, "--targets", "dog", "2"]
    given += ["--out", str(out)]
    for name, value in options.items():
        given += [f"--{name}", value]
    return given


def test_everything_promised_is_there(checkpoint, pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert synthesize.main([*_arguments(checkpoint, pictures, out), "--animate"]) == 0
    arrays = read_arrays(out / "arrays.npz")
    assert arrays["x0"].shape == arrays["x_star"].shape == (4, 16, 16, 3)
    assert arrays["x_star"].dtype == np.float32
    assert arrays["target"].tolist() == [1, 2, 1, 2]
    assert arrays["image"].tolist() == [0, 0, 1, 1]
    assert arrays["objective"].shape == (4, 6)
    distances = np.linalg.norm((arrays["x_star"] - arrays["x0"]).reshape(4, -1), axis=1)
    record = json.loads((out / "record.json").read_text())
    for index, picture in enumerate(record["pictures"]):
        assert picture["l2_distance"] == pytest.approx(distances[index], rel=1e-4)
        assert picture["l2_distance"] <= 2 * (1 + 1e-5)
        assert 0 <= picture["smoothed_probability"] <= 1
        assert picture["smoothed_logit"] > picture["smoothed_logit_before"]
        with Image.open(out / picture["file"]) as png:
            assert png.size == (256, 256)
            shown = np.asarray(png, dtype=np.float32) / 255
        pixels = shown[::16, ::16]
        np.testing.assert_array_equal(pixels.repeat(16, axis=0).repeat(16, axis=1), shown)
        np.testing.assert_allclose(pixels, arrays["x_star"][index], atol=0.51 / 255)
        with Image.open((out / picture["file"]).with_suffix(".gif")) as gif:
            assert gif.n_frames > 1
    assert record["job"]["seed"] == 0
    assert record["environment"]["versions"]["jax"] == jax.__version__
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 400
    assert not (out / ".unfinished").exists()
    told = capsys.readouterr().out
    assert "defaults scale with the side" in told


def test_defaults_are_the_papers_scaled_to_the_side(checkpoint, pictures, tmp_path):
    given = ["--checkpoint", str(checkpoint), "--images", *pictures, "--targets", "dog"]
    args = synthesize.parser().parse_args(given)
    job, _, _ = synthesize._plan(args, synthesize_network(checkpoint))
    assert (job.num_steps, job.num_samples, job.sigma) == (300, 20, 0.25)
    assert job.epsilon == pytest.approx(40 * 16 / 224)
    assert job.step_size == pytest.approx(0.7 * 16 / 224)


def synthesize_network(checkpoint: Path):
    from pagjax import checkpoints

    return checkpoints.load(checkpoint)


def test_a_crop_is_recorded_and_repeated(checkpoint, pictures, tmp_path):
    """What is cut off changes the picture, and a record says where it was cut."""
    wide, tall = tmp_path / "wide", tmp_path / "tall"
    options = {"steps": "2", "seed": "1"}
    assert synthesize.main(_arguments(checkpoint, pictures[:1], wide, **options)) == 0
    cut = _arguments(checkpoint, pictures[:1], tall, crop="left", **options)
    assert synthesize.main(cut) == 0
    centre, left = (read_arrays(out / "arrays.npz")["x0"] for out in (wide, tall))
    assert np.abs(centre - left).max() > 0.1
    assert "crop" not in json.loads((wide / "record.json").read_text())["job"]
    assert json.loads((tall / "record.json").read_text())["job"]["crop"] == "left"
    for out in (wide, tall):
        again = tmp_path / f"again-{out.name}"
        given = ["--repeat", str(out / "record.json"), "--out", str(again)]
        assert synthesize.main(given) == 0
        kept, repeated = (read_arrays(folder / "arrays.npz") for folder in (out, again))
        np.testing.assert_array_equal(kept["x_star"], repeated["x_star"])
    nowhere = _arguments(checkpoint, pictures, tmp_path / "none", crop="middle")
    assert synthesize.main(nowhere) == 2


def test_the_demo_names_what_is_shipped():
    from pagjax.checkpoints import shipped, store
    from pagjax.io.pictures import samples
    from pagjax.jobs.targets import resolve_target

    description, _ = store.restore(shipped.path(synthesize.DEMO_CHECKPOINT))
    assert description.labels is not None
    for target in synthesize.DEMO_TARGETS:
        resolve_target(target, description.labels)
    assert all(samples.path(name).exists() for name in synthesize.DEMO_IMAGES)
    args = synthesize.parser().parse_args([])
    args = synthesize._with_demo(args)
    assert (args.preset, args.steps) == ("fast", synthesize.DEMO_STEPS)


def test_results_are_never_overwritten_unasked(checkpoint, pictures, tmp_path, capsys):
    given = _arguments(checkpoint, pictures, tmp_path / "out")
    assert synthesize.main(given) == 0
    before = (tmp_path / "out" / "record.json").read_bytes()
    assert synthesize.main(given) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "out" / "record.json").read_bytes() == before
    assert synthesize.main([*given, "--overwrite", "--seed", "1"]) == 0
    assert (tmp_path / "out" / "record.json").read_bytes() != before


def test_a_record_repeats_to_the_bit(checkpoint, pictures, tmp_path, capsys):
    assert synthesize.main(_arguments(checkpoint, pictures, tmp_path / "a")) == 0
    record = str(tmp_path / "a" / "record.json")
    assert synthesize.main(["--repeat", record, "--out", str(tmp_path / "b")]) == 0
    assert "the same bits" in capsys.readouterr().out
    first, second = (read_arrays(tmp_path / name / "arrays.npz")["x_star"] for name in "ab")
    np.testing.assert_array_equal(first, second)
    Image.new("RGB", (20, 20)).save(pictures[0])
    assert synthesize.main(["--repeat", record, "--out", str(tmp_path / "c")]) == 2
    assert "changed since the record" in capsys.readouterr().err


def test_bad_inputs_are_skipped_and_told(checkpoint, pictures, tmp_path, capsys):
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    given = _arguments(
        checkpoint, [*pictures, str(tmp_path / "broken.png"), "nowhere.png"], tmp_path / "out"
    )
    given.insert(given.index("dog"), "dgo")
    assert synthesize.main(given) == 1
    told = capsys.readouterr().err
    for part in ("broken.png: not a readable picture", "nowhere.png: no such file", "mean dog"):
        assert part in told
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert len(record["pictures"]) == 4


def test_pictures_of_one_name_do_not_overwrite_each_other(checkpoint, pictures, tmp_path):
    out = tmp_path / "out"
    given = _arguments(checkpoint, [pictures[0], pictures[0]], out)
    given[given.index("dog")] = "golf ball"  # and index 2, the same class again
    assert synthesize.main(given) == 0
    record = json.loads((out / "record.json").read_text())
    files = [picture["file"] for picture in record["pictures"]]
    assert len(set(files)) == 4
    assert all((out / file).exists() for file in files)


def test_one_to_one_leaves_out_the_pair_of_a_bad_input(checkpoint, pictures, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    images = [str(tmp_path / "broken.png"), pictures[1]]
    out = tmp_path / "out"
    assert synthesize.main(_arguments(checkpoint, images, out, pairs="one-to-one")) == 1
    (picture,) = json.loads((out / "record.json").read_text())["pictures"]
    assert (Path(picture["image"]).name, picture["label"]) == ("two.png", "golf ball")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": ["nowhere.png"]}, "no such file"),
        ({"pairs": "one-to-one", "images": 1}, "cannot go one to one"),
        ({"checkpoint": "nowhere"}, "nowhere"),
        ({"sampling": "antithetic"}, "num_samples = 3: antithetic draws come in pairs"),
        ({"sampling": "latin-hypercube"}, "an even number of at least 4"),
        ({"last-num-samples": "2"}, "3 draws doubled never make 2"),
        ({"last-num-samples": "9"}, "choose 12"),
        ({"num-samples": "2", "sampling": "antithetic", "settles-after": "3"}, "no standard error"),
    ],
)
def test_refusals_write_nothing(checkpoint, pictures, tmp_path, capsys, changes, message):
    images = changes.pop("images", pictures)
    images = pictures[:1] if images == 1 else images
    path = changes.pop("checkpoint", checkpoint)
    assert synthesize.main(_arguments(path, images, tmp_path / "out", **changes)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "option",
    [
        ["--sigma", "-1"],
        ["--steps", "0"],
        ["--epsilon", "nan"],
        ["--momentum", "1"],
        ["--momentum", "-0.1"],
        ["--momentum", "nan"],
        ["--settles-after", "0"],
        ["--last-num-samples", "0"],
        ["--schedule", "cosine"],
        ["--sampling", "sobol"],
        ["--preset", "slow"],
    ],
    ids=" ".join,
)
def test_impossible_numbers_are_refused(option, capsys):
    with pytest.raises(SystemExit, match="2"):
        synthesize.main(option)
    assert option[1] in capsys.readouterr().err


def test_a_picture_that_settles_says_when(checkpoint, pictures, tmp_path):
    """In a small ball the edge is soon reached; what follows is noise, and the stop ends it."""
    changes = {"steps": "60", "epsilon": "0.2", "step-size": "0.1", "num-samples": "4"}
    given = _arguments(checkpoint, pictures, tmp_path / "out", **changes)
    assert synthesize.main([*given, "--settles-after", "5"]) == 0
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    settled = read_arrays(tmp_path / "out" / "arrays.npz")["settled"]
    assert settled.shape == (4, 60)
    for row, picture in zip(settled, record["pictures"], strict=True):
        step = picture["settled_at_step"]
        assert step % 5 == 0
        assert step >= 10
        assert not row[:step].any()
        assert row[step:].all()


def test_batches_do_not_change_the_pictures(checkpoint, pictures, tmp_path):
    for size in ("1", "3"):
        given = _arguments(checkpoint, pictures, tmp_path / size, **{"batch-size": size})
        assert synthesize.main(given) == 0
    first, second = (read_arrays(tmp_path / name / "arrays.npz")["x_star"] for name in "13")
    np.testing.assert_allclose(first, second, atol=1e-5)


# The command, saving its state often, so that a test need not wait for the first one. A shell's
# background jobs inherit a SIGINT that is ignored.
_IMPATIENT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pagjax import synthesize
from pagjax.synthesis import execute
execute.SECONDS_BETWEEN_SAVES = 0.1
sys.exit(synthesize.main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_an_interrupted_run_resumes_to_the_same_bits(checkpoint, pictures, tmp_path, capsys, how):
    """Stopped once the first state is on disk, then resumed, against a run left alone."""

    def given(out: str) -> list[str]:
        changes = {"steps": "800", "batch-size": "2"}
        return _arguments(checkpoint, pictures, tmp_path / out, **changes)

    process = subprocess.Popen(
        [sys.executable, "-c", _IMPATIENT, *given("stopped")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    state = tmp_path / "stopped" / ".unfinished" / "current.npz"
    while process.poll() is None and not state.exists():
        time.sleep(0.01)
    process.send_signal(how)
    told = process.communicate()[1].decode()
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), told
    if how == signal.SIGINT:
        assert "--resume" in told
    assert not (tmp_path / "stopped" / "record.json").exists()
    assert read_arrays(state)["objective"].shape[1] < 800
    assert synthesize.main(given("stopped")) == 2
    assert "--resume" in capsys.readouterr().err
    assert synthesize.main([*given("stopped"), "--resume", "--seed", "5"]) == 2
    assert "seed: 0, now 5" in capsys.readouterr().err
    assert synthesize.main([*given("stopped"), "--resume"]) == 0
    assert synthesize.main(given("whole")) == 0
    first, second = (read_arrays(tmp_path / out / "arrays.npz") for out in ("stopped", "whole"))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_devices_share_out_pairs_of_draws_and_not_their_halves(checkpoint, pictures, tmp_path):
    changes = {"steps": "1", "num-samples": "4", "sampling": "antithetic"}
    assert synthesize.main(_arguments(checkpoint, pictures, tmp_path / "out", **changes)) == 0
    job = Job.from_json(json.loads((tmp_path / "out" / "record.json").read_text())["job"])
    assert job.most_groups() == 2
    assert replace(job, sampling="independent", last_num_samples=None).most_groups() == 4
    assert replace(job, sigma=0.0).most_groups() == 1
