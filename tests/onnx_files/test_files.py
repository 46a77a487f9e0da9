"""Exported files in onnxruntime, against JAX: every architecture, logits, gradients, errors."""

from __future__ import annotations

import dataclasses
import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pagjax
from pagjax import export as command
from pagjax.checkpoints import load
from pagjax.core.checks import noisy_logits
from pagjax.core.gradients import _finish, _Sums
from pagjax.networks import NORMALIZERS
from pagjax.networks.base import Description, base_network
from pagjax.networks.config import ResNetConfig
from pagjax.onnx_files import models, rounding
from pagjax.onnx_files.errors import ExportError
from pagjax.onnx_files.export import export, is_ours
from tests.support import tiny_checkpoint

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'pagjax[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")

SIZE, SIGMA = (17, 22), 0.4

CONFIGS = {
    "cifar": ResNetConfig("cifar", "basic", (1, 1), 4),
    "cifar-pool-stride": ResNetConfig("cifar", "basic", (1,), 4, stem_stride=2, max_pool=True),
    "imagenet": ResNetConfig("imagenet", "basic", (1, 1), 4),
    "padding": ResNetConfig("cifar", "basic", (1, 2), 6, shortcut="padding", stem_width=4),
    "padding-end": ResNetConfig("cifar", "basic", (2, 1), 4, shortcut="padding_end"),
    "bottleneck": ResNetConfig("cifar", "bottleneck", (1, 1), 4, inner_width=6),
    "bottleneck-v1": ResNetConfig("imagenet", "bottleneck", (1, 1), 4, stride_on="1x1"),
    "wide": ResNetConfig("cifar", "basic", (2, 1), 8, stem_width=4, preactivation=True),
    "preact-open": ResNetConfig(
        "cifar", "bottleneck", (1, 1), 4, preactivation=True, final_norm=False
    ),
    "preact-of-input": ResNetConfig(
        "cifar", "basic", (1, 1), 4, preactivation=True, shortcut="projection_of_input"
    ),
    "antialiased": ResNetConfig("cifar", "basic", (1, 1), 4, antialias=True),
    "antialiased-padding": ResNetConfig("cifar", "basic", (1, 1), 4, "padding", antialias=True),
    "antialiased-bottleneck": ResNetConfig(
        "cifar", "bottleneck", (1, 1), 4, preactivation=True, antialias=True
    ),
    "blocks": ResNetConfig("space_to_depth", "basic", (1, 1), 4),
    "blocks-of-4": ResNetConfig("space_to_depth_4", "basic", (1, 1), 4),
}


@pytest.fixture(autouse=True, scope="module")
def _quick_compilation():
    """Many small programs, each run a few times."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def _network(config, size=SIZE, normalizer="cifar10", classes=5, seed=0):
    if config.stem.startswith("space"):
        size = (16, 24)
    description = Description("small", config, classes, NORMALIZERS[normalizer], size)
    image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    shapes = jax.eval_shape(description.network().init, jax.random.key(seed), image)
    random = np.random.default_rng(seed)

    def drawn(path, leaf):
        name = jax.tree_util.keystr(path)
        if name.endswith(("['var']", "['scale']")):
            return jnp.asarray(random.uniform(0.5, 2, leaf.shape), jnp.float32)
        scale = np.sqrt(2 / max(1, np.prod(leaf.shape[:-1])))
        return jnp.asarray(scale * random.standard_normal(leaf.shape), jnp.float32)

    return base_network(description, jax.tree_util.tree_map_with_path(drawn, shapes))


def _given(network, draws, seed=1):
    random = np.random.default_rng(seed)
    shape = network.image_shape
    image = random.random(shape, dtype=np.float32)
    noise = (SIGMA * random.standard_normal((draws, *shape))).astype(np.float32)
    weights = np.eye(len(network.labels), dtype=np.float32)[2]
    return {"image": image, "noise": noise, "target_weights": weights}


def _answers(model, given):
    session = runtime.InferenceSession(model.SerializeToString())
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


@partial(jax.jit, static_argnums=3)
def _value_and_gradient(logits_fn, image, noise, objective):
    def value(image):
        logits = noisy_logits(logits_fn, image[None], noise)
        if objective == "tcm":
            return logits[:, 2].mean(), logits
        return jnp.log(jax.nn.softmax(logits)[:, 2].mean()), logits

    return jax.value_and_grad(value, has_aux=True)(image)


def _expected(network, given, objective):
    """Value, gradient and logits by JAX's own differentiation of the logits function."""
    (found, logits), gradient = _value_and_gradient(
        network.logits_fn, given["image"], given["noise"], objective
    )
    return float(found), np.asarray(gradient), np.asarray(logits)


