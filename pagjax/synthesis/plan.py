"""The job that is asked for: a preset's settings by the pictures' size, where none are given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pagjax import presets
from pagjax.checkpoints.identity import weights_digest
from pagjax.core.checks import draws_needed, is_noiseless
from pagjax.core.objectives import BY_NAME
from pagjax.core.pgd import Noise
from pagjax.core.sampling import Sampling
from pagjax.io.files import atomic
from pagjax.jobs.errors import JobError
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis.inputs import Inputs
from pagjax.synthesis.job import Job, default_batch_size


@dataclass(frozen=True)
class Asked:
    """What somebody wants otherwise; None leaves it to the preset, or to the network.

    Attributes:
        preset: see `pagjax.presets.settings`.
        free_draws: whether a number of draws of one's own need not suit the preset's kind of draws:
            they are independent then, and one where there is no noise.

    The others are those of `pagjax.synthesis.job.Job`.
    """

    preset: str = "paper"
    sigma: float | None = None
    epsilon: float | None = None
    step_size: float | None = None
    num_steps: int | None = None
    num_samples: int | None = None
    last_num_samples: int | None = None
    free_draws: bool = False
    sampling: Sampling | None = None
    momentum: float | None = None
    schedule: presets.Schedule | None = None
    settles_after: int | None = None
    objective: str = "tcm"
    projection: str = "ball-then-box"
    noise: Noise = "fresh"
    keep: Literal["last", "best"] = "last"
    clip: bool = True
    seed: int = 0
    batch_size: int | None = None
    chunk_size: int | None = None
    crop: str = "centre"


def plan(
    checkpoint: str, network: BaseNetwork, given: Inputs, asked: Asked, *, num_devices: int = 1
) -> Job:
    """Everything that determines the pictures.

    Args:
        checkpoint: name or path of the network, as the record tells it.
        network: the base network.
        given: pictures, targets and who meets whom.
        asked: what departs from the preset.
        num_devices: among which the pictures are shared out.

    Raises:
        JobError: if the noise level is known to nobody, or a setting is out of range.
    """
    sigma = network.training_sigma if asked.sigma is None else asked.sigma
    if sigma is None:
        raise JobError(f"{checkpoint} does not say under which noise it was trained: pass `sigma`")
    height, width = given.pictures.shape[1:3]
    objective = BY_NAME[asked.objective]
    default = presets.settings(
        asked.preset, math.sqrt(height * width), sigma=sigma, objective=objective
    )
    num_samples = asked.num_samples or default.num_samples
    sampling = asked.sampling or default.sampling
    if asked.free_draws:
        if is_noiseless(sigma) or num_samples != default.num_samples:
            sampling = "independent"
        num_samples = draws_needed(sigma, num_samples)
    batch_size = asked.batch_size or default_batch_size(
        len(given.pairs),
        draws_needed(sigma, num_samples, largest=None),
        given.pictures[0].size,
        num_devices,
    )
    job = Job(
        checkpoint=checkpoint,
        checkpoint_sha256=weights_digest(network),
        images=given.names,
        images_sha256=tuple(atomic.digest(picture) for picture in given.pictures),
        image_size=(height, width),
        targets=given.targets,
        pairs=given.pairs,
        sigma=sigma,
        epsilon=_or(asked.epsilon, default.epsilon),
        step_size=_or(asked.step_size, default.step_size),
        num_steps=asked.num_steps or default.num_steps,
        num_samples=num_samples,
        last_num_samples=asked.last_num_samples,
        sampling=sampling,
        momentum=_or(asked.momentum, default.momentum),
        schedule=asked.schedule or default.schedule,
        settles_after=asked.settles_after,
        objective=asked.objective,
        projection=asked.projection,
        noise=asked.noise,
        keep=asked.keep,
        clip=asked.clip,
        seed=asked.seed,
        batch_size=min(batch_size, len(given.pairs)),
        chunk_size=asked.chunk_size,
        crop=asked.crop,
    )
    job.draws_by_step()
    return job


def _or(asked: float | None, default: float) -> float:
    return default if asked is None else asked
