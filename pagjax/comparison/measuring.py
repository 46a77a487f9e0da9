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

from pagjax.alignment import Judge, Measurements, measure
from pagjax.checkpoints.identity import network_digest
from pagjax.comparison.starts import Starts
from pagjax.core.targeted import draws_at_once
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

MEASURING = 2**31 + 2  # a stream of the seed
PICTURES, SETTINGS, NUMBERS, MEASURED = "pictures.npz", "job.json", "numbers.npz", "measured.json"
_MISSING = object()
_MOST_NUMBERS = 2**20  # bytes a picture
_MACHINE = ("batch_size", "chunk_size")  # of a job: where it was made, not what


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
                f"{folder} holds pictures made with other settings: choose another `out`, or pass "
                "`overwrite`"
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


@dataclass(frozen=True)
class Yardsticks:
    """What a network's pictures are measured by, see `pagjax.alignment.measure`.

    Attributes:
        judges: who judge them.
        identities: digests of what they are, by their names.
        statistics: of the classes; None leaves its numbers out.
        statistics_sha256: their digest.
        others: a class that is not the target for every picture.
        neighbours: nearest images of the target's and of the other class, or None.
        num_samples: noise draws of probabilities.
        agreement_samples: numbers of draws whose gradients' agreement is measured.
    """

    judges: Sequence[Judge]
    identities: Mapping[str, str]
    statistics: ClassStatistics | None
    statistics_sha256: str | None
    others: np.ndarray
    neighbours: tuple[np.ndarray, np.ndarray] | None
    num_samples: int
    agreement_samples: Sequence[int]


def numbers(
    folder: Path,
    network: BaseNetwork,
    job: Job,
    starts: Starts,
    pictures: np.ndarray,
    by: Yardsticks,
) -> Measurements:
    """The numbers of a network's pictures, measured or found done with the same settings."""
    settings = _settings_of(network, job, pictures, by)
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
        judges=by.judges,
        statistics=None if by.statistics is None else by.statistics.densities(),
        others=jnp.asarray(by.others),
        neighbours=by.neighbours and (jnp.asarray(by.neighbours[0]), jnp.asarray(by.neighbours[1])),
        num_samples=by.num_samples,
        agreement_samples=by.agreement_samples,
    )
    atomic.write_arrays(done, measured.columns)
    atomic.write_json(about, settings | {"numbers": atomic.digest(*measured.columns.values())})
    return measured


def _settings_of(
    network: BaseNetwork, job: Job, pictures: np.ndarray, by: Yardsticks
) -> dict[str, Any]:
    """All that determines a network's numbers, as JSON values."""
    told = {name: value for name, value in job.to_json().items() if name not in _MACHINE}
    panel = [judge.name for judge in by.judges if judge.on_panel]
    return {
        "job": atomic.digest_json(told),
        "network": network_digest(network),
        "pictures": atomic.digest(pictures),
        "others": atomic.digest(by.others),
        "judges": {judge.name: [by.identities[judge.name], judge.sigma] for judge in by.judges},
        "statistics": by.statistics_sha256,
        # A single voice is no panel, and comparisons of before had none.
        **({"panel": panel} if len(panel) > 1 else {}),
        "neighbours": None if by.neighbours is None else atomic.digest(*by.neighbours),
        "num_samples": by.num_samples,
        "agreement_samples": list(by.agreement_samples),
    }
