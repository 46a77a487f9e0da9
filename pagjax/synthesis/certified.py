"""What is proven of a job's pictures: a ball in which the smoothed network sees the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from pagjax.core.checks import UNIT_BOX
from pagjax.jobs.errors import JobError
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis.job import Job

if TYPE_CHECKING:
    # SciPy's statistics take as long to import as JAX, and most jobs certify nothing.
    from pagjax.certification import Certificate

ALPHA = 0.001


def certify(
    network: BaseNetwork, job: Job, pictures: np.ndarray, targets: np.ndarray, num_draws: int
) -> list[Certificate]:
    """Certificates of pictures for the classes that they were made to show.

    Args:
        network: the base network.
        job: gives sigma, above 0, and seed; the draws made none of the pictures.
        pictures: shape ``[n, height, width, channels]``.
        targets: class indices ``[n]``.
        num_draws: noise draws a picture.

    Returns:
        A certificate each, at failure probability `ALPHA`.
    """
    from pagjax.certification import certify_class

    key = jax.random.fold_in(jax.random.key(job.seed), 2**31 + 1)
    return [
        certify_class(
            network.logits_fn,
            jnp.asarray(picture),
            int(target),
            jax.random.fold_in(key, number),
            sigma=job.sigma,
            num_draws=num_draws,
            alpha=ALPHA,
            bounds=UNIT_BOX if job.clip else None,
        )
        for number, (picture, target) in enumerate(zip(pictures, targets, strict=True))
    ]


def check_draws(num_draws: int) -> None:
    """Refuses a number of draws from which no picture could be certified, before any is made.

    Raises:
        JobError: naming the least.
    """
    from pagjax.certification.least import check_enough, least_draws

    try:
        check_enough("`certify`", num_draws, least_draws(ALPHA), ALPHA)
    except ValueError as error:
        raise JobError(str(error)) from error


def to_record(certificate: Certificate, target: int) -> dict[str, Any]:
    """A certificate as JSON values."""
    from pagjax.certification import ABSTAIN

    return {
        "certified": certificate.prediction != ABSTAIN,
        "certified_radius": certificate.radius,
        "vote_share": float(certificate.totals[target] / certificate.num_draws),
        "vote_share_lower_bound": certificate.lower_bound,
        "certification_draws": certificate.num_draws,
        "certification_alpha": ALPHA,
    }


def note(certificate: Certificate) -> str:
    """For a caption: the radius, cut after two decimals, or that nothing is certified."""
    from pagjax.certification import ABSTAIN

    if certificate.prediction == ABSTAIN:
        return ", no R"
    return f", R = {int(certificate.radius * 100) / 100:.2f}"
