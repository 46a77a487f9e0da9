"""The numbers beside a figure's pictures, one row a picture, and their means by variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from pagjax.alignment import Measurements, measure
from pagjax.comparison import jury
from pagjax.figures.panels import Panel
from pagjax.figures.recipes import Figure, Variant
from pagjax.figures.rows import Means, Numbers, Row
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis import certified

_STREAM = 2**31 - 1  # of keys; no picture's own key is folded with it
_CHUNK = 8
LOW_PASS = "vanilla_blurred"


def of_panel(
    variant: Variant,
    panel: Panel,
    network: BaseNetwork,
    judges: Mapping[str, BaseNetwork],
    certification_draws: int | None,
) -> Measurements:
    """Measures the pictures of a panel.

    Args:
        variant: the panel's.
        panel: its pictures.
        network: that made them.
        judges: networks that are impartial to them, see `pagjax.comparison.jury`.
        certification_draws: for a certified radius of every picture that a smoothed network made;
            None leaves it out.
    """
    found = measure(
        network.logits_fn,
        jnp.asarray(panel.starts),
        jnp.asarray(panel.results),
        jnp.asarray(panel.targets),
        jax.random.fold_in(jax.random.key(panel.job.seed), _STREAM),
        sigma=variant.sigma,
        judges=jury.judges(judges, low_pass=LOW_PASS),
        chunk_size=_CHUNK,
    )
    if certification_draws is None or not variant.sigma:
        return found
    proofs = certified.certify(
        network, panel.job, panel.results, panel.targets, certification_draws
    )
    radii = np.array([proof.radius for proof in proofs])
    return Measurements({**found.columns, "certified_radius": radii})


def rows(
    recipe: Figure,
    variant: Variant,
    panel: Panel,
    found: Measurements,
    names: Sequence[str],
    labels: Sequence[str],
) -> list[Row]:
    """A row for every picture: what it is, and its numbers."""
    job = panel.job
    return [
        Row(
            figure=recipe.number,
            network=job.checkpoint,
            start=names[image],
            target=labels[job.targets[target]],
            sigma=job.sigma,
            objective=job.objective,
            draws=job.num_samples,
            steps=job.num_steps,
            epsilon=job.epsilon,
            numbers=Numbers(variant.label, values),
        )
        for (image, target), values in zip(job.pairs, found.rows(), strict=True)
    ]


def means(variant: Variant, found: Measurements) -> Means:
    """The means of a panel's numbers, with their intervals.

    Example:
        >>> import numpy as np
        >>> found = Measurements({"judge_robust_hit": np.array([1.0, 0.0, 1.0, 1.0])})
        >>> told = means(Variant("a", "vanilla", 0.0), found).to_json()
        >>> told["judge_robust_hit"], round(told["judge_robust_hit_low"], 3)
        (0.75, 0.194)
    """
    return Means(variant.label, len(next(iter(found.columns.values()))), found.summary())
