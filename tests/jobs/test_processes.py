"""Two real processes on this machine against one, from the command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagjax import train
from pagjax.certified_logs import logs
from pagjax.figures import __main__ as figures
from pagjax.io.files.atomic import read_arrays
from pagjax.jobs import processes
from pagjax.jobs.errors import JobError
from pagjax.training import record
from tests.support import tiny_checkpoint

ROOT = Path(__file__).resolve().parents[2]


def _command(folder: Path, out: str, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pagjax.synthesize", "--checkpoint", str(folder / "tiny")),
        *("--images", "sample:cat", "--targets", "cat", "dog", "2", "--epsilon", "1"),
        *("--steps", "400", "--num-samples", "4", "--momentum", "0.5", "--step-size", "0.01"),
        *("--out", str(folder / out), *more),
    ]


def _start_two(folder: Path, *more: str) -> list[subprocess.Popen[bytes]]:
    shared = ["--coordinator", f"127.0.0.1:{_free_port()}", "--num-processes", "2", *more]
    return [
        subprocess.Popen(
            _command(folder, "two", *shared, "--process-id", str(number)),
            env=_environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(2)
    ]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _environment(folder: Path) -> dict[str, str]:
    own = {"PYTHONPATH": str(ROOT), "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    return {**os.environ, **own}  # a kill may leave half a file there


def _kill_one_in_the_middle(folder: Path, number: int, *more: str) -> None:
    """Kills a process once a state is saved; the other must end with what to do."""
    both = _start_two(folder, *more)
    state = folder / "two" / ".unfinished" / "current.npz"
    before = state.stat().st_mtime_ns if state.exists() else None
    while all(process.poll() is None for process in both) and not (
        state.exists() and state.stat().st_mtime_ns != before
    ):
        time.sleep(0.02)
    both[number].send_signal(signal.SIGKILL)
    told = both[1 - number].communicate()[1].decode()
    both[number].communicate()
    assert both[number].returncode == -signal.SIGKILL
    assert processes.LOST in told, told[-4000:]
    assert "--resume" in told
    assert both[1 - number].returncode == 130
    assert not (folder / "two" / "record.json").exists()


def test_two_processes_each_killed_once_resume_to_what_one_does(tmp_path):
    tiny_checkpoint.save(tmp_path)
    _kill_one_in_the_middle(tmp_path, 1)
    _kill_one_in_the_middle(tmp_path, 0, "--resume")
    for process in _start_two(tmp_path, "--resume"):
        told = process.communicate()[1].decode()
        assert process.returncode == 0, told
    subprocess.run(_command(tmp_path, "one"), env=_environment(tmp_path), check=True)
    one, two = (read_arrays(tmp_path / out / "arrays.npz") for out in ("one", "two"))
    np.testing.assert_allclose(two["x_star"], one["x_star"], atol=1e-3)
    np.testing.assert_allclose(two["objective"], one["objective"], atol=1e-3)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        # As JAX's threads do when the first process is gone while this one computes.
        ("os.abort()", processes.LOST),
        ("raise jax.errors.JaxRuntimeError('UNAVAILABLE: heartbeat timed out')", processes.LOST),
        ("raise ValueError('UNKNOWN: Gloo all-reduce failed: Read error')", processes.LOST),
        ("raise KeyboardInterrupt", "interrupted"),
    ],
)
def test_a_loss_ends_the_job_with_what_to_do_however_it_is_told(failure, reason):
    """An orderly exit, that waits for the others, is not what happens."""
    program = f"""
import atexit, os, jax
atexit.register(print, "an orderly exit")
jax.process_count = lambda: 2
from pagjax.jobs import processes
with processes.losses_end_the_job("the command --resume"):
    {failure}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 130
    assert done.stdout == ""
    assert reason in done.stderr
    assert "go on, in every process, with: the command --resume" in done.stderr


def test_an_error_of_its_own_is_not_taken_for_a_loss():
    program = """
import jax
jax.process_count = lambda: 2
from pagjax.jobs import processes
with processes.losses_end_the_job("the command --resume"):
    raise ValueError("sigma = -1")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "sigma = -1" in done.stderr
    assert processes.LOST not in done.stderr


def test_items_are_shared_out_and_everyone_hears_every_answer():
    program = """
import json, sys
from pagjax.jobs import processes
from pagjax.synthesis.job import JobError
from pagjax.training import record
number = int(sys.argv[2])
processes.start(sys.argv[1], 2, number)
done = []
def double(item):
    done.append(item)
    if item == 3:
        raise JobError("three is too many")
    return "x" * item
told = list(processes.shared_out(double, [0, 1, 2, 40, 5]))
try:
    list(processes.shared_out(double, [1, 3]))
except JobError as error:
    told.append(str(error))
