"""Pictures that several networks make from the same starts, targets and noise, and their numbers.

A network's pictures and numbers are kept as soon as they are done, each with the settings that they
come from; what is there already is not done again.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pagjax.alignment import Judge, Measurements, directions, measure
from pagjax.checkpoints.identity import network_digest
from pagjax.core.targeted import draws_at_once
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.io.files.atomic import Form
from pagjax.io.files.errors import RefusedError
from pagjax.jobs.errors import JobError
from pagjax.jobs.state import ANEW, StateFolder
from pagjax.networks.base import BaseNetwork
from pagjax.seeds.store import ClassStatistics
from pagjax.synthesis.execute import Progress, execute
from pagjax.synthesis.inputs import Inputs
from pagjax.synthesis.job import Job, default_batch_size, picture_keys
from pagjax.synthesis.plan import Asked, plan

OTHERS, MEASURING = 2**31 + 1, 2**31 + 2
PICTURES, SETTINGS, NUMBERS, MEASURED = "pictures.npz", "job.json", "numbers.npz", "measured.json"
_MISSING = object()
_MOST_NUMBERS = 2**20  # bytes a picture
_MACHINE = ("batch_size", "chunk_size")  # of a job: where it was made, not what


@dataclass(frozen=True)
class Starts:
    """Where the pictures start.

    Attributes:
        source: what they are, for the record.
        images: shape ``[n, height, width, 3]`` in [0, 1].
        classes: each one's own class.
        skipped: why images could not be used, a line each.
    """

    source: str
    images: np.ndarray
    classes: np.ndarray
    skipped: tuple[str, ...] = ()


def from_data(data: LabelledImages, count: int, seed: int) -> Starts:
    """Images of a data set, drawn without replacement; others are drawn for damaged ones."""
    order = np.random.default_rng(seed).permutation(len(data))
    damaged: dict[int, str] = {}
    chosen = order[:count]
    while len(wrong := data.damaged(chosen)) > 0:
        damaged |= wrong
        chosen = np.array([index for index in order if index not in damaged][:count], int)
    if count > len(chosen):
        raise JobError(f"--count {count}: {data.name} has {len(chosen)} images")
    images = data.images(chosen).astype(np.float32) / 255
    return Starts(data.name, images, data.targets[chosen], tuple(damaged.values()))


def draw_targets(starts: Starts, num_classes: int, seed: int) -> np.ndarray:
    """A random class for every start, never its own; the draws do not depend on the count."""
    key = jax.random.fold_in(jax.random.key(seed), OTHERS - 1)
    return np.asarray(directions.other_classes(key, jnp.asarray(starts.classes), num_classes))


def nearest_images(
    starts: np.ndarray,
    classes: np.ndarray,
    data: LabelledImages,
    count: int,
    skip: Callable[[str], None] = lambda why: None,
) -> np.ndarray:
    """The images of classes that are nearest to each start.

    Args:
        starts: shape ``[n, height, width, 3]`` in [0, 1].
        classes: for every start one class or several, ``[n, ...]``; a class's images are read once.
        data: where to look.
        count: how many of every class.
        skip: told why an image cannot be read.

    Returns:
        Shape ``[n, ..., count, height, width, 3]``.
    """
    found = np.zeros((*classes.shape, count, *starts.shape[1:]), np.float32)
    for index in np.unique(classes):
        wanted = np.nonzero(classes == index)
        read, damaged = data.readable(np.flatnonzero(data.targets == index))
        for why in damaged.values():
            skip(why)
        if len(read) < count:
            raise JobError(
                f"--neighbours {count}: {data.name} has {len(read)} images of "
                f"{data.labels[index]} to look among: pass --neighbours {len(read)}, or bring more"
            )
        images = jnp.asarray(read.astype(np.float32) / 255)
        closest, _ = directions.nearest(jnp.asarray(starts[wanted[0]]), images, count)
        found[wanted] = np.asarray(images[closest])
    return found


def neighbours(
    file: Path,
    starts: Starts,
    targets: np.ndarray,
    others: np.ndarray,
    source: str,
    open_images: Callable[[], LabelledImages],
    count: int,
    skip: Callable[[str], None] = lambda why: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest images of each start's target and other class, found, or read where they are kept.

    Args:
        file: where they are kept.
        starts: the starts.
        targets, others: a class for every start.
        source: says which data are looked among, such as their digest.
        open_images: opens it; not called where what is kept comes from it.
        count: how many.
        skip: told why an image cannot be read.

    Returns:
        Two arrays of shape ``[n, count, height, width, 3]``.
    """
    classes = np.stack([targets, others], axis=1)
    origin = np.array(atomic.digest(starts.images, classes, np.array([source, str(count)])))
    form = Form((*targets.shape, count, *starts.images.shape[1:]), "float32")
    forms = {"origin": Form((), "<U64"), "target": form, "other": form}
    if file.exists():
        with suppress(RefusedError):  # of another count, edited or cut off: looked for again
            kept = atomic.read_arrays(file, forms)
            if kept["origin"] == origin:
                return kept["target"], kept["other"]
    found = nearest_images(starts.images, classes, open_images(), count, skip)
    of_target, of_other = found[:, 0], found[:, 1]
    atomic.write_arrays(file, {"origin": origin, "target": of_target, "other": of_other})
    return of_target, of_other


