"""What `python -m pagjax.synthesize` says while it works, and when it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from pagjax.core.checks import draws_needed
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED
from pagjax.networks.base import BaseNetwork
from pagjax.presets import paper
from pagjax.synthesis import page_records, results, run_records
from pagjax.synthesis.execute import Progress
from pagjax.synthesis.job import Job
from pagjax.synthesis.run_records import RunRecord


def announce(job: Job, network: BaseNetwork) -> None:
    """Says what will be done."""
    height, width = job.image_size
    print(f"{job.checkpoint}: {network.description.architecture}, {len(network.labels)} classes")
    print(
        f"{len(job.pairs)} pictures of {height}x{width}: {job.objective}, sigma {job.sigma:g}, "
        f"epsilon {job.epsilon:.4g}, {job.num_steps} steps of {job.step_size:.4g}, "
        f"N = {draws_needed(job.sigma, job.num_samples, largest=None)}, seed {job.seed}"
    )
    if (height, width) != (paper.SIDE, paper.SIDE):
        print(
            f"(the paper's epsilon {paper.EPSILON:g} and step {paper.STEP_SIZE:g} are for "
            f"{paper.SIDE} pixels; defaults scale with the side)"
        )


def conclude(out: Path, repeated: RunRecord | None, num_skipped: int) -> int:
    """Says of the run in a folder how it ended; returns the exit status."""
    record, pictures = run_records.read_done(out / results.RECORD)
    mean = sum(picture.probability for picture in pictures) / len(pictures)
    print(f"mean smoothed probability of the target: {mean:.3f}")
    broken = [picture.file for picture in pictures if picture.broken_steps]
    for name in broken:
        print(f"warning: non-finite gradients on the way to {name}", file=sys.stderr)
    print(f"sheet: {out / results.SHEET}   record: {out / results.RECORD}")
    if repeated is not None and repeated.page is not None:
        print("\n".join(page_records.told(repeated.page, repeated.job.num_steps)))
    elif repeated is not None:
        same = repeated.x_star_sha256 == record.x_star_sha256
        print("the same bits as recorded" if same else "not bit for bit as recorded")
    if num_skipped:
        print(f"{num_skipped} inputs were skipped, see above", file=sys.stderr)
    return EXIT_SOME_SKIPPED if num_skipped or broken else EXIT_DONE


@contextmanager
def progress_bar(job: Job, *, shown: bool = True) -> Iterator[Callable[[Progress], None]]:
    """A bar with time left, objective and distance; gives what is to be told of progress."""
    bar = tqdm(
        total=len(job.pairs) * job.num_steps,
        unit="step",
        desc="compiling",
        smoothing=0.1,
        disable=not shown,
    )

    def show(progress: Progress) -> None:
        bar.set_description("painting")
        bar.set_postfix_str(
            f"objective {progress.objective:.2f}, distance {progress.distance:.2f}", refresh=False
        )
        bar.update(progress.done - bar.n)

    with bar:
        yield show
