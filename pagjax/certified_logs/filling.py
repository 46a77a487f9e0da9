"""Brings a command's logs to their last line, in their places or beside those they replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import jax
from tqdm import tqdm

from pagjax.certified_logs import job as jobs
from pagjax.certified_logs import overwriting, resuming, settings
from pagjax.certified_logs.job import LogJob
from pagjax.core.mesh import make_mesh, place
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.jobs import processes
from pagjax.networks.base import BaseNetwork


def fill(
    planned: Mapping[Path, LogJob],
    network: BaseNetwork,
    data: LabelledImages,
    damaged: Mapping[int, str],
    indices: Sequence[int],
    *,
    overwrite: bool = False,
    chunk_size: int | None = None,
) -> None:
    """Certifies images into logs, which are this process's alone meanwhile, and shows how far.

    Args:
        planned: jobs by their logs, all of one network, data and number of draws.
        network: the base network.
        data: images of the jobs' size.
        damaged: numbers of images that cannot be read, and why.
        indices: which images to certify.
        overwrite: whether logs that are there are made anew, and stay until all new ones are whole.
        chunk_size: the most draws a device holds at once; None chooses.

    Raises:
        LogError: if a log that is there is another job's, or none.
        InUseError: if another process is at one of them.
        JobError: if nothing can be certified.
    """
    mesh = make_mesh(1, next(iter(planned.values())).num_draws, jax.local_devices())
    logits_fn = place(network.logits_fn, mesh)
    with ExitStack() as stack, processes.losses_end_the_job("the same command"):

        def lock() -> bool:
            for log in planned:
                overwriting.lock(stack, log)
            return overwriting.finish(planned, stack)

        # Where a kill came in the last moments of this very command, its logs are in their places.
        anew = not processes.from_first(lock) and overwrite
        of_data = settings.Data.of(data, damaged) if processes.is_first() else None

        def begin(log: Path, job: LogJob) -> tuple[str, list[int]]:
            where = overwriting.take_up(log, job) if anew else log
            return str(where), sorted(resuming.begin(where, job, data, of_data))

        for log, job in planned.items():
            where, done = processes.from_first(partial(begin, log, job))
            left = [index for index in indices if index not in set(done)]
            first = processes.is_first()
            if first:
                print(f"{log}: {len(left)} images, {job.num_draws:,} draws, sigma {job.sigma:g}")
            begun = len(indices) - len(left)
            bar = tqdm(total=len(indices), initial=begun, unit="image", disable=not first)
            with bar:
                jobs.run(
                    job,
                    logits_fn,
                    data,
                    left,
                    Path(where),
                    mesh=mesh,
                    chunk_size=chunk_size,
                    report=lambda line: bar.update(),  # noqa: B023
                )
        if anew:
            processes.from_first(partial(overwriting.install, planned))
        processes.wait_for_all("logs")
