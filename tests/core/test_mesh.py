"""Eight forced devices against one, and what their program sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from pagjax.core.mesh import MOST_CORES, make_mesh, num_cores

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found() -> dict:
    # Eight programs are compiled for each one: quickly, not well.
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.forced_devices"],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_results_do_not_depend_on_the_mesh(found):
    assert len(found["differences"]) == 4
    assert max(found["differences"].values()) < 2e-5, found["differences"]


def test_gradients_of_draws_meet_in_one_all_reduce_and_nothing_else_crosses(found):
    gradient, numbers = 8 * 8 * 3 * 4, 8 * 3 * 4
    assert found["collectives"] == {
        "1 x 1": [],
        "8 x 1": [],
        "1 x 8": [["all-reduce", gradient + numbers]],
    }


@pytest.mark.parametrize("num_images", [1, 5])
def test_one_device_is_a_mesh_of_one_by_one(num_images):
    assert dict(make_mesh(num_images, 20, jax.devices()[:1]).shape) == {"images": 1, "draws": 1}


def devices_after(statements, **environment):
    done = subprocess.run(
        [sys.executable, "-c", f"import jax; from pagjax.core.mesh import *; {statements}"],
        env={**os.environ, "JAX_PLATFORMS": "cpu", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_core_becomes_a_device_unless_somebody_has_said_how_many():
    ask = "use_cores(); print(jax.device_count())"
    assert devices_after(ask) == min(num_cores(), MOST_CORES)
    assert devices_after(ask, XLA_FLAGS="--xla_force_host_platform_device_count=3") == 3
    assert devices_after(ask, JAX_NUM_CPU_DEVICES="5") == 5
    assert devices_after(f"jax.devices(); {ask}") == 1  # computing already
    assert devices_after("print(str([use_cores(), use_cores()]).lower())") == [True, False]


def test_a_mesh_takes_no_more_devices_than_shorten_the_work():
    shapes = "[list(make_mesh(*work).shape.values()) for work in ((3, 1), (1, 5), (2, 4), (9, 2))]"
    found = devices_after(f"print({shapes})", JAX_NUM_CPU_DEVICES="8")
    assert found == [[3, 1], [1, 5], [2, 4], [3, 2]]
