"""Runs a job batch by batch, a few steps at a time, keeping a state on disk to resume from."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from pagjax.checkpoints.identity import network_digest
from pagjax.core import pgd
from pagjax.core.checks import LogitsFn
from pagjax.core.mesh import make_mesh, place
from pagjax.core.pgd import PGDState
from pagjax.core.targeted import targeted_pgd
from pagjax.io.files import atomic
from pagjax.io.files.atomic import Form
from pagjax.jobs import processes
from pagjax.jobs.errors import JobError
from pagjax.jobs.state import StateFolder as StateFolder
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis.job import Job, picture_keys

NO_FRAMES = "the interrupted run kept no frames: resume without `animate`, or start anew"
STEPS_A_CALL = 5
SECONDS_BETWEEN_SAVES = 2.0


class HostTrace(NamedTuple):
    """A `PGDTrace` whose arrays are NumPy's, of shape ``[pictures, steps]``."""

    objective: np.ndarray
    standard_error: np.ndarray
    distance: np.ndarray
    gradient_norm: np.ndarray
    settled: np.ndarray


@dataclass(frozen=True)
class Progress:
    """What a progress bar shows: picture-steps done of all, and where this batch stands."""

    done: int
    total: int
    objective: float
    distance: float


@dataclass(frozen=True)
class Finished:
    """A job's outcome.

    Attributes:
        x_star: shape ``[pictures, height, width, channels]``.
        trace: arrays of shape ``[pictures, steps]``.
        frames: 8-bit iterates ``[pictures, frames, height, width, channels]``, or None.
    """

    x_star: np.ndarray
    trace: HostTrace
    frames: np.ndarray | None


def steps_a_call(num_steps: int) -> int:
    """Steps between two looks at the state: a divisor of all steps, so that one program does.

    Example:
        >>> steps_a_call(300), steps_a_call(64), steps_a_call(97)
        (5, 4, 5)
    """
    most = min(STEPS_A_CALL, num_steps)
    divisors = [count for count in range(1, most + 1) if num_steps % count == 0]
    return max(divisors) if max(divisors) * 2 >= most else most


