"""`python -m pagjax.synthesize`: paints target classes into pictures with a smoothed network."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pagjax.arguments.synthesis import parser
from pagjax.jobs.command_line import guarded, resume_command
from pagjax.jobs.exit_status import EXIT_DONE

if TYPE_CHECKING:
    import numpy as np

    from pagjax.networks.base import BaseNetwork
    from pagjax.synthesis.execute import StateFolder
    from pagjax.synthesis.job import Job
    from pagjax.synthesis.run_records import Begun, RunRecord

STATE = ".unfinished"
# What runs where no argument is given, within a minute on two cores: starts with room in them, in
# which these targets can be named without captions.
DEMO_CHECKPOINT = "imagenette-gaussian-0.50"
DEMO_IMAGES = ("sample:clock", "sample:galaxies", "sample:rocket")
DEMO_TARGETS = ("English springer", "church", "golf ball", "gas pump")
DEMO_STEPS = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    return guarded(run, args, again=f"go on with: {resume_command()}")


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax.jobs import environment, processes
    from pagjax.synthesis import run_records

    environment.before_computing()
    processes.start(args.coordinator, args.num_processes, args.process_id)
    repeated = None if args.repeat is None else run_records.read(args.repeat)
    processes.from_first(lambda: _check_output(args, repeated))
    with processes.locked(args.out):
        return _run(args, repeated)


def _run(args: argparse.Namespace, repeated: RunRecord | None) -> int:
    """Does so in a folder that is this job's alone."""
    from pagjax import checkpoints
    from pagjax.io.files import replacing
    from pagjax.jobs import environment, processes
    from pagjax.jobs.errors import JobError
    from pagjax.jobs.state import ANEW
    from pagjax.synthesis import certified, inputs, messages, results
    from pagjax.synthesis.execute import StateFolder, execute
    from pagjax.synthesis.run_records import Begun

    told = "it is made again" if args.overwrite else ANEW
    state = StateFolder(args.out / STATE, told, mends=args.overwrite)
    begun = processes.from_first(lambda: _unfinished(args, state))
    unfinished = None if begun is None else Begun(*begun)  # to other processes it goes as JSON
    environment.prepare()
    skipped: tuple[str, ...] = ()
    if repeated is not None:
        job = repeated.job
        network = checkpoints.load(job.checkpoint)
        images = inputs.recorded_pictures(job, network)
    else:
        args = _with_demo(args)
        network = checkpoints.load(args.checkpoint)
        job, images, skipped = _plan(args, network)
    if args.certify is not None and job.is_noiseless:
        raise JobError("--certify needs noise: pass --sigma above 0")
    if args.certify is not None:
        certified.check_draws(args.certify)
    for reason in skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    job, goes_on = _take_up(args, job, unfinished)
    if goes_on and unfinished is not None and unfinished.is_done:
        if not processes.is_first():
            return EXIT_DONE
        return messages.conclude(args.out, repeated, len(skipped))
    if not goes_on:
        state.begin(job.to_json(), frames=args.animate)
    if processes.is_first():
        messages.announce(job, network)
    with processes.losses_end_the_job(resume_command()):
        with messages.progress_bar(job, shown=processes.is_first()) as report:
            finished = execute(network, job, images, state, frames=args.animate, report=report)
        if processes.is_first():
            replacing.remove_folder(state.result)
            results.write(
                state.result, job, network, images, finished, certification_draws=args.certify
            )
            replacing.install(
                state.folder, remove=results.ours(args.out), settings=state.recorded()
            )
        processes.wait_for_all("results")
    if not processes.is_first():
        return EXIT_DONE
    return messages.conclude(args.out, repeated, len(skipped))


def _check_output(args: argparse.Namespace, repeated: RunRecord | None) -> None:
    """Refuses a folder that is not this command's, before anything is written there."""
    from pagjax.io.files import replacing
    from pagjax.io.files.ownership import check_output
    from pagjax.io.pictures import samples
    from pagjax.jobs import state
    from pagjax.seeds import starts
    from pagjax.synthesis import page_records, results

    images: tuple[str, ...] = ()
    checkpoint = None
    if repeated is not None:
        images, checkpoint = repeated.job.images, repeated.job.checkpoint
    given = [*(args.images or ()), *images]
    named = [args.checkpoint, args.statistics, checkpoint]
    inputs = [
        text.removeprefix(page_records.PREFIX)
        for text in given
        if not text.startswith((samples.PREFIX, starts.PREFIX))
    ]
    check_output(
        args.out,
        [*inputs, *(name for name in named if name is not None)],
        ours=results.ours(args.out) | replacing.planned(args.out / STATE),
        states=state.PATTERNS,
        maker="pagjax.synthesize",
        within=True,
    )