print(json.dumps([done, told]))
"""
    address = f"127.0.0.1:{_free_port()}"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, address, number], stdout=subprocess.PIPE, cwd=ROOT
        )
        for number in "01"
    ]
    outputs = [process.communicate()[0] for process in both]
    answers = [json.loads(output.splitlines()[-1]) for output in outputs]
    assert [done for done, _ in answers] == [[0, 2, 5, 1], [1, 40, 3]]
    expected = [*("x" * item for item in (0, 1, 2, 40, 5)), "three is too many"]
    assert [told for _, told in answers] == [expected, expected]


def test_two_processes_certify_what_one_does(tmp_path):
    tiny_checkpoint.save(tmp_path)
    random = np.random.default_rng(0)
    for index in range(3):
        home = tmp_path / "data" / tiny_checkpoint.LABELS[index]
        home.mkdir(parents=True)
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(home / "0.png")

    def command(out: str, *more: str) -> subprocess.Popen[bytes]:
        given = ["--checkpoint", tmp_path / "tiny", "--data", tmp_path / "data", "--num-draws", 100]
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "pagjax.certify", "--out", str(tmp_path / out)),
                *(*map(str, given), *more),
            ],
            env=_environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    address = ["--coordinator", f"127.0.0.1:{_free_port()}", "--num-processes", "2"]
    running = [command("two", *address, "--process-id", number) for number in "01"]
    told = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    assert b"ACR" in told[0][0]
    assert b"ACR" not in told[1][0]
    command("one").communicate()
    one, two = (
        [line[:5] for line in logs.read(tmp_path / out / "certify-sigma_0.25.tsv").lines]
        for out in ("one", "two")
    )
    assert len(one) == 3
    assert one == two


def test_two_processes_draw_the_figure_that_one_does(tmp_path):
    tiny = tiny_checkpoint.save(tmp_path)

    def arguments(out: str) -> list[str]:
        given = ["13", "--networks", f"gaussian-0.25={tiny}", "--images", "sample:cat"]
        given += ["--targets", "dog", "--rows", "1", "--steps", "2", "--num-samples", "4"]
        return [*given, "--judge", str(tiny), "--vanilla-judge", str(tiny), "--out", out]

    address = ["--coordinator", f"127.0.0.1:{_free_port()}", "--num-processes", "2"]
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "pagjax.figures", *arguments(str(tmp_path / "two"))),
                *(*address, "--process-id", number),
            ],
            env=_environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in "01"
    ]
    told = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    assert b"figure.png" in told[0][0]
    assert b"figure.png" not in told[1][0]
    assert figures.main(arguments(str(tmp_path / "one"))) == 0
    record = json.loads((tmp_path / "two" / "figure-13" / "record.json").read_text())
    assert "--process-id" not in record["command"]
    one, two = (
        np.genfromtxt(
            tmp_path / out / "figure-13" / "numbers.csv", delimiter=",", names=True, dtype=None
        )
        for out in ("one", "two")
    )
    assert len(one) == len(two) == 2
    for name in ("logit", "distance", "total_variation"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4)


def test_two_processes_train_and_evaluate_as_one_does_and_go_on(tmp_path):
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(5):
                pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{number}.png")
    settings = "--image-size 8 --stem cifar --stage-sizes 1 --width 4 --normalizer none"
    settings += " --batch-size 4 --sigma 0.1 --epochs 3 --peak-rate 0.05 --draws 10"

    def arguments(out: str, *more: str) -> list[str]:
        given = ["--data", str(tmp_path / "data"), *settings.split()]
        return [*given, "--out", str(tmp_path / out), *more]

    def in_two(*more: str) -> None:
        address = ["--coordinator", f"127.0.0.1:{_free_port()}", "--num-processes", "2"]
        running = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "pagjax.train", *arguments("two", *more), *address),
                    *("--process-id", number),
                ],
                env=_environment(tmp_path),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for number in "01"
        ]
        told = [process.communicate() for process in running]
        assert [process.returncode for process in running] == [0, 0], told

    in_two("--stop-after", "3")
    in_two()
    assert train.main(arguments("one")) == 0
    (one, one_reached), (two, two_reached) = (
        (
            record.read(tmp_path / out)[-1],
            json.loads((tmp_path / out / "checkpoint" / "card.json").read_text())["accuracies"],
        )
        for out in ("one", "two")
    )
    assert two.step == one.step == 6
    np.testing.assert_allclose(two.loss, one.loss, rtol=1e-4)
    assert two_reached == one_reached


def test_half_an_address_is_refused():
    with pytest.raises(JobError, match="pass all three"):
        processes.start("127.0.0.1:1234", None, None)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, False),
        ({"SLURM_NTASKS": "1"}, False),
        ({"SLURM_NTASKS": "4"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
    ],
)
def test_clusters_are_found_by_their_variables(environment, found):
    assert processes._in_cluster(environment) is found


def test_refusals_of_the_first_process_are_everyones():
    def refuse() -> None:
        raise JobError("choose another --out")

    with pytest.raises(JobError, match="another --out"):
        processes.from_first(refuse)