def execute(
    network: BaseNetwork,
    job: Job,
    images: np.ndarray,
    state_folder: StateFolder,
    *,
    frames: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Finished:
    """Does a job, or what is left of it, on all devices of all its processes.

    Args:
        network: the base network.
        job: what to do.
        images: starting images, in the order of ``job.images``.
        state_folder: begun with this job, or left by an interrupted run of it.
        frames: whether to keep the trajectory for an animation.
        report: called after every few steps.

    Returns:
        A `Finished`; the same bits whether or not the run was interrupted.

    Raises:
        RefusedError: if the state on disk is another job's, was edited or cut off.
    """
    start = images[[image for image, _ in job.pairs]]
    targets = np.array([job.targets[target] for _, target in job.pairs])
    keys = picture_keys(job.seed, start)
    total = len(job.pairs) * job.num_steps
    owner = atomic.digest_json([job.to_json(), network_digest(network)])
    logits_fn, mesh, outcomes = network.logits_fn, None, []
    if len(jax.devices()) > 1:
        mesh = make_mesh(job.batch_size, job.most_groups())
        logits_fn = place(logits_fn, mesh)
    for number, first in enumerate(range(0, len(job.pairs), job.batch_size)):
        # The last batch is filled up with copies of its last picture, so that one program does.
        picked = np.minimum(np.arange(first, first + job.batch_size), len(job.pairs) - 1)
        chosen = start[picked], targets[picked], keys[picked]
        batch = _Batch(logits_fn, mesh, job, *chosen, frames)
        outcome = state_folder.read_batch(owner, number, batch.forms(done=True))
        if outcome is None:
            left = state_folder.read_current(owner, number, batch.forms(done=False))
            if left is not None:
                batch.restore(left)
            real = min(job.batch_size, len(job.pairs) - first)
            for steps, objective, distance in batch.run(
                partial(state_folder.keep, state_folder.current, owner, number)
            ):
                done = first * job.num_steps + steps * real
                report(Progress(done, total, objective, distance))
            outcome = batch.arrays()
            state_folder.keep(state_folder.batch(number), owner, number, outcome)
            state_folder.drop_current()
        if frames and "frames" not in outcome:
            raise JobError(NO_FRAMES)
        outcomes.append(outcome)
    joined = {
        name: np.concatenate([outcome[name] for outcome in outcomes])[: len(job.pairs)]
        for name in outcomes[0]
        if name != "frames" or frames
    }
    kept = joined["image"] if job.keep == "last" else joined["best_image"]
    trace = HostTrace(*(joined[name] for name in HostTrace._fields))
    return Finished(kept, trace, joined.get("frames"))


class _Batch:
    """A batch in work: the loop's state on the device, the trace and the frames on the host."""

    def __init__(
        self,
        logits_fn: LogitsFn,
        mesh: Mesh | None,
        job: Job,
        start: np.ndarray,
        targets: np.ndarray,
        keys: jax.Array,
        frames: bool,
    ) -> None:
        self.logits_fn, self.mesh, self.job = logits_fn, mesh, job
        self.start, self.targets, self.keys = jnp.asarray(start), targets, keys
        self.recipe, self.draws_by_step = job.recipe(), job.draws_by_step()
        self.state: PGDState | None = None
        self.traces: list[HostTrace] = []
        self.frames: list[np.ndarray] | None = [_to_bytes(start)] if frames else None

    def run(
        self, keep: Callable[[dict[str, np.ndarray]], None]
    ) -> Iterator[tuple[int, float, float]]:
        """Steps to the end, giving what is done to `keep` every few seconds.

        Yields:
            After every few steps: how many are done, mean objective, mean distance.
        """
        saved = time.monotonic()
        done = self._steps_done()
        while done < self.job.num_steps:
            count = min(steps_a_call(self.job.num_steps), self.job.num_steps - done)
            trace = self._advance(count)
            done = self._steps_done()
            yield done, float(trace.objective[:, -1].mean()), float(trace.distance[:, -1].mean())
            if trace.settled[:, -1].all():
                self._stay(self.job.num_steps - done)
                return
            is_due = time.monotonic() - saved > SECONDS_BETWEEN_SAVES
            if processes.from_first(lambda due=is_due: due):  # type: ignore[misc]
                keep(self.arrays())
                saved = time.monotonic()

    def _advance(self, count: int) -> HostTrace:
        done = self._steps_done()
        recipe = dataclasses.replace(
            self.recipe, num_steps=count, num_samples=self.draws_by_step[done : done + count]
        )
        result = targeted_pgd(
            self.logits_fn,
            self.start,
            self.targets,
            self.keys,
            recipe,
            chunk_size=self.job.chunk_size,
            state=self.state,
            mesh=self.mesh,
        )
        self.state = result.state
        trace = HostTrace(*processes.fetch(tuple(result.trace)))
        self.traces.append(trace)
        if self.frames is not None:
            self.frames.append(_to_bytes(processes.fetch(result.state.image)))
        return trace

    def _stay(self, count: int) -> None:
        """Writes down the steps that settled images were spared."""
        last = HostTrace(*(values[:, -1:] for values in self.traces[-1]))
        self.traces.append(HostTrace(*(np.repeat(values, count, axis=1) for values in last)))

    def _steps_done(self) -> int:
        return sum(trace.objective.shape[1] for trace in self.traces)

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, as arrays with one row per picture."""
        assert self.state is not None
        arrays = _named(processes.fetch(self.state))
        for index, name in enumerate(HostTrace._fields):
            arrays[name] = np.concatenate([trace[index] for trace in self.traces], axis=1)
        if self.frames is not None:
            arrays["frames"] = np.stack(self.frames, axis=1)
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Goes on from `arrays` of an interrupted run.

        Raises:
            JobError: if frames are wanted and it kept none.
        """
        begun = self._begun()
        leaves = [jnp.asarray(arrays[name]) for name in _named(begun)]
        self.state = jax.tree.unflatten(jax.tree.structure(begun), leaves)
        self.traces = [HostTrace(*(arrays[name] for name in HostTrace._fields))]
        if self.frames is not None:
            if "frames" not in arrays:
                raise JobError(NO_FRAMES)
            self.frames = list(arrays["frames"].swapaxes(0, 1))

    def forms(self, *, done: bool) -> dict[str, Form]:
        """What `arrays` gives, before there is anything; of all steps where `done`."""
        job, count = self.job, len(self.start)
        steps: int | range = job.num_steps if done else range(1, job.num_steps + 1)
        forms = {
            name: Form(leaf.shape, leaf.dtype.name) for name, leaf in _named(self._begun()).items()
        }
        for name in HostTrace._fields:
            forms[name] = Form((count, steps), "bool" if name == "settled" else "float32")
        kept = range(1, job.num_steps + 2)
        forms["frames"] = Form((count, kept, *self.start.shape[1:]), "uint8")
        return forms

    def _begun(self) -> PGDState:
        begin = jax.vmap(lambda image: pgd.init(image, self.recipe.strategy))
        state: PGDState = jax.eval_shape(begin, self.start)
        return state


def _named(state: PGDState) -> dict[str, Any]:
    """A state's arrays by their place in it, such as ``image`` and ``direction.trace``."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _to_bytes(images: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(images * 255), 0, 255).astype(np.uint8)