def _plan(
    args: argparse.Namespace, network: BaseNetwork
) -> tuple[Job, np.ndarray, tuple[str, ...]]:
    """The job that the arguments ask for, its pictures, and why other inputs were skipped."""
    from pagjax.jobs.processes import num_devices
    from pagjax.seeds import starts
    from pagjax.synthesis import inputs
    from pagjax.synthesis.plan import Asked, plan

    height, width = network.image_shape[:2] if args.image_size is None else (args.image_size,) * 2
    inputs.check_size(network, (height, width))
    images, targets, pairs = args.images, args.targets, args.pairs
    if args.classes:
        seeds = {"count": args.count, "seed": args.seed, "side": height}
        images, targets = starts.names(args.classes, network.labels, args.statistics, **seeds)
        pairs = "one-to-one"
    crop = inputs.check_crop(args.crop, images)
    given = inputs.read_inputs(images, targets, pairs, (height, width), network.labels, crop)
    asked = Asked(
        preset=args.preset or "paper",
        sigma=args.sigma,
        epsilon=args.epsilon,
        step_size=args.step_size,
        num_steps=args.steps,
        num_samples=args.num_samples,
        last_num_samples=args.last_num_samples,
        sampling=args.sampling,
        momentum=args.momentum,
        schedule=args.schedule,
        settles_after=args.settles_after,
        objective=args.objective,
        projection=args.projection,
        noise=args.noise,
        keep=args.keep,
        clip=args.clip,
        seed=args.seed,
        batch_size=args.batch_size,
        chunk_size=args.chunk_size,
        crop=crop,
    )
    job = plan(str(args.checkpoint), network, given, asked, num_devices=num_devices())
    return job, given.pictures, given.skipped


def _unfinished(args: argparse.Namespace, state: StateFolder) -> Begun | None:
    """The unfinished job in the folder, if it may be gone on with; refuses to lose anything."""
    from pagjax.io.files import replacing
    from pagjax.jobs.errors import JobError
    from pagjax.synthesis import results
    from pagjax.synthesis.run_records import Begun

    if (done := replacing.finish(state.folder)) is not None:  # all was whole when a kill came
        return Begun(done, is_done=True)
    recorded = state.recorded()
    unfinished = None if recorded is None else Begun(recorded)
    if args.overwrite or (args.resume and unfinished is not None):
        return unfinished
    if (args.out / results.RECORD).exists():
        raise JobError(f"{args.out} holds a result: choose another --out, or pass --overwrite")
    if unfinished is not None:
        raise JobError(f"{args.out} holds an unfinished run: pass --resume or --overwrite")
    if args.resume:
        print(f"nothing to resume in {args.out}: starting", file=sys.stderr)
    return None


def _take_up(args: argparse.Namespace, job: Job, unfinished: Begun | None) -> tuple[Job, bool]:
    """The job as it was begun, and whether it goes on; another one is refused or forgotten."""
    from pagjax.jobs.errors import JobError

    if unfinished is None:
        return job, False
    if args.batch_size is None and unfinished.batch_size is not None:
        # Whatever devices it was chosen for.
        job = dataclasses.replace(job, batch_size=unfinished.batch_size)
    if not args.overwrite:
        if unfinished.is_done and unfinished.differing(job):
            raise JobError(f"{args.out} holds a result: choose another --out, or pass --overwrite")
        unfinished.check_same(job)
        return job, True
    return job, not unfinished.differing(job) and (not args.animate or unfinished.keeps_frames)


def _with_demo(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments with the demo's where nothing is given, and its network where none is."""
    from pagjax.jobs.errors import JobError

    said = vars(args) | {"checkpoint": args.checkpoint or DEMO_CHECKPOINT}
    if args.classes:
        if args.images or args.targets:
            raise JobError("--class brings its own images and targets: leave out the others")
        return argparse.Namespace(**said)
    if not (args.checkpoint or args.images or args.targets):
        said["targets"] = DEMO_TARGETS
        if args.preset is None:
            said |= {"preset": "fast", "steps": args.steps or DEMO_STEPS}
            print("a fiftieth of the paper's gradients: --preset paper spends them all")
    if not said["targets"]:
        raise JobError("which classes to paint? pass --targets, labels or indices")
    return argparse.Namespace(**said | {"images": args.images or DEMO_IMAGES})


if __name__ == "__main__":
    raise SystemExit(main())