def _off(found, wanted):
    return np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize("normalizer", ["cifar10", "half-clamped"])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_of_every_architecture(name, normalizer):
    if normalizer == "half-clamped" and name not in ("imagenet", "blocks", "wide"):
        pytest.skip("the normaliser stands before all of them: three shapes are enough")
    network = _network(CONFIGS[name], normalizer=normalizer)
    model = models.step(network, half=False)
    errors = []
    for seed in range(3):  # one rectifier at its kink may go the other way in one of them
        given = _given(network, 3, seed)
        found = _answers(model, given)
        value, gradient, logits = _expected(network, given, "tcm")
        assert _off(found["logits"], logits) < 1e-4
        assert found["objective"] == pytest.approx(value, rel=1e-4, abs=1e-4)
        assert found["gradient"].shape == network.image_shape
        errors.append(_off(found["gradient"], gradient))
    assert np.median(errors) < 1e-4


@pytest.mark.parametrize("objective", ["tcm", "ce"])
@pytest.mark.parametrize("draws", [1, 2, 7])
def test_objectives_errors_and_probabilities(objective, draws):
    network = _network(CONFIGS["cifar"])
    given = _given(network, draws)
    found = _answers(models.step(network, half=False, objective=objective), given)
    value, gradient, logits = _expected(network, given, objective)
    assert found["objective"] == pytest.approx(value, rel=1e-4, abs=1e-5)
    assert _off(found["gradient"], gradient) < 1e-3
    assert found["probabilities"] == pytest.approx(
        np.asarray(jax.nn.softmax(logits).mean(0)), abs=1e-5
    )
    scores = logits[:, 2] if objective == "tcm" else jax.nn.log_softmax(logits)[:, 2]
    terms = scores if objective == "tcm" else jnp.exp(scores)
    sums = _Sums(
        log_unit=jnp.zeros(()),
        num_groups=jnp.asarray(float(draws)),
        mean=terms.mean(),
        sum_squared_deviations=jnp.square(terms - terms.mean()).sum(),
        weighted_gradient=jnp.zeros(network.image_shape),
    )
    wanted = _finish(sums, jnp.asarray(SIGMA), draws, draws, objective == "ce").standard_error
    assert found["standard_error"] == pytest.approx(float(wanted), rel=1e-3)


def test_a_single_evaluation_without_noise_has_no_error():
    network = _network(CONFIGS["cifar"])
    given = _given(network, 1)
    given["noise"][:] = 0
    assert _answers(models.step(network, half=False), given)["standard_error"] == 0


def test_weights_of_several_classes_add_up():
    network = _network(CONFIGS["cifar"])
    model, given = models.step(network, half=False), _given(network, 2)
    parts = []
    for index in (0, 3):
        weights = np.eye(5, dtype=np.float32)[index]
        parts.append(_answers(model, {**given, "target_weights": weights})["gradient"])
    both = np.array([2, 0, 0, 1, 0], np.float32)
    found = _answers(model, {**given, "target_weights": both})["gradient"]
    assert _off(found, 2 * parts[0] + parts[1]) < 1e-5


@pytest.mark.parametrize("where", ["image", "noise"])
def test_nan_stays_nan(where):
    network = _network(CONFIGS["cifar"])
    given = _given(network, 2)
    given[where].flat[3] = np.nan
    found = _answers(models.step(network, half=False), given)
    assert np.isnan(found["objective"])
    assert np.isnan(found["gradient"]).all()


