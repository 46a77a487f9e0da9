"""What a network says of every training image: selections, weights, a teacher's answers."""

from __future__ import annotations

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax.training import data as batching
from pagjax.training import loop, surveys
from pagjax.training.evaluation import Exam
from pagjax.training.material import Material
from pagjax.training.procedures import options
from pagjax.training.settings import Settings, TrainingError
from tests.training import tiny
from tests.training.test_evaluation import brightest_channel

ACR = replace(tiny.SETTINGS, procedure="acr", select_draws=5, weigh_draws=16, sigma=0.1)


def _mislabelled(count: int, wrong: int):
    """Images of which the first few have another class's label."""
    data = tiny.data(count)
    targets = data.targets.copy()
    targets[:wrong] = (targets[:wrong] + 1) % tiny.CLASSES
    return replace(data, targets=targets)


def test_weights_are_exact_lower_bounds_at_confidence_nine_tenths():
    for num_draws in (16, 33):
        weights = options.weights_of_counts(num_draws)
        least = int(0.75 * num_draws)
        assert len(set(weights[: least + 1])) == 1
        for right in range(least, num_draws + 1):
            share = stats.norm.cdf(weights[right])
            assert stats.binom.sf(right - 1, num_draws, share) == pytest.approx(0.1, rel=1e-9)


def test_a_survey_leaves_out_what_is_never_recognised_and_weighs_the_rest():
    data = _mislabelled(9, 3)
    before = surveys.begun(ACR, len(data))
    seen = {"kept": None, "report": lambda what, done, total: None, "seed": 1}
    after = surveys.survey(ACR, brightest_channel, data, before, first=True, **seen)
    assert np.asarray(after.stays).tolist() == [False] * 3 + [True] * 6
    assert np.asarray(after.right).tolist() == [0] * 3 + [16] * 6
    # What was left out stays out, whatever a later survey says.
    later = surveys.survey(ACR, brightest_channel, tiny.data(9), after, first=False, **seen)
    assert np.asarray(later.stays).tolist() == np.asarray(after.stays).tolist()
    assert np.asarray(later.right).tolist() == [16] * 9
    with pytest.raises(TrainingError, match="lower `least_share`"):
        surveys.survey(ACR, brightest_channel, _mislabelled(3, 3), before, first=True, **seen)


def test_easy_images_are_drawn_more_often():
    selection = surveys.Selection(jnp.array([True, True, False]), jnp.array([16, 3, 16]))
    shares = surveys.shares(ACR, selection)
    weights = options.weights_of_counts(16)
    wanted = np.array([weights[16], weights[12], 0])
    np.testing.assert_allclose(shares, wanted / wanted.sum())
    assert surveys.shares(replace(ACR, weigh_every=0.0), selection).tolist() == [0.5, 0.5, 0]
    data = tiny.data(3)
    drawn = np.concatenate([b.labels for b in batching.batches(data, 3, 0, 0, 3000, shares=shares)])
    found = np.bincount(drawn, minlength=3) / len(drawn)
    assert (abs(found - shares) <= 5 * np.sqrt(shares * (1 - shares) / len(drawn))).all()
    late = [b.labels for b in batching.batches(data, 3, 0, 2990, 3000, shares=shares)]
    np.testing.assert_array_equal(np.concatenate(late), drawn[-30:])


def test_soft_labels_go_with_their_images():
    data, soft = tiny.data(6), np.arange(18, dtype=np.float32).reshape(6, 3)
    for batch in batching.batches(data, 2, 1, 0, 6, slice(1, 2), soft_labels=soft):
        number = int(batch.soft_labels[0, 0]) // 3
        np.testing.assert_array_equal(batch.images[0], data.images([number])[0])


def test_larger_images_are_brought_to_the_networks_size():
    seen = []

    def watching(x):
        seen.append(x.shape)
        return brightest_channel(x)

    found = surveys.votes(
        watching,
        tiny.data(5),
        4,
        Exam(0.1, 7),
        what="teacher",
        kept=None,
        report=lambda what, done, total: None,
    )
    assert {shape[1:] for shape in seen} == {(4, 4, 3)}
    assert found.argmax(axis=1).tolist() == [0, 1, 2, 0, 1]
    assert found.sum(axis=1).tolist() == [7] * 5


DATA, TEST = tiny.data(10), tiny.data(6, seed=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Four steps of two an epoch, with surveys before the third and the fourth; compiled once."""
    settings = replace(ACR, select_from=1.0, weigh_every=0.5, least_share=0.0)
    told: list[str] = []
    material = Material(report=lambda what, done, total: told.append(what))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_step", functools.cache(loop.make_step))
        folder = tmp_path_factory.mktemp("whole")
        state = loop.train(settings, DATA, TEST, folder, material=material)
        assert list(dict.fromkeys(told)) == ["which images are hard", "how easy images are"]
        assert told.count("which images are hard") < told.count("how easy images are")
        yield settings, material, state


@pytest.mark.parametrize("stop", [2, 3])
def test_a_run_with_surveys_is_the_same_wherever_it_was_interrupted(stop, whole, tmp_path):
    settings, material, state = whole
    loop.train(settings, DATA, TEST, tmp_path, stop_after=stop, material=material)
    again = loop.train(settings, DATA, TEST, tmp_path, material=material)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    assert 0 < np.asarray(state.selection.stays).sum() <= len(DATA)


def test_settings_are_refused_where_they_do_not_belong():
    for name, value, taker in (
        ("mix_steps", 1, "smoothmix"),
        ("teacher", "cifar10-gaussian-0.25", "catrs"),
        ("least_share", 0.3, "acr"),
        ("statistics", "cifar10", "aligned"),
        ("temperature", 4.0, "macer"),
    ):
        settings = Settings("cifar10", **{name: value})
        with pytest.raises(TrainingError, match=f"{name} = .*only {taker} does"):
            options.check(settings, [name])
        options.check(settings)  # a recipe's own, of a procedure that was changed


@pytest.mark.parametrize(
    ("procedure", "changed", "told"),
    [
        ("smoothmix", {"mix_steps": 4}, "fewer than `attack_steps`, 4"),
        ("smoothmix", {"step_length": 0.0}, "step_length = 0: smoothmix needs one above 0"),
        ("catrs", {}, "name one with `teacher`"),
        ("catrs", {"teacher": "x", "sigma": 0.0}, "sigma = 0: catrs"),
        ("acr", {"weigh_draws": 4, "epochs": 90.0}, "choose 16 or more"),
        ("acr", {"epochs": 12.0}, "select_from = 60: acr needs an epoch before the last, 12"),
        ("aligned", {"weight": 0.0}, "weight = 0: aligned"),
    ],
)
def test_settings_that_make_no_sense_are_refused(procedure, changed, told):
    values = {"sigma": 0.25, **options.PAPERS[procedure], **changed}
    with pytest.raises(TrainingError, match=told):
        options.check(Settings("cifar10", procedure=procedure, **values))


def test_ranges_of_settings():
    for name, value in (("step_length", 99.0), ("least_share", 1.5), ("num_targets", -1)):
        with pytest.raises(TrainingError, match=name):
            Settings("cifar10", **{name: value})


def test_runs_of_before_are_known_by_the_same_record():
    assert not set(Settings("cifar10").to_json()) & {"teacher", "select_from", "step_length"}
    later = Settings("cifar10", teacher="x", step_length=0.5)
    assert Settings.from_json(later.to_json()) == later
