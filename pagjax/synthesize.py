"""`python -m pagjax.synthesize`: paints target classes into pictures with a smoothed network."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pagjax.runs.arguments import EXIT_DONE, EXIT_INTERRUPTED, EXIT_REFUSED, parser

if TYPE_CHECKING:
    import numpy as np

    from pagjax.networks.base import BaseNetwork
    from pagjax.runs.execute import StateFolder
    from pagjax.runs.job import Job

# What runs where no argument is given, within a minute on two cores: starts with room in them, in
# which these targets can be named without captions.
DEMO_CHECKPOINT = "imagenette-gaussian-0.50"
DEMO_IMAGES = ("sample:clock", "sample:galaxies", "sample:rocket")
DEMO_TARGETS = ("English springer", "church", "golf ball", "gas pump")
DEMO_STEPS = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    from pagjax.checkpoints import CheckpointError
    from pagjax.images import ImageError
    from pagjax.runs.job import JobError

    try:
        return run(args)
    except (CheckpointError, ImageError, JobError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax import checkpoints
    from pagjax.mesh import use_cores
    from pagjax.runs import environment, inputs, messages, processes, results
    from pagjax.runs.execute import StateFolder, execute
    from pagjax.runs.job import JobError

    use_cores()
    processes.start(args.coordinator, args.num_processes, args.process_id)
    state = StateFolder(args.out / ".unfinished")
    unfinished = processes.from_first(lambda: _unfinished(args, state))
    repeated = None if args.repeat is None else inputs.read_record(args.repeat)
    environment.prepare()
    skipped: tuple[str, ...] = ()
    if repeated is not None:
        network = checkpoints.load(repeated["job"]["checkpoint"])
        job, images = inputs.recorded_job(repeated, network)
    else:
        _fill_demo(args)
        if unfinished is not None and args.batch_size is None:
            args.batch_size = unfinished.get("batch_size")  # whatever devices it was chosen for
        network = checkpoints.load(args.checkpoint)
        job, images, skipped = _plan(args, network)
    if args.certify is not None and not job.sigma:
        raise JobError("--certify needs noise: pass --sigma above 0")
    for reason in skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    if unfinished is None:
        state.begin(job)
    else:
        inputs.check_same_job(job, unfinished)
    if processes.is_first():
        messages.announce(job, network)
    try:
        with processes.losses_end_the_job(messages.resume_command()):
            with messages.progress_bar(job, shown=processes.is_first()) as report:
                finished = execute(network, job, images, state, frames=args.animate, report=report)
            if processes.is_first():
                record = results.write(
                    args.out, job, network, images, finished, certification_draws=args.certify
                )
                state.clear()
            processes.wait_for_all("results")
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with: {messages.resume_command()}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if not processes.is_first():
        return EXIT_DONE
    return messages.conclude(args.out, record, repeated, len(skipped))


def _plan(
    args: argparse.Namespace, network: BaseNetwork
) -> tuple[Job, np.ndarray, tuple[str, ...]]:
    """The job that the arguments ask for, its pictures, and why other inputs were skipped."""
    from pagjax import presets
    from pagjax.objectives import BY_NAME
    from pagjax.runs import files, inputs, seeds
    from pagjax.runs.job import Job, JobError, default_batch_size
    from pagjax.runs.processes import num_devices

    height, width = network.image_shape[:2] if args.image_size is None else (args.image_size,) * 2
    inputs.check_size(network, (height, width))
    if args.classes:
        args.images, args.targets = seeds.names(
            args.classes,
            network.labels,
            args.statistics,
            count=args.count,
            seed=args.seed,
            side=height,
        )
        args.pairs = "one-to-one"
    crop = inputs.check_crop(args.crop, args.images)
    given = inputs.read_inputs(
        args.images, args.targets, args.pairs, (height, width), network.labels, crop
    )
    sigma = network.training_sigma if args.sigma is None else args.sigma
    if sigma is None:
        raise JobError("the checkpoint does not say under which noise it was trained: pass --sigma")
    default = presets.settings(
        args.preset or "paper",
        math.sqrt(height * width),
        sigma=sigma,
        objective=BY_NAME[args.objective],
    )
    num_samples = args.num_samples or default.num_samples
    batch_size = args.batch_size or default_batch_size(
        len(given.pairs), num_samples if sigma else 1, given.pictures[0].size, num_devices()
    )
    job = Job(
        checkpoint=str(args.checkpoint),
        checkpoint_sha256=inputs.weights_digest(network),
        images=given.names,
        images_sha256=tuple(files.digest(picture) for picture in given.pictures),
        image_size=(height, width),
        targets=given.targets,
        pairs=given.pairs,
        sigma=sigma,
        epsilon=default.epsilon if args.epsilon is None else args.epsilon,
        step_size=default.step_size if args.step_size is None else args.step_size,
        num_steps=args.steps or default.num_steps,
        num_samples=num_samples,
        last_num_samples=args.last_num_samples,
        sampling=args.sampling or default.sampling,
        momentum=default.momentum if args.momentum is None else args.momentum,
        schedule=args.schedule or default.schedule,
        settles_after=args.settles_after,
        objective=args.objective,
        projection=args.projection,
        noise=args.noise,
        keep=args.keep,
        clip=args.clip,
        seed=args.seed,
        batch_size=min(batch_size, len(given.pairs)),
        chunk_size=args.chunk_size,
        crop=crop,
    )
    job.draws_by_step()
    return job, given.pictures, given.skipped


def _unfinished(args: argparse.Namespace, state: StateFolder) -> dict[str, Any] | None:
    """The unfinished job to resume, if that is asked for; refuses to lose anything."""
    from pagjax.runs import results
    from pagjax.runs.job import JobError

    unfinished = state.job_file.exists()
    if args.overwrite:
        return None
    if args.resume and unfinished:
        return dict(json.loads(state.job_file.read_text()))
    if (args.out / results.RECORD).exists():
        raise JobError(f"{args.out} holds a result: choose another --out, or pass --overwrite")
    if unfinished:
        raise JobError(f"{args.out} holds an unfinished run: pass --resume or --overwrite")
    if args.resume:
        print(f"nothing to resume in {args.out}: starting", file=sys.stderr)
    return None


def _fill_demo(args: argparse.Namespace) -> None:
    from pagjax.runs.job import JobError

    if args.classes:
        if args.images or args.targets:
            raise JobError("--class brings its own images and targets: leave out the others")
        args.checkpoint = args.checkpoint or DEMO_CHECKPOINT
        return
    given = [name for name in ("checkpoint", "images", "targets") if getattr(args, name)]
    if not given:
        args.checkpoint, args.images, args.targets = DEMO_CHECKPOINT, DEMO_IMAGES, DEMO_TARGETS
        if args.preset is None:
            args.preset, args.steps = "fast", args.steps or DEMO_STEPS
            print("a fiftieth of the paper's gradients: --preset paper spends them all")
    args.checkpoint = args.checkpoint or DEMO_CHECKPOINT
    args.images = args.images or DEMO_IMAGES
    if not args.targets:
        raise JobError("which classes to paint? pass --targets, labels or indices")


if __name__ == "__main__":
    raise SystemExit(main())
