"""The engine of every figure: the pictures of one variant, made once and kept.

A panel is a synthesis job with a folder named by everything that determines it. Made again with the
same settings it is read, not computed; interrupted, it goes on. Several processes make it together,
as any job; the first one keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pagjax.io.errors import RefusedError
from pagjax.networks.base import BaseNetwork
from pagjax.runs import files, processes
from pagjax.runs.execute import Progress, StateFolder, execute
from pagjax.runs.job import Job

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
    digest = hashlib.sha256(json.dumps(job.to_json(), sort_keys=True).encode()).hexdigest()[:16]
    kept = folder / f"{digest}.npz"
    arrays = processes.read_arrays(kept)
    if arrays is None:
        state = StateFolder(folder / f"{digest}.state")
        if not processes.from_first(state.job_file.exists):
            state.begin(job)
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
            files.write_arrays(kept, arrays)
        state.clear()
    starts = images[[image for image, _ in job.pairs]]
    _check(arrays, job, starts.shape, kept)
    return Panel(job, starts, arrays["results"], arrays["frames"], arrays["objective"])


def _check(arrays: Mapping[str, np.ndarray], job: Job, shape: tuple[int, ...], kept: Path) -> None:
    """Refuses a kept panel whose arrays cannot be this job's.

    Raises:
        RefusedError: naming the file and the array.
    """
    count, *image = shape
    frames = [count, *arrays["frames"].shape[1:2], *image] if "frames" in arrays else []
    wanted = {
        "results": ("f", [count, *image]),
        "frames": ("u", frames),
        "objective": ("f", [count, job.num_steps]),
    }
    for name, (kind, expected) in wanted.items():
        found = arrays.get(name)
        if found is None or found.dtype.kind != kind or list(found.shape) != expected:
            told = "missing" if found is None else f"{found.shape} of {found.dtype}"
            raise RefusedError(f"{kept}: {name} is {told}, not this figure's: remove the file")
    results = arrays["results"]
    if not (np.isfinite(results).all() and results.min() >= 0 and results.max() <= 1):
        raise RefusedError(f"{kept}: results has pixels outside [0, 1]: remove the file")
