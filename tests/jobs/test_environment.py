"""What commands say to JAX before it starts, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEVEL = "--xla_backend_optimization_level"
# What JAX hands to the compiler, which reads the flags once, when it is first needed.
LEVEL_IN_USE = """
import jax
from jaxlib import xla_client
{begin}
jax.block_until_ready(jax.numpy.ones(3) + 1)
options = xla_client.CompileOptions().executable_build_options.debug_options
print(options.xla_backend_optimization_level)
"""


BEGIN = "from pagjax.jobs import environment; environment.before_computing()"


def level_in_use(begin: str, flags: str, folder: Path = ROOT) -> int:
    done = subprocess.run(
        [sys.executable, "-c", LEVEL_IN_USE.format(begin=begin)],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("flags", "level"), [("", 1), (f"{LEVEL}=2", 2)])
def test_programs_for_cpus_are_compiled_quickly_unless_the_user_says_how(flags, level):
    assert level_in_use(BEGIN, flags) == level


@pytest.mark.parametrize(
    ("door", "arguments"),
    [
        ("synthesize", "--checkpoint nowhere --images a.png --targets 0 --out out"),
        ("certify", "--checkpoint nowhere --data cifar10 --out out"),
        ("align", "--networks nowhere --out out"),
        ("figures.__main__", "2 --out out --images nowhere"),
    ],
)
def test_a_door_says_so_before_it_asks_for_devices(door, arguments, tmp_path):
    begin = f"import pagjax.{door} as door; assert door.main({arguments.split()})"
    assert level_in_use(begin, "", tmp_path) == 1


@pytest.mark.parametrize(
    ("batch", "cores", "devices"), [(64, 2, 2), (63, 2, 1), (66, 4, 2), (96, 3, 3), (128, 3, 2)]
)
def test_cores_share_batches_evenly_if_these_are_large(batch, cores, devices, monkeypatch):
    from pagjax.jobs import environment

    asked = []
    monkeypatch.setattr(environment, "num_cores", lambda: cores)
    monkeypatch.setattr(environment, "use_cores", asked.append)
    environment.before_training(batch)
    assert asked == [devices]


def test_training_asks_for_cores_before_it_asks_for_devices(tmp_path):
    begin = (
        "from pagjax import train\n"
        "from pagjax.core import mesh\n"
        "mesh.num_cores = lambda: 2\n"
        "from pagjax.jobs import environment\n"
        "environment.num_cores = mesh.num_cores\n"
        "assert train.main('--data nowhere --batch-size 64 --out out'.split()) == 2\n"
        "print(jax.device_count())\n"
        "raise SystemExit"
    )
    assert level_in_use(begin, "", tmp_path) == 2


def test_where_there_may_be_an_accelerator_programs_are_compiled_as_ever(monkeypatch):
    from pagjax.jobs import environment

    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr(environment, "_only_cpus", lambda: False)
    environment.compile_quickly()
    assert os.environ["XLA_FLAGS"] == ""
    monkeypatch.setattr(environment, "_only_cpus", lambda: True)
    environment.compile_quickly()
    environment.compile_quickly()
    assert os.environ["XLA_FLAGS"] == f"{LEVEL}=1"


def test_a_plugin_may_be_an_accelerator(monkeypatch):
    from pagjax.jobs import environment

    monkeypatch.setattr(environment, "_platforms", lambda: None)
    monkeypatch.setattr(environment.metadata, "entry_points", lambda group: [group])
    assert not environment._only_cpus()
    monkeypatch.setattr(environment, "_platforms", lambda: "cpu")
    assert environment._only_cpus()
