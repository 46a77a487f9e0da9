"""The training step: it lowers the loss, for every procedure, and averages its weights."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pagjax.training import optimisers, procedures, state_files, surveys
from pagjax.training.augmentation import augment, random_cutout
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.step import State, init, make_step, network_of
from tests.training import tiny

IMAGES, LABELS = tiny.images(4), np.arange(4, dtype=np.int32) % tiny.CLASSES


def _start(settings: Settings) -> tuple[State, object]:
    network = network_of(settings, tiny.CLASSES)
    bayes = tiny.bayes(settings.sigma) if settings.procedure == "aligned" else None
    state = init(settings, network, 6)
    state = state._replace(selection=surveys.begun(settings, len(IMAGES)))
    return state, make_step(settings, network, 6, bayes)


@pytest.mark.parametrize("name", procedures.BY_NAME)
def test_one_step_lowers_the_loss_and_a_state_from_disk_goes_on_to_the_bit(name, tmp_path):
    settings = replace(tiny.SETTINGS, procedure=name, schedule="steps", peak_rate=0.005)
    state, step = _start(settings)
    soft = [tiny.soft_labels(len(IMAGES))] if name == "catrs" else []
    state, before = step(state, IMAGES, LABELS, *soft)
    state_files.save(tmp_path, state, settings.to_json())
    kept = state_files.restore(tmp_path, state, settings.to_json())
    # The step's number gives augmentation and noise: set back, it meets the same ones again.
    again = jax.tree.map(jnp.copy, state._replace(step=jnp.zeros((), jnp.int32)))
    _, after = step(again, IMAGES, LABELS, *soft)
    assert float(after.loss) < float(before.loss)
    ours, theirs = (step(one, IMAGES, LABELS, *soft) for one in (state, kept))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_bfloat16_follows_float32_and_keeps_float32_weights():
    losses = []
    for precision in ("float32", "bfloat16"):
        with jax.numpy_dtype_promotion("standard"):  # Flax's batch norm promotes bfloat16 itself
            state, step = _start(replace(tiny.SETTINGS, precision=precision))
            state, seen = step(state, IMAGES, LABELS)
        assert {leaf.dtype for leaf in jax.tree.leaves(state.variables)} == {jnp.dtype("float32")}
        losses.append(float(seen.loss))
    assert losses[1] == pytest.approx(losses[0], rel=0.03)


def test_the_average_is_the_running_mean_of_the_weights():
    state, step = _start(replace(tiny.SETTINGS, average=0.2))
    leaf = lambda tree: np.asarray(tree["params"]["head"]["kernel"])  # noqa: E731
    expected = leaf(state.variables)
    for number in range(3):
        state, _ = step(state, IMAGES, LABELS)
        keep = min(0.2, (1 + number) / (10 + number))
        expected = keep * expected + (1 - keep) * leaf(state.variables)
    np.testing.assert_allclose(leaf(state.average), expected, rtol=1e-5, atol=1e-6)


def test_equal_shares_average_every_second_step_after_the_first_epoch():
    settings = replace(tiny.SETTINGS, average_from=0.5, average_every=2)  # 6 steps an epoch
    state, step = _start(settings)
    leaf = lambda tree: np.asarray(tree["params"]["head"]["kernel"])  # noqa: E731
    seen = []
    for _ in range(9):
        state, _ = step(state, IMAGES, LABELS)
        seen.append(leaf(state.variables))
        taken = [seen[number - 1] for number in (4, 6, 8) if number <= len(seen)]
        expected = np.mean(taken, axis=0) if taken else seen[min(len(seen), 3) - 1]
        np.testing.assert_allclose(leaf(state.average), expected, rtol=1e-5, atol=1e-6)


def test_starting_weights_are_taken_over_and_checked():
    network = network_of(tiny.SETTINGS, tiny.CLASSES)
    other = init(replace(tiny.SETTINGS, seed=77), network, 6).variables
    state = init(tiny.SETTINGS, network, 6, other)
    for a, b in zip(jax.tree.leaves(state.variables), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
    wider = network_of(replace(tiny.SETTINGS, width=8), tiny.CLASSES)
    with pytest.raises(TrainingError, match="another network"):
        init(replace(tiny.SETTINGS, width=8), wider, 6, other)


def test_one_cycle_rises_to_the_peak_and_falls_to_zero():
    settings = replace(tiny.SETTINGS, epochs=10.0, peak_rate=0.4, rise=0.25)
    rates = [float(optimisers.schedule(settings, 8)(step)) for step in range(81)]
    assert max(rates) == pytest.approx(0.4)
    assert rates.index(max(rates)) == 19
    assert rates[80] == pytest.approx(0, abs=1e-7)
    assert all(np.diff(rates[:20]) > 0)
    assert all(np.diff(rates[19:]) < 0)


def test_steps_divide_the_rate_by_ten():
    settings = replace(tiny.SETTINGS, schedule="steps", peak_rate=0.1, drops=(1.0, 2.0))
    rates = [float(optimisers.schedule(settings, 5)(step)) for step in (0, 4, 5, 9, 10)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001], rtol=1e-5)


def test_sgd_is_nesterov_with_weight_decay():
    settings = replace(tiny.SETTINGS, schedule="steps", peak_rate=0.1, weight_decay=0.01)
    optimiser = optimisers.optimiser(settings, 5)
    parameter, velocity = 2.0, 0.0
    ours, state = jnp.asarray(2.0), optimiser.init(jnp.asarray(2.0))
    for gradient in (1.0, -0.5, 0.25):
        updates, state = optimiser.update(jnp.asarray(gradient), state, ours)
        ours = optax.apply_updates(ours, updates)
        slope = gradient + 0.01 * parameter
        velocity = 0.9 * velocity + slope
        parameter -= 0.1 * (slope + 0.9 * velocity)
        assert float(ours) == pytest.approx(parameter, rel=1e-5)


@pytest.mark.parametrize(("crop", "cutout"), [("pad", 0), ("resized", 0), ("none", 3)])
def test_augmented_images_have_the_networks_size_and_range(crop, cutout):
    settings = replace(tiny.SETTINGS, crop=crop, cutout=cutout, image_size=6, stem="space_to_depth")
    seen = augment(settings, jax.random.key(0), jnp.asarray(tiny.images(16)))
    assert seen.shape == (16, 6, 6, 3)
    assert seen.dtype == jnp.float32
    assert float(seen.min()) >= 0
    assert float(seen.max()) <= 1


def test_cutout_covers_a_square_about_each_pixel_equally_often():
    images = jax.random.uniform(jax.random.key(0), (4000, 7, 9, 3))
    seen = np.asarray(random_cutout(jax.random.key(1), images, 3))
    covered = (seen != images).all(axis=-1)
    assert (seen[~covered] == images[~covered]).all()
    means = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
    np.testing.assert_allclose(seen[covered], means[covered], rtol=1e-6)
    for picture in covered[:100]:
        rows, columns = picture.any(axis=1), picture.any(axis=0)
        assert 2 <= rows.sum() <= 3
        assert 2 <= columns.sum() <= 3
        np.testing.assert_array_equal(picture, np.outer(rows, columns))
    shares = covered.mean(axis=0)
    reach = np.outer([2, 3, 3, 3, 3, 3, 2], [2, 3, 3, 3, 3, 3, 3, 3, 2]) / 63
    assert (abs(shares - reach) < 5 * np.sqrt(reach * (1 - reach) / 4000)).all()


def test_wrong_settings_are_refused_by_name():
    with pytest.raises(TrainingError, match="sigma = -1"):
        replace(tiny.SETTINGS, sigma=-1.0)
    with pytest.raises(TrainingError, match="cutout = -1"):
        replace(tiny.SETTINGS, cutout=-1)
    with pytest.raises(TrainingError, match="macer"):
        _start(replace(tiny.SETTINGS, procedure="magic"))
    with pytest.raises(TrainingError, match="cifar10-centered"):
        network_of(replace(tiny.SETTINGS, normalizer="magic"), 3)
    with pytest.raises(TrainingError, match="unknown settings"):
        Settings.from_json({"data": "cifar10", "magic": 1})
    again = Settings.from_json(tiny.SETTINGS.to_json())
    assert again == tiny.SETTINGS
