"""Every number of a set of pictures at once, against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.alignment import (
    Judge,
    bayes_classifier,
    bayes_gradient,
    correlation_length,
    directions,
    intervals,
    measure,
    number_of_features,
)
from pagjax.core.class_gaussians import from_images, stack
from tests.support import closed_forms


def test_every_number_of_a_set_of_pictures():
    weights = closed_forms.image(1) - 0.5
    network = closed_forms.linear(weights)
    starts = closed_forms.image(batch=5)
    unit = weights / jnp.linalg.norm(weights)
    results = starts + 0.1 * unit
    fits = [from_images(closed_forms.image(seed, batch=4), regulariser=0.01) for seed in (3, 4)]
    towards = starts[:, None] + jnp.stack([unit, unit])[None]
    found = measure(
        network,
        starts,
        results,
        jnp.zeros(5, int),
        jax.random.key(0),
        sigma=0.25,
        judges=[Judge("twin", network), Judge("opposite", closed_forms.linear(-weights))],
        statistics=stack(fits),
        others=jnp.ones(5, int),
        neighbours=(towards, starts[:, None] - unit),
        num_samples=8,
        agreement_samples=[2],
    )
    columns = found.columns
    np.testing.assert_allclose(columns["distance"], 0.1, rtol=1e-4)
    for name, of in (
        ("correlation_length", correlation_length),
        ("features", number_of_features),
    ):
        np.testing.assert_allclose(columns[name], np.asarray(of(results - starts)), rtol=1e-5)
    raised = 0.1 * float(jnp.linalg.norm(weights))
    np.testing.assert_allclose(columns["logit"] - columns["logit_start"], raised, rtol=1e-3)
    score = np.asarray((results * weights).sum((1, 2, 3)))
    sure = 1 / (1 + np.exp(-2 * score))
    np.testing.assert_allclose(columns["judge_twin_probability"], sure, rtol=1e-4)
    np.testing.assert_allclose(columns["judge_opposite_probability"], 1 - sure, rtol=1e-4)
    np.testing.assert_array_equal(columns["judge_twin_hit"], score > 0)
    for name in ("gradient", "change"):
        np.testing.assert_allclose(columns[f"{name}_to_nearest"], 1, rtol=1e-4)
        np.testing.assert_allclose(columns[f"{name}_to_nearest_other"], -1, rtol=1e-4)
    np.testing.assert_allclose(
        columns["gradient_to_mean"],
        directions.cosine(jnp.stack([weights] * 5), fits[0].mean - starts),
        rtol=1e-4,
        atol=1e-6,
    )
    best = bayes_gradient(bayes_classifier(stack(fits), 0.25), starts, jnp.ones(5, int))
    np.testing.assert_allclose(
        columns["gradient_to_bayes_other"],
        directions.cosine(jnp.stack([weights] * 5), best),
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(columns["agreement_2"], 1, rtol=1e-5)
    summary = found.summary()
    assert set(summary) == set(columns)
    assert summary["judge_twin_hit"] == intervals.share_interval(score > 0)
    assert summary["logit"] == intervals.mean_interval(columns["logit"])
    assert len(found.rows()) == 5
    assert found.rows()[2]["logit"] == columns["logit"][2]


def test_measure_refuses_what_does_not_fit():
    network = closed_forms.linear(closed_forms.image(1))
    starts, targets, key = closed_forms.image(batch=2), jnp.zeros(2, int), jax.random.key(0)
    with pytest.raises(ValueError, match="results of shape"):
        measure(network, starts, starts[:1], targets, key, sigma=0.0)
    with pytest.raises(ValueError, match="one index per image"):
        measure(network, starts, starts, targets[:1], key, sigma=0.0)
    with pytest.raises(ValueError, match="neighbours need others"):
        measure(
            network,
            starts,
            starts,
            targets,
            key,
            sigma=0.0,
            neighbours=(starts[:, None], starts[:, None]),
        )
