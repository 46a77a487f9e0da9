"""The loop in the browser is the core's: from the same noise the same pictures."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pagjax
from pagjax import presets
from pagjax.checkpoints import load
from pagjax.core import draws
from pagjax.core.projections import only_inside
from pagjax.live_page.serve import Handler
from tests.live_page.conftest import SIDE
from tests.support.browser import opened

STEPS, DRAWS, SIGMA, EPSILON = 10, 5, 0.25, 1.5

RUN = """
async ({start, noise, mask, settings, sigma, steps}) => {
  const worker = new Worker("worker.js", {type: "module"});
  const all = [];
  await new Promise((done, fail) => {
    worker.onmessage = ({data}) => {
      if (data.type === "failed") fail(new Error(data.message));
      if (data.type === "loaded") {
        worker.postMessage({type: "begin", id: 1, start: new Float32Array(start), size: 16,
          classes: 3, networks: [{name: "tiny-gaussian-0.25", sigma}], settings, exact: true,
          mask: mask && new Uint8Array(mask), noise: noise.map((one) => new Float32Array(one))});
        worker.postMessage({type: "play"});
      }
      if (data.type === "stepped") {
        const [one] = data.results;
        all.push({image: [...one.image], objective: one.objective, error: one.error,
          distance: one.distance});
        if (data.step === steps) done();
      }
    };
    worker.postMessage({type: "open", wanted: "wasm"});
    const name = "tiny-gaussian-0.25";
    worker.postMessage({type: "load", name, url: `networks/${name}.onnx`});
  });
  worker.terminate();
  return all;
}
"""


@pytest.mark.parametrize("how", ["plain", "momentum", "masked", "noiseless"])
def test_ten_steps_are_those_of_targeted_pgd(live, checkpoints, how):
    network = load(checkpoints["tiny-gaussian-0.25"])
    shape = (SIDE, SIDE, 3)
    start = np.random.default_rng(5).uniform(0.1, 0.9, shape).astype(np.float32)
    mask = (np.arange(SIDE * SIDE) % SIDE < 9).astype(np.uint8) if how == "masked" else None
    momentum, schedule = (0.8, "linear") if how == "momentum" else (0.0, "constant")
    sigma = 0.0 if how == "noiseless" else SIGMA
    key = jax.random.key(3)
    own = draws.image_keys(key, 1)[0]
    noise = [
        draws.gaussian(jax.random.fold_in(own, step), jnp.arange(DRAWS), shape, jnp.float32)
        for step in range(STEPS)
    ]
    recipe = pagjax.Recipe(
        sigma=sigma,
        epsilon=EPSILON,
        step_size=0.4,
        num_steps=STEPS,
        num_samples=DRAWS,
        strategy=presets.strategy(momentum, schedule, STEPS),
    )
    if mask is not None:
        free = only_inside(jnp.asarray(mask.reshape(SIDE, SIDE, 1), bool))
        recipe = dataclasses.replace(recipe, projection=free)
    wanted = pagjax.targeted_pgd(network.logits_fn, start[None], [1], key, recipe)
    settings = {
        "target": 1, "epsilon": EPSILON, "stepSize": 0.4, "draws": DRAWS, "steps": STEPS,
        "momentum": momentum, "schedule": schedule, "seed": 0, "sampling": "independent",
    }  # fmt: skip
    with opened(live / "index.html", handler=Handler) as page:
        found = page.evaluate(
            RUN,
            {
                "start": start.ravel().tolist(),
                "noise": [np.asarray(one).ravel().tolist() for one in noise],
                "mask": None if mask is None else mask.tolist(),
                "settings": settings,
                "sigma": sigma,
                "steps": STEPS,
            },
        )
    last = np.array(found[-1]["image"]).reshape(shape)
    assert np.abs(last - wanted.images[0]).max() < 1e-4
    objectives = [one["objective"] for one in found]
    assert objectives == pytest.approx(np.asarray(wanted.trace.objective[0]).tolist(), abs=1e-4)
    errors = [one["error"] for one in found]
    assert errors == pytest.approx(np.asarray(wanted.trace.standard_error[0]).tolist(), abs=1e-4)
    distance = np.linalg.norm(np.asarray(wanted.images[0]) - start)
    assert found[-1]["distance"] == pytest.approx(distance, abs=1e-4)
    if mask is not None:
        assert (last == start)[mask.reshape(SIDE, SIDE) == 0].all()


def test_the_pages_own_noise_is_normal_and_repeats(live):
    script = """async () => {
      const {normals, draws} = await import("./random.js");
      const count = 60001;
      return {first: [...normals(7, 3, 2, count)], again: [...normals(7, 3, 2, 9)],
        others: [normals(8, 3, 2, count), normals(7, 4, 2, count), normals(7, 3, 3, count)]
          .map((one) => [...one]),
        pairs: [...draws("antithetic", 1, 0, 4, 5)], single: [...draws("independent", 1, 0, 4, 5)]};
    }"""
    with opened(live / "index.html", handler=Handler) as page:
        found = page.evaluate(script)
    first = np.array(found["first"])
    assert found["again"][:8] == found["first"][:8]
    # Five standard errors of the moments of so many standard normal numbers.
    bound = 5 / np.sqrt(first.size)
    assert abs(first.mean()) < bound
    assert abs((first**2).mean() - 1) < bound * np.sqrt(2)
    assert abs((first**3).mean()) < bound * np.sqrt(15)
    assert abs((first**4).mean() - 3) < bound * np.sqrt(96)
    assert abs((first[1:] * first[:-1]).mean()) < bound
    for other in found["others"]:
        assert abs((first * other).mean()) < bound
    pairs, single = (np.reshape(found[name], (4, 5)) for name in ("pairs", "single"))
    assert (pairs[::2] == -pairs[1::2]).all()
    assert (pairs[0] == single[0]).all()
    assert not np.allclose(single[0], -single[1])


def test_a_right_gradient_is_known_from_its_slope(live, checkpoints):
    """What the page asks of WebGPU before it believes it."""
    script = """async () => {
      const worker = new Worker("worker.js", {type: "module"});
      const found = await new Promise((done, fail) => {
        worker.onmessage = ({data}) => {
          if (data.type === "failed") fail(new Error(data.message));
          if (data.type === "slope") done(data.slope);
        };
        const name = "tiny-gaussian-0.25";
        worker.postMessage({type: "open", wanted: "wasm"});
        worker.postMessage({type: "load", name, url: `networks/${name}.onnx`});
        worker.postMessage({type: "slope", name, size: 16, classes: 3});
      });
      worker.terminate();
      return found;
    }"""
    with opened(live / "index.html", handler=Handler) as page:
        assert page.evaluate(script) == pytest.approx(1, abs=0.1)
