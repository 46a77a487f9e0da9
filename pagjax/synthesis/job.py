"""A synthesis job: which pictures meet which targets, and every setting, as JSON values."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from jax import Array

from pagjax import presets
from pagjax.core.checks import draws_needed, is_noiseless
from pagjax.core.draws import CHUNK_VALUES
from pagjax.core.objectives import BY_NAME
from pagjax.core.pgd import Noise
from pagjax.core.projections import Projection, ball_and_box, ball_then_box
from pagjax.core.recipe import Recipe
from pagjax.core.sampling import Sampling, group_size
from pagjax.core.targeted import draws_at_once
from pagjax.jobs.errors import JobError
from pagjax.synthesis.recorded import unlike
from pagjax.wording.numbers import MOST_SIGMA, check_in_box, check_length

PROJECTIONS: dict[str, Projection] = {"ball-then-box": ball_then_box, "nearest": ball_and_box}
MOST_AT_ONCE = 16
SUBJECT = "subject"

# Settings that older records lack, and what they meant without them. Left out where they still mean
# that, so that the same job has the same record as before.
_LATER: dict[str, Any] = {"crop": "centre"}
_ALWAYS = object()


@dataclass(frozen=True)
class Job:
    """Everything that determines the pictures, but the machine.

    Attributes:
        checkpoint: name or path of the base network.
        checkpoint_sha256: digest of its weights.
        images: names of the starting images: files, or ``sample:NAME``.
        images_sha256: digests of their pixels as used.
        image_size: height and width in pixels.
        targets: class indices.
        pairs: per picture to make, the position of its image and of its target in the lists above.
        sigma, epsilon, step_size: lengths in pixel units of [0, 1].
        num_steps, num_samples: steps, and noise draws a step.
        objective, projection, noise, keep: see `pagjax.targeted_pgd`.
        clip: whether pixels are kept in [0, 1].
        seed: of all noise.
        batch_size: pictures made at once.
        chunk_size: draws of a picture held at once; None chooses.
        last_num_samples: to which the draws grow; None where they do not.
        sampling: kind of draws, see `pagjax.core.sampling`.
        momentum, schedule, settles_after: see `pagjax.presets.strategy`.
        crop: what is kept of the starting images, see `pagjax.io.pictures.crops.parse`;
            `SUBJECT` shows the shipped samples at their subject and all else at the centre.
    """

    checkpoint: str
    checkpoint_sha256: str
    images: tuple[str, ...]
    images_sha256: tuple[str, ...]
    image_size: tuple[int, int]
    targets: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    sigma: float
    epsilon: float
    step_size: float
    num_steps: int
    num_samples: int
    objective: str
    projection: str
    noise: Noise
    keep: Literal["last", "best"]
    clip: bool
    seed: int
    batch_size: int
    chunk_size: int | None
    last_num_samples: int | None = None
    sampling: Sampling = "independent"
    momentum: float = 0.0
    schedule: presets.Schedule = "constant"
    settles_after: int | None = None
    crop: str = "centre"

    def __post_init__(self) -> None:
        """Refuses lengths that cannot be in pixel units of [0, 1].

        Raises:
            JobError: naming the length and the unit.
        """
        lengths = {"epsilon": self.epsilon, "step size": self.step_size}
        try:
            check_length(f"sigma {self.sigma}", self.sigma, most=MOST_SIGMA)
            for name, value in lengths.items():
                check_length(f"{name} {value}", value)
                if self.clip:  # without it the pictures are in no box
                    check_in_box(name, value, (*self.image_size, 3))
        except ValueError as error:
            raise JobError(str(error)) from None

    def to_json(self) -> dict[str, Any]:
        """As JSON values; those in `_LATER` only where they say anything."""
        values = dataclasses.asdict(self)
        return {name: v for name, v in values.items() if v != _LATER.get(name, _ALWAYS)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Job:
        """From `to_json`'s values, with lists where JSON has no tuples."""
        names = {field.name for field in dataclasses.fields(cls)}
        values = {**_LATER, **values}
        if set(values) != names:
            differing = ", ".join(sorted(set(values) ^ names))
            raise JobError(
                f"the recorded job is of another pagjax version (differs in {differing})"
            )
        for name, value in values.items():
            if (wanted := unlike(name, value)) is not None:
                told = repr(value)[:60]
                raise JobError(f"the recorded job's {name} is {told}, and must be {wanted}")
        listed: dict[str, Any] = {}
        for name, value in values.items():
            listed[name] = tuple(value) if isinstance(value, list) else value
        listed["pairs"] = tuple((int(image), int(target)) for image, target in values["pairs"])
        job = cls(**listed)
        sides = len(job.images), len(job.targets)
        if any(not (0 <= i < sides[0] and 0 <= j < sides[1]) for i, j in job.pairs):
            raise JobError("the recorded job's pairs name images or targets that it does not have")
        if len(job.images) != len(job.images_sha256):
            raise JobError("the recorded job's images_sha256 are not one for each of its images")
        return job

    @property
    def is_noiseless(self) -> bool:
        """Whether the base network itself is followed."""
        return is_noiseless(self.sigma)

    def recipe(self) -> Recipe:
        """What determines each picture, with the draws of every step.

        Raises:
            JobError: as `draws_by_step` does.
        """
        return Recipe(
            sigma=self.sigma,
            epsilon=self.epsilon,
            step_size=self.step_size,
            num_steps=self.num_steps,
            num_samples=self.draws_by_step(),
            objective=BY_NAME[self.objective],
            sampling=self.sampling,
            strategy=presets.strategy(
                self.momentum, self.schedule, self.num_steps, self.settles_after
            ),
            projection=PROJECTIONS[self.projection],
            bounds=(0.0, 1.0) if self.clip else None,
            noise=self.noise,
        )

    def draws_by_step(self) -> tuple[int, ...]:
        """Noise draws of every step.

        Raises:
            JobError: if they do not grow by doubling, or do not go into groups.
        """
        try:
            last = self.last_num_samples or self.num_samples
            counts = presets.growing(self.num_samples, last, self.num_steps)
            groups = [count // group_size(self.sampling, count) for count in set(counts)]
        except ValueError as error:
            raise JobError(str(error)) from error
        if self.settles_after is not None and min(groups) < 2:
            raise JobError(
                f"`settles_after={self.settles_after}`: {min(counts)} {self.sampling} draws have "
                "no standard error to judge by; pass a larger `num_samples`"
            )
        return tuple(draws_needed(self.sigma, count, largest=None) for count in counts)

    def most_groups(self) -> int:
        """What devices can share of a picture's step: draws, or groups of dependent ones."""
        if self.is_noiseless:
            return 1
        return max(count // group_size(self.sampling, count) for count in self.draws_by_step())


def make_pairs(
    num_images: int, num_targets: int, how: Literal["all", "one-to-one"]
) -> tuple[tuple[int, int], ...]:
    """Which image meets which target: every pair, or the first with the first and so on.

    Example:
        >>> make_pairs(2, 2, "all"), make_pairs(2, 2, "one-to-one")
        (((0, 0), (0, 1), (1, 0), (1, 1)), ((0, 0), (1, 1)))
    """
    if how == "all":
        return tuple((i, j) for i in range(num_images) for j in range(num_targets))
    if num_images != num_targets:
        raise JobError(
            f"{num_images} images and {num_targets} targets cannot go one to one: give as many of "
            "each, or `pairs=all`"
        )
    return tuple((i, i) for i in range(num_images))


def default_batch_size(
    num_pictures: int, num_samples: int, values: int, num_devices: int = 1
) -> int:
    """Pictures at once: as many as there is room for, evenly over the batches.

    Example, fifteen pictures of 32 pixels, and the paper's N:
        >>> default_batch_size(15, 2, 32 * 32 * 3), default_batch_size(15, 20, 224 * 224 * 3)
        (15, 1)
    """
    at_once = draws_at_once(values, jax.default_backend())
    # On CPUs thirty small gradients at once took 0.9 of the time of sixteen; in chunks of N, twenty
    # are as good and smaller.
    room = max(at_once, min(3 * at_once // 2, CHUNK_VALUES // values))
    fitting = max(1, min(MOST_AT_ONCE, num_devices * (room // min(num_samples, at_once))))
    batches = -(-num_pictures // fitting)
    return -(-num_pictures // batches)


def picture_keys(seed: int, start: np.ndarray) -> Array:
    """One key per picture, from the seed and the starting image's pixels alone.

    So a starting image meets the same noise in every job with this seed, whatever else is made with
    it and whichever target it is given.

    Args:
        seed: an integer.
        start: starting images, shape ``[n, height, width, channels]``.

    Returns:
        Keys of shape ``[n]``.
    """
    prints = np.array([zlib.crc32(np.ascontiguousarray(image).tobytes()) for image in start])
    key = jax.random.key(seed)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(prints.astype(np.uint32))
