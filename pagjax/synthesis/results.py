"""What a finished job leaves in its folder: pictures, sheet, arrays, record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from PIL import Image

from pagjax.core import outputs
from pagjax.core.checks import UNIT_BOX, draws_needed
from pagjax.core.smoothing import smoothed_mean
from pagjax.io.files import atomic
from pagjax.io.lettering.fonts import said
from pagjax.io.pictures import sheets
from pagjax.io.pictures.images import to_pillow, unique_names
from pagjax.jobs import environment
from pagjax.networks.base import BaseNetwork
from pagjax.seeds import starts
from pagjax.synthesis import certified
from pagjax.synthesis.execute import Finished
from pagjax.synthesis.job import Job, make_pairs

RECORD, ARRAYS, SHEET, IMAGES = "record.json", "arrays.npz", "sheet.png", "images"
SHOWN = 256  # least side of a picture's PNG: small ones grow by whole pixels; arrays.npz does not
EVALUATION_SAMPLES = 100
EVALUATION_CHUNK = 20
MOST_NAME_BYTES = 80


def image_names(job: Job) -> list[str]:
    """What the starting images are called on the sheet and in file names."""
    return unique_names([Path(name.split(":")[-1]).stem for name in job.images])


def sheet_name(page: int) -> str:
    """Of a page of the sheet, counted from 1.

    Example:
        >>> sheet_name(1), sheet_name(2)
        ('sheet.png', 'sheet-2.png')
    """
    return SHEET if page == 1 else f"{Path(SHEET).stem}-{page}.png"


def picture_names(job: Job, labels: Sequence[str]) -> list[str]:
    """One file stem per picture, from the image's name and the target's, each cut where long."""
    stems = [shortened(name) for name in image_names(job)]
    labels = [shortened(_plain(label)) for label in labels]
    return unique_names(
        [f"{stems[image]}-to-{labels[job.targets[target]]}" for image, target in job.pairs]
    )


def shortened(name: str) -> str:
    """A part of a file name, cut to what all file systems take beside others like it.

    Example:
        >>> len(shortened("a" * 300).encode()), shortened("golf-ball")
        (80, 'golf-ball')
    """
    return os.fsencode(name)[:MOST_NAME_BYTES].decode("utf-8", "ignore")


def ours(folder: Path) -> set[str]:
    """The files of a result of this command, by its record; none where there is none.

    Example:
        >>> ours(Path("no-such-folder"))
        set()
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        pictures = [PurePosixPath(picture["file"]) for picture in record["pictures"]]
        record["job"]["checkpoint"], record["x_star_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    made = [path for path in pictures if path.parent == PurePosixPath(IMAGES)]
    frames = [path.with_suffix(".gif") for path in made if path.name]
    pages = {sheet_name(page + 1) for page in range(len(made))}
    more = pages.intersection(path.name for path in folder.glob("sheet-*.png"))
    return {RECORD, ARRAYS, SHEET, *more, *map(str, made), *map(str, frames)}


def evaluate(network: BaseNetwork, job: Job, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed logits and probabilities of pictures, on draws that made none of them.

    Args:
        network: the base network.
        job: gives sigma and seed; the draws are those of keys that no step folds in.
        pictures: shape ``[n, height, width, channels]``.

    Returns:
        Logits and probabilities, each of shape ``[n, classes]``.
    """
    keys = jax.random.fold_in(jax.random.key(job.seed), 2**31)[None]
    means = [
        smoothed_mean(
            _logits_and_probabilities,
            network.logits_fn,
            picture[None],
            keys,
            sigma=job.sigma,
            num_samples=EVALUATION_SAMPLES,
            chunk_size=EVALUATION_CHUNK,
            bounds=UNIT_BOX if job.clip else None,
        )[0]
        for picture in pictures
    ]
    both = np.stack([np.asarray(mean) for mean in means])
    return both[:, 0], both[:, 1]


def _logits_and_probabilities(logits: Array) -> Array:
    return jnp.stack([logits, outputs.probabilities(logits)])


def write(
    folder: Path,
    job: Job,
    network: BaseNetwork,
    images: np.ndarray,
    finished: Finished,
    *,
    certification_draws: int | None = None,
) -> None:
    """Writes everything into a folder of its own.

    With `certification_draws` each picture also gets a certified radius from so many draws.
    """
    names = picture_names(job, network.labels)
    targets = np.array([job.targets[target] for _, target in job.pairs])
    rows = _rows(job, network, images, finished, names)
    notes = [f"p = {row['smoothed_probability']:.3f}" for row in rows]
    if certification_draws is not None:
        found = certified.certify(network, job, finished.x_star, targets, certification_draws)
        notes = [text + certified.note(proof) for text, proof in zip(notes, found, strict=True)]
        proofs = [certified.to_record(p, target) for p, target in zip(found, targets, strict=True)]
        rows = [row | proof for row, proof in zip(rows, proofs, strict=True)]
    _write_pictures(folder, names, finished)
    for number, page in enumerate(sheet(job, network.labels, images, finished, notes), start=1):
        atomic.write_bytes(folder / sheet_name(number), sheets.png(page))
    sources = np.array([image for image, _ in job.pairs])
    trace = {name: np.asarray(value) for name, value in finished.trace._asdict().items()}
    ends = {"x0": images[sources], "x_star": finished.x_star, "target": targets, "image": sources}
    atomic.write_arrays(folder / ARRAYS, {**ends, **trace})
    record = {
        "job": job.to_json(),
        "network": network.description.to_json(),
        "pictures": rows,
        "evaluation_samples": draws_needed(job.sigma, EVALUATION_SAMPLES, largest=None),
        "x_star_sha256": atomic.digest(finished.x_star),
        "environment": environment.describe(),
    }
    atomic.write_json(folder / RECORD, record)


def _rows(
    job: Job, network: BaseNetwork, images: np.ndarray, finished: Finished, names: Sequence[str]
) -> list[dict[str, Any]]:
    """What the record says of every picture."""
    sources, goals = np.array(job.pairs).T
    which = np.arange(len(names)), np.array(job.targets)[goals]
    logits_before, before = (values[sources][which] for values in evaluate(network, job, images))
    logits, probabilities = (values[which] for values in evaluate(network, job, finished.x_star))
    offsets = (finished.x_star.astype(np.float64) - images[sources]).reshape(len(names), -1)
    distances = np.linalg.norm(offsets, axis=1)
    broken = (~np.isfinite(finished.trace.gradient_norm)).sum(axis=1)
    return [
        {
            "file": f"{IMAGES}/{names[index]}.png",
            "image": job.images[image],
            "target": job.targets[target],
            "label": network.labels[job.targets[target]],
            "objective": float(finished.trace.objective[index, -1]),
            "standard_error": float(finished.trace.standard_error[index, -1]),
            "smoothed_logit_before": float(logits_before[index]),
            "smoothed_logit": float(logits[index]),
            "smoothed_probability_before": float(before[index]),
            "smoothed_probability": float(probabilities[index]),
            "l2_distance": float(distances[index]),
            "steps_with_non_finite_gradient": int(broken[index]),
            "settled_at_step": settling_step(finished.trace.settled[index]),
        }
        for index, (image, target) in enumerate(job.pairs)
    ]


def _write_pictures(folder: Path, names: Sequence[str], finished: Finished) -> None:
    for name, x_star in zip(names, finished.x_star, strict=True):
        picture = to_pillow(x_star, enlarge_to=SHOWN)
        atomic.write_bytes(folder / IMAGES / f"{name}.png", sheets.png(picture))
    if finished.frames is not None:
        for name, frames in zip(names, finished.frames, strict=True):
            atomic.write_bytes(folder / IMAGES / f"{name}.gif", sheets.animation(frames))


def settling_step(settled: np.ndarray) -> int | None:
    """How many steps moved a picture before the stop: None where it ran to the end.

    Args:
        settled: shape ``[steps]``, whether the picture had settled before each.

    Example:
        >>> settling_step(np.array([False, False, True])), settling_step(np.array([False]))
        (2, None)
    """
    return int(np.argmax(settled)) if settled.any() else None


def sheet(
    job: Job,
    labels: Sequence[str],
    images: np.ndarray,
    finished: Finished,
    notes: Sequence[str],
) -> Iterator[Image.Image]:
    """In pages: rows are starting images, columns targets, as in figure 2; or as in figure 3."""
    footer = (
        f"{job.checkpoint}: {job.objective.upper()}, sigma {job.sigma:g}, "
        f"epsilon {job.epsilon:.4g}, {job.num_steps} steps of {job.step_size:.3g}, "
        f"N = {job.num_samples}, seed {job.seed}; "
        "p is the smoothed probability of the target"
        + (", R the certified l2 radius." if any(", " in text for text in notes) else ".")
    )
    from_seeds = all(name.startswith(starts.PREFIX) for name in job.images)
    if from_seeds and job.pairs == make_pairs(len(job.images), len(job.images), "one-to-one"):
        return _seeds_over_results(job, labels, images, finished, notes, footer)
    stems = image_names(job)
    all_pairs = len(job.pairs) == len(job.images) * len(job.targets)
    columns = [said(labels[target]) for target in job.targets] if all_pairs else ["result"]
    rows: list[list[np.ndarray | None]] = [[image] for image in images]
    captions = [[""] for _ in images]
    for index, (image, target) in enumerate(job.pairs):
        rows[image].append(finished.x_star[index])
        label = "" if all_pairs else f"{said(labels[job.targets[target]])} "
        captions[image].append(label + notes[index])
    return sheets.contact_sheets(
        rows, row_labels=stems, column_labels=["start", *columns], captions=captions, footer=footer
    )


def _seeds_over_results(
    job: Job,
    labels: Sequence[str],
    images: np.ndarray,
    finished: Finished,
    notes: Sequence[str],
    footer: str,
) -> Iterator[Image.Image]:
    """For each class a row of seeds and a row of results below it."""
    rows: list[list[np.ndarray | None]] = []
    row_labels: list[str] = []
    captions: list[list[str]] = []
    for target in dict.fromkeys(job.targets):
        own = [index for index, other in enumerate(job.targets) if other == target]
        rows += [[images[index] for index in own], [finished.x_star[index] for index in own]]
        row_labels += ["seeds", said(labels[target])]
        captions += [[""] * len(own), [notes[index] for index in own]]
    columns = [""] * max(map(len, rows))
    return sheets.contact_sheets(
        rows, row_labels=row_labels, column_labels=columns, captions=captions, footer=footer
    )


def _plain(label: str) -> str:
    words = label.split(",")[0].lower()
    return "-".join("".join(c if c.isalnum() else " " for c in words).split())
