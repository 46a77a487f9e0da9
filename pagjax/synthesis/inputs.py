"""What a job starts from: pictures, targets, records; what cannot be used is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import numpy as np

from pagjax.checkpoints.identity import weights_digest
from pagjax.io.files import atomic
from pagjax.io.pictures import crops, samples
from pagjax.io.pictures.images import ImageError, find, read
from pagjax.jobs.errors import JobError
from pagjax.jobs.targets import resolve_target
from pagjax.networks.base import BaseNetwork
from pagjax.seeds import starts
from pagjax.synthesis import page_records
from pagjax.synthesis.job import SUBJECT, Job, make_pairs


class Pictures(NamedTuple):
    """Pictures of shape ``[n, height, width, 3]``, their names, and why others were skipped."""

    names: tuple[str, ...]
    pictures: np.ndarray
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What can be used of what was given.

    Attributes:
        names: of the pictures.
        pictures: shape ``[n, height, width, 3]``.
        targets: class indices.
        pairs: per picture to make, positions in `pictures` and `targets`.
        skipped: why the rest cannot be used, a line each.
    """

    names: tuple[str, ...]
    pictures: np.ndarray
    targets: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    skipped: tuple[str, ...]


def read_inputs(
    images: Sequence[str],
    targets: Sequence[str | int],
    how: Literal["all", "one-to-one"],
    size: tuple[int, int],
    labels: Sequence[str],
    crop: str = SUBJECT,
) -> Inputs:
    """Pictures, targets and who meets whom; a pair with an unusable half is left out.

    Args:
        images: files, folders, ``sample:NAME`` and ``seed:STATISTICS/CLASS-SEED-NUMBER``.
        targets: labels and class indices.
        how: every picture with every target, or the first with the first and so on.
        size: height and width in pixels.
        labels: the network's class names.
        crop: what is kept of a picture, see `pagjax.synthesis.job.Job`.

    Returns:
        `Inputs`, free of what could not be used.

    Raises:
        JobError: if nothing is left, or one-to-one lists differ in length.
    """
    skipped: list[str] = []
    found = _read_images(images, size, skipped, crop)
    classes = [_read_target(text, labels, skipped) for text in targets]
    usable_images = [i for i, (_, picture) in enumerate(found) if picture is not None]
    usable_targets = [j for j, index in enumerate(classes) if index is not None]
    pairs = [
        (usable_images.index(i), usable_targets.index(j))
        for i, j in make_pairs(len(found), len(classes), how)
        if i in usable_images and j in usable_targets
    ]
    if not pairs:
        raise JobError("no picture and target can be used: " + "; ".join(skipped))
    return Inputs(
        names=tuple(found[i][0] for i in usable_images),
        pictures=np.stack([picture for _, picture in found if picture is not None]),
        targets=tuple(index for index in classes if index is not None),
        pairs=tuple(pairs),
        skipped=tuple(skipped),
    )


def read_pictures(images: Sequence[str], size: tuple[int, int], crop: str = SUBJECT) -> Pictures:
    """Files, folders and ``sample:NAME`` as pictures of one size; damaged ones are skipped.

    Raises:
        JobError: if one of them is not there, or none can be read.
    """
    missing: list[str] = []
    damaged: list[str] = []
    found = _read_images(images, size, missing, crop, damaged)
    usable = [(name, picture) for name, picture in found if picture is not None]
    if missing or not usable:
        raise JobError("; ".join(missing + damaged))
    names = tuple(name for name, _ in usable)
    return Pictures(names, np.stack([picture for _, picture in usable]), tuple(damaged))


def read_targets(targets: Sequence[str | int], labels: Sequence[str]) -> tuple[int, ...]:
    """Class indices of labels and indices.

    Raises:
        JobError: if one of them means no class.
    """
    return tuple(resolve_target(text, labels) for text in targets)


def _read_images(
    given: Sequence[str],
    size: tuple[int, int],
    skipped: list[str],
    crop: str,
    damaged: list[str] | None = None,
) -> list[tuple[str, np.ndarray | None]]:
    found: list[tuple[str, np.ndarray | None]] = []
    for text in given:
        try:
            if text.startswith(page_records.PREFIX):
                found.append((text, page_records.read(text, size)))
                continue
            if text.startswith(starts.PREFIX):
                found.append((text, starts.read(text, size)))
                continue
            if text.startswith(samples.PREFIX):
                names = [(text, samples.path(text))]
            else:
                names = [(str(file), file) for file in find([text])]
        except (ImageError, ValueError) as error:
            skipped.append(str(error))
            found.append((text, None))
            continue
        for name, file in names:
            try:
                found.append((name, read(file, size, crop=_crop(crop, text))))
            except ImageError as error:
                (skipped if damaged is None else damaged).append(str(error))
                found.append((name, None))
    return found


def check_crop(crop: str, images: Sequence[str]) -> str:
    """The crop as a job records it: in one form, and the centre where that is what it means.

    Raises:
        JobError: for a crop that is none.
    """
    if crop == SUBJECT:
        return SUBJECT if any(name.startswith(samples.PREFIX) for name in images) else "centre"
    try:
        kept = crops.parse(crop)
    except ValueError as error:
        raise JobError(f"`crop`{str(error).removeprefix('crop')}") from error
    named = [name for name, own in crops.NAMED.items() if own == kept]
    return named[0] if named else ",".join(f"{share:g}" for share in kept)


def _crop(crop: str, name: str) -> crops.Crop:
    if crop != SUBJECT:
        return crops.parse(crop)
    return samples.crop(name) if name.startswith(samples.PREFIX) else crops.CENTRE


def _read_target(text: str | int, labels: Sequence[str], skipped: list[str]) -> int | None:
    try:
        return resolve_target(text, labels)
    except JobError as error:
        skipped.append(str(error))
        return None


def check_size(network: BaseNetwork, size: tuple[int, int]) -> None:
    """Refuses an image size that the network cannot take, before any work.

    Raises:
        JobError: with the network's own words.
    """
    try:
        image = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
        jax.eval_shape(network.logits_fn, image)
    except (TypeError, ValueError) as error:
        raise JobError(f"`image_size`: {error}") from error


def recorded_pictures(job: Job, network: BaseNetwork) -> np.ndarray:
    """A recorded job's pictures, after checking that nothing changed since.

    Raises:
        JobError: if the weights or a picture are no longer those of the record.
    """
    if wrong := [target for target in job.targets if target >= len(network.labels)]:
        raise JobError(
            f"the recorded job's targets hold {wrong[0]}: {job.checkpoint} has "
            f"{len(network.labels)} classes"
        )
    if weights_digest(network) != job.checkpoint_sha256:
        raise JobError(f"{job.checkpoint} no longer holds the weights of the record")
    skipped: list[str] = []
    found = _read_images(job.images, job.image_size, skipped, job.crop)
    changed = [
        name
        for (name, picture), seen in zip(found, job.images_sha256, strict=True)
        if picture is not None and atomic.digest(picture) != seen
    ]
    if skipped or changed:
        raise JobError(f"starting images changed since the record: {'; '.join(skipped + changed)}")
    return np.stack([picture for _, picture in found if picture is not None])