def job_of(
    name: str, network: BaseNetwork, starts: Starts, targets: np.ndarray, asked: Asked
) -> Job:
    """A network's job: each start is led to its target.

    Raises:
        JobError: if the noise level is known to nobody.
    """
    count = len(starts.images)
    given = Inputs(
        names=tuple(f"{starts.source}: {number}" for number in range(count)),
        pictures=starts.images,
        targets=tuple(int(target) for target in targets),
        pairs=tuple((number, number) for number in range(count)),
        skipped=(),
    )
    asked = dataclasses.replace(asked, free_draws=True)
    job = plan(name, network, given, asked)
    batch_size = _batch_size(count, job.num_samples, starts.images[0].size)
    return dataclasses.replace(job, batch_size=batch_size)


def _batch_size(count: int, num_samples: int, values: int) -> int:
    """Pictures at once; accelerators take all that are there, as far as they have room."""
    platform = jax.default_backend()
    if platform == "cpu":
        return default_batch_size(count, num_samples, values)
    return min(count, max(1, draws_at_once(values, platform) // num_samples))


def make_pictures(
    folder: Path,
    network: BaseNetwork,
    job: Job,
    starts: Starts,
    report: Callable[[Progress], None],
    *,
    mends: bool = False,
) -> np.ndarray:
    """A network's pictures, made, taken up where they were left, or found done.

    What is damaged is refused, or told and made again where it `mends`.

    Raises:
        JobError: if the folder holds pictures of other settings.
        RefusedError: if what it holds was edited or cut off.
    """
    anew = "it is made again" if mends else ANEW
    state = StateFolder(folder / ".unfinished", anew, mends=mends)
    done, about = folder / PICTURES, folder / SETTINGS
    settings = json.loads(json.dumps(job.to_json())) | {"network": network_digest(network)}
    begun = state.recorded()
    kept = None
    if about.exists():
        try:
            kept = atomic.read_json(about, anew)
        except RefusedError:
            if not mends:
                raise
    for found, ignored in ((kept, _MACHINE), (begun, ())):
        if found is not None and _of_others(found, settings, ignored):
            raise JobError(
                f"{folder} holds pictures made with other settings: choose another --out, or pass "
                "--overwrite"
            )
    form = Form((len(job.pairs), *starts.images.shape[1:]), "float32")
    if done.exists() and kept is not None:
        state.clear()  # a kill came before
        begun = None
        try:
            return atomic.read_arrays(done, {"x_star": form}, cure=anew)["x_star"]
        except RefusedError as error:
            if not mends:
                raise
            print(error, file=sys.stderr)
    if begun is None:
        state.begin(job.to_json())
    finished = execute(network, job, starts.images, state, report=report)
    atomic.write_arrays(done, {"x_star": finished.x_star})
    atomic.write_json(about, settings)
    state.clear()
    return finished.x_star


def _of_others(found: Any, settings: Mapping[str, Any], ignored: Sequence[str]) -> bool:
    """Whether recorded settings are others; what earlier versions did not record is not asked."""
    if not isinstance(found, dict):
        return True
    asked = [name for name in settings if name not in ignored and name != "network"]
    other_network = found.get("network", settings["network"]) != settings["network"]
    return other_network or any(found.get(name, _MISSING) != settings[name] for name in asked)


def numbers(
    folder: Path,
    network: BaseNetwork,
    job: Job,
    starts: Starts,
    pictures: np.ndarray,
    *,
    judges: Sequence[Judge],
    identities: Mapping[str, Any],
    statistics: ClassStatistics | None,
    others: np.ndarray,
    neighbours: tuple[np.ndarray, np.ndarray] | None,
    num_samples: int,
    agreement_samples: Sequence[int],
) -> Measurements:
    """The numbers of a network's pictures, measured or found done with the same settings.

    `identities` says what else determines them, as JSON values: judges, statistics.
    """
    told = {name: value for name, value in job.to_json().items() if name not in _MACHINE}
    settings: dict[str, Any] = {
        "job": atomic.digest_json(told),
        "network": network_digest(network),
        "pictures": atomic.digest(pictures),
        "others": atomic.digest(others),
        **identities,
        "neighbours": None if neighbours is None else atomic.digest(*neighbours),
        "num_samples": num_samples,
        "agreement_samples": list(agreement_samples),
    }
    done, about = folder / NUMBERS, folder / MEASURED
    with suppress(RefusedError, FileNotFoundError):  # edited or cut off: measured again
        columns = atomic.read_arrays(done, most_bytes=_MOST_NUMBERS * len(pictures))
        whole = settings | {"numbers": atomic.digest(*columns.values())}
        if atomic.read_json(about) == whole:
            return Measurements(columns)
    about.unlink(missing_ok=True)
    # Keys from pixels and seed, folded once more: draws that made none of the pictures.
    key = jax.random.fold_in(picture_keys(job.seed, starts.images[:1])[0], MEASURING)
    measured = measure(
        network.logits_fn,
        jnp.asarray(starts.images),
        jnp.asarray(pictures),
        jnp.asarray(job.targets),
        key,
        sigma=job.sigma,
        judges=judges,
        statistics=None if statistics is None else statistics.densities(),
        others=jnp.asarray(others),
        neighbours=None if neighbours is None else tuple(map(jnp.asarray, neighbours)),  # type: ignore[arg-type]
        num_samples=num_samples,
        agreement_samples=agreement_samples,
    )
    atomic.write_arrays(done, measured.columns)
    atomic.write_json(about, settings | {"numbers": atomic.digest(*measured.columns.values())})
    return measured