def test_logits_of_any_number_of_images():
    network = _network(CONFIGS["blocks"])
    model = models.forward(network, half=False)
    for count in (1, 4):
        images = np.random.default_rng(0).random((count, *network.image_shape), dtype=np.float32)
        found = _answers(model, {"images": images})["logits"]
        assert _off(found, network.logits_fn(images)) < 1e-4
    images[1, 0, 0, 0] = np.nan
    found = _answers(model, {"images": images})["logits"]
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[[0, 2, 3]]).all()


def test_kernels_stand_in_the_file_once_and_in_half_precision():
    network = pagjax.load("imagenette-gaussian-0.50")
    content = models.step(network, half=True).SerializeToString()
    parameters = sum(leaf.size for leaf in jax.tree.leaves(network.variables["params"]))
    assert len(content) < 7_000_000
    assert len(content) < 2.1 * parameters
    half = [one for one in onnx.load_from_string(content).graph.initializer if one.data_type == 10]
    assert all(len(one.dims) == 4 for one in half)


def test_a_shipped_network_in_half_precision_is_within_its_bounds():
    network = load("cifar10-gaussian-0.25")
    given = _given(network, 2)
    found = _answers(models.step(network, half=True), given)
    _, gradient, logits = _expected(network, given, "tcm")
    logits = logits - logits.mean(axis=1, keepdims=True)
    own = found["logits"] - found["logits"].mean(axis=1, keepdims=True)
    assert _off(own, logits) < rounding.MOST_OF_LOGITS
    assert _off(found["gradient"], gradient) < rounding.MOST_OF_GRADIENT


def test_kernels_too_large_for_half_precision_stay_whole(tmp_path):
    network = _network(CONFIGS["cifar"])
    params = jax.tree.map(lambda leaf: leaf, network.variables["params"])
    kernel = params["stem"]["conv"]["kernel"]
    params["stem"]["conv"]["kernel"] = kernel.at[0, 0, 0, 0].set(1e6)
    description = Description.from_json(network.metadata)
    large = base_network(description, {**network.variables, "params": params})
    made = export(large, tmp_path / "large.onnx")
    assert made.metadata["kernels"] == "float32"
    assert made.metadata["rounding"] == "null"


def test_what_a_program_must_know_stands_in_the_file(tmp_path):
    network = load(tiny_checkpoint.save(tmp_path))
    made = export(network, tmp_path / "tiny.onnx", name="tiny")
    model = onnx.load(made.path)
    told = {one.key: one.value for one in model.metadata_props}
    assert json.loads(told["pagjax.labels"]) == list(tiny_checkpoint.LABELS)
    assert json.loads(told["pagjax.training_sigma"]) == 0.25
    assert json.loads(told["pagjax.image_size"]) == [16, 16]
    assert json.loads(told["pagjax.normalizer"])["clamp"] is False
    assert told["pagjax.objective"] == "tcm"
    assert len(told["pagjax.weights_sha256"]) == 64
    assert is_ours(made.path)
    assert made.size == made.path.stat().st_size


def test_the_command(tmp_path, capsys, monkeypatch):
    checkpoint = str(tiny_checkpoint.save(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command.main([checkpoint]) == 0
    assert "kernels in" in capsys.readouterr().out
    assert (tmp_path / "tiny.onnx").exists()
    assert command.main([checkpoint, "--forward", "--kernels", "float32"]) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    given = [checkpoint, "--forward", "--kernels", "float32", "--overwrite"]
    assert command.main(given) == 0
    assert onnx.load("tiny.onnx").graph.name == "pagjax_logits"
    for out, told in (("no/folder.onnx", "make it first"), (".", "name a file")):
        assert command.main([checkpoint, "--out", out]) == 2
        assert told in capsys.readouterr().err
    assert command.main(["no-such-network"]) == 2
    assert "no-such-network" in capsys.readouterr().err


def test_unknown_choices_are_refused(tmp_path):
    network = _network(CONFIGS["cifar"])
    for given in ({"kernels": "int8"}, {"what": "backward"}, {"objective": "margin"}):
        with pytest.raises(ExportError, match="choose"):
            export(network, tmp_path / "x.onnx", **given)
    assert dataclasses.is_dataclass(network)
    assert not is_ours(tmp_path / "x.onnx")
