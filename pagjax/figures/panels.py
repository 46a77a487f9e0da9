"""The engine of every figure: the pictures of one variant, made once and kept.

A panel is a synthesis job with a folder named by everything that determines it. Made again with the
same settings it is read, not computed; interrupted, it goes on. Several processes make it together,
as any job; the first one keeps it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagjax.checkpoints.identity import network_digest
from pagjax.io.files import atomic
from pagjax.io.files.atomic import Form
from pagjax.io.files.errors import RefusedError
from pagjax.jobs import processes
from pagjax.jobs.state import StateFolder
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis.execute import Progress, execute
from pagjax.synthesis.job import Job

_FRAMES_KEPT = 25


@dataclass(frozen=True)
class Panel:
    """Pictures that one variant made.

    Attributes:
        job: everything that determines them.
        starts: shape ``[n, height, width, 3]``, one row a picture.
        results: of the same shape.
        frames: 8-bit iterates from start to result, shape ``[n, frames, height, width, 3]``.
        objective: the objective along the way, shape ``[n, steps]``.
    """

    job: Job
    starts: np.ndarray
    results: np.ndarray
    frames: np.ndarray
    objective: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """Target class of every picture."""
        return np.array([self.job.targets[target] for _, target in self.job.pairs])


def name(network: BaseNetwork, job: Job) -> str:
    """What a panel's file is called: a digest of all that determines it."""
    return atomic.digest_json([job.to_json(), network_digest(network)])[:16]


def make(
    network: BaseNetwork,
    job: Job,
    images: np.ndarray,
    folder: Path,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Panel:
    """A panel, computed or read.

    Args:
        network: the base network.
        job: what to make.
        images: the job's starting images.
        folder: where panels are kept.
        report: told about progress.

    Returns:
        A `Panel`.
    """
    digest = name(network, job)
    kept, unfinished = folder / f"{digest}.npz", folder / f"{digest}.state"
    state = StateFolder(unfinished, f"remove {unfinished}")
    arrays = processes.arrays_from_first(lambda: _read(kept, job, images))
    if arrays is None:
        if not processes.from_first(lambda: state.recorded() is not None):
            state.begin(job.to_json())
        done = execute(network, job, images, state, frames=True, report=report)
        assert done.frames is not None
        count = done.frames.shape[1]
        picked = np.unique(np.linspace(0, count - 1, min(count, _FRAMES_KEPT)).round().astype(int))
        arrays = {
            "results": done.x_star,
            "frames": done.frames[:, picked],
            "objective": done.trace.objective,
        }
        if processes.is_first():
            atomic.write_arrays(kept, arrays)
    state.clear()
    starts = images[[image for image, _ in job.pairs]]
    return Panel(job, starts, arrays["results"], arrays["frames"], arrays["objective"])


def _read(kept: Path, job: Job, images: np.ndarray) -> dict[str, np.ndarray] | None:
    """What is kept; None where there is nothing whole, so that it is made again."""
    count, picture = len(job.pairs), images.shape[1:]
    forms = {
        "results": Form((count, *picture), "float32"),
        "frames": Form((count, range(1, _FRAMES_KEPT + 1), *picture), "uint8"),
        "objective": Form((count, job.num_steps), "float32"),
    }
    try:
        arrays = atomic.read_arrays(kept, forms, cure="it is made again")
        results = arrays["results"]
        if not (np.isfinite(results).all() and results.min() >= 0 and results.max() <= 1):
            raise RefusedError(f"{kept}: results has pixels outside [0, 1]: it is made again")
        return arrays
    except FileNotFoundError:
        return None
    except RefusedError as error:
        print(error, file=sys.stderr)
        return None
