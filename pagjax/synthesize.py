"""`python -m pagjax.synthesize`: paints target classes into pictures with a smoothed network."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from pagjax.networks.base import BaseNetwork
    from pagjax.runs.execute import Progress, StateFolder
    from pagjax.runs.job import Job

OUT = Path("pagjax-pictures")
EXIT_DONE, EXIT_SOME_SKIPPED, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 1, 2, 130

# What runs where no argument is given: a minute on two cores, a seventh of the paper's gradients.
DEMO_CHECKPOINT = "cifar10-gaussian-0.25"
DEMO_IMAGES = ("sample:cat", "sample:coffee", "sample:astronaut")
DEMO_TARGETS = ("airplane", "automobile", "bird", "deer", "ship")
DEMO_STEPS, DEMO_SAMPLES = 100, 8


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.synthesize",
        description="Follows the gradient of a target class's score under a smoothed network, "
        "f_sigma(x) = E[f(x + noise)], from pictures of your own (Kaur, Cohen and Lipton 2019). "
        "Lengths (sigma, epsilon, step size) are l2 lengths in pixel units of [0, 1]. Without "
        "arguments: a small shipped network, free photographs, a shorter run than the paper's.",
    )
    what = parser.add_argument_group("what")
    what.add_argument("--checkpoint", metavar="NAME_OR_PATH", help="base network")
    what.add_argument(
        "--images", nargs="+", metavar="FILE", help="starting images: files, folders, sample:NAME"
    )
    what.add_argument(
        "--targets", nargs="+", metavar="NAME_OR_INDEX", help="target classes, by label or index"
    )
    what.add_argument(
        "--pairs",
        choices=["all", "one-to-one"],
        default="all",
        help="every image with every target, or the first with the first, ... (default: all)",
    )
    what.add_argument(
        "--image-size", type=_count, metavar="PIXELS", help="default: the network's own"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--sigma", type=_length, metavar="S", help="noise level (default: the network's training's)"
    )
    how.add_argument(
        "--epsilon",
        type=_length,
        metavar="E",
        help="radius of the l2 ball around the image (default: 40 at 224 pixels, scaled by side)",
    )
    how.add_argument("--steps", type=_count, metavar="K", help="default: 300")
    how.add_argument(
        "--step-size",
        type=_length,
        metavar="L",
        help="l2 length of a step (default at 224 pixels: 0.7; 2.8 for sigma 0; 2.0 for ce)",
    )
    how.add_argument(
        "--num-samples", type=_count, metavar="N", help="noise draws a step (default: 20)"
    )
    how.add_argument(
        "--objective",
        choices=["tcm", "ce"],
        default="tcm",
        help="tcm: mean target logit, eq. 2; ce: log of the mean probability, eq. 5 (default: tcm)",
    )
    how.add_argument(
        "--noise",
        choices=["fresh", "fixed"],
        default="fresh",
        help="new draws every step, or the same throughout (default: fresh)",
    )
    how.add_argument(
        "--keep",
        choices=["last", "best"],
        default="last",
        help="last iterate, or the one with the best estimated objective (default: last)",
    )
    how.add_argument(
        "--projection",
        choices=["ball-then-box", "nearest"],
        default="ball-then-box",
        help="ball then clip, or the nearest feasible point (default: ball-then-box)",
    )
    how.add_argument(
        "--clip",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep pixels in [0, 1] (default: yes)",
    )
    how.add_argument("--seed", type=int, default=0, metavar="I", help="of all noise (default: 0)")
    where = parser.add_argument_group("where and how much at once")
    where.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help=f"results (default: {OUT})"
    )
    existing = where.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    existing.add_argument("--overwrite", action="store_true", help="replace what DIR holds")
    where.add_argument("--animate", action="store_true", help="also a GIF of every trajectory")
    where.add_argument(
        "--batch-size", type=_count, metavar="B", help="pictures at once (default: by memory)"
    )
    where.add_argument(
        "--chunk-size", type=_count, metavar="C", help="draws at once (default: by memory)"
    )
    where.add_argument(
        "--repeat",
        type=Path,
        metavar="RECORD",
        help="repeat the run of a record.json, into --out, and compare",
    )
    return parser


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
    from pagjax.runs import environment, inputs, results
    from pagjax.runs.execute import StateFolder, execute

    state = StateFolder(args.out / ".unfinished")
    resumes = _check_destination(args, state)
    repeated = None if args.repeat is None else inputs.read_record(args.repeat)
    environment.prepare()
    skipped: tuple[str, ...] = ()
    if repeated is not None:
        network = checkpoints.load(repeated["job"]["checkpoint"])
        job, images = inputs.recorded_job(repeated, network)
    else:
        _fill_demo(args)
        network = checkpoints.load(args.checkpoint)
        job, images, skipped = _plan(args, network)
    for reason in skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    if resumes:
        inputs.check_same_job(job, json.loads(state.job_file.read_text()))
    else:
        state.begin(job)
    _announce(job, network)
    try:
        with _Bar(job) as report:
            finished = execute(network, job, images, state, frames=args.animate, report=report)
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with: {_resume_command()}", file=sys.stderr)
        return EXIT_INTERRUPTED
    record = results.write(args.out, job, network, images, finished)
    state.clear()
    return _conclude(args.out, record, repeated, len(skipped))


def _plan(
    args: argparse.Namespace, network: BaseNetwork
) -> tuple[Job, np.ndarray, tuple[str, ...]]:
    """The job that the arguments ask for, its pictures, and why other inputs were skipped."""
    from pagjax import paper
    from pagjax.objectives import BY_NAME
    from pagjax.runs import files, inputs
    from pagjax.runs.job import Job, JobError, default_batch_size

    height, width = network.image_shape[:2] if args.image_size is None else (args.image_size,) * 2
    inputs.check_size(network, (height, width))
    given = inputs.read_inputs(
        args.images, args.targets, args.pairs, (height, width), network.labels
    )
    sigma = network.training_sigma if args.sigma is None else args.sigma
    if sigma is None:
        raise JobError("the checkpoint does not say under which noise it was trained: pass --sigma")
    default = paper.settings(
        math.sqrt(height * width), sigma=sigma, objective=BY_NAME[args.objective]
    )
    num_samples = args.num_samples or default.num_samples
    batch_size = args.batch_size or default_batch_size(
        len(given.pairs), num_samples if sigma else 1, given.pictures[0].size
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
        objective=args.objective,
        projection=args.projection,
        noise=args.noise,
        keep=args.keep,
        clip=args.clip,
        seed=args.seed,
        batch_size=min(batch_size, len(given.pairs)),
        chunk_size=args.chunk_size,
    )
    return job, given.pictures, given.skipped


def _check_destination(args: argparse.Namespace, state: StateFolder) -> bool:
    """Whether there is an unfinished run to resume; refuses to lose anything."""
    from pagjax.runs import results
    from pagjax.runs.job import JobError

    unfinished = state.job_file.exists()
    if args.overwrite or (args.resume and unfinished):
        return bool(args.resume)
    if (args.out / results.RECORD).exists():
        raise JobError(f"{args.out} holds a result: choose another --out, or pass --overwrite")
    if unfinished:
        raise JobError(f"{args.out} holds an unfinished run: pass --resume or --overwrite")
    if args.resume:
        print(f"nothing to resume in {args.out}: starting", file=sys.stderr)
    return False


def _fill_demo(args: argparse.Namespace) -> None:
    from pagjax.runs.job import JobError

    given = [name for name in ("checkpoint", "images", "targets") if getattr(args, name)]
    if not given:
        args.checkpoint, args.images, args.targets = DEMO_CHECKPOINT, DEMO_IMAGES, DEMO_TARGETS
        args.steps = args.steps or DEMO_STEPS
        args.num_samples = args.num_samples or DEMO_SAMPLES
        print(
            f"a shorter run than the paper's: {args.steps} steps of {args.num_samples} draws; "
            "--steps 300 --num-samples 20 is the paper's"
        )
    args.checkpoint = args.checkpoint or DEMO_CHECKPOINT
    args.images = args.images or DEMO_IMAGES
    if not args.targets:
        raise JobError("which classes to paint? pass --targets, labels or indices")


def _announce(job: Job, network: BaseNetwork) -> None:
    from pagjax import paper

    height, width = job.image_size
    print(f"{job.checkpoint}: {network.metadata['architecture']}, {len(network.labels)} classes")
    print(
        f"{len(job.pairs)} pictures of {height}x{width}: {job.objective}, sigma {job.sigma:g}, "
        f"epsilon {job.epsilon:.4g}, {job.num_steps} steps of {job.step_size:.4g}, "
        f"N = {job.num_samples if job.sigma else 1}, seed {job.seed}"
    )
    if (height, width) != (paper.SIDE, paper.SIDE):
        print(
            f"(the paper's epsilon {paper.EPSILON:g} and step {paper.STEP_SIZE:g} are for "
            f"{paper.SIDE} pixels; defaults scale with the side)"
        )


def _conclude(
    out: Path, record: dict[str, Any], repeated: dict[str, Any] | None, num_skipped: int
) -> int:
    from pagjax.runs import results

    pictures = record["pictures"]
    mean = sum(picture["smoothed_probability"] for picture in pictures) / len(pictures)
    print(f"mean smoothed probability of the target: {mean:.3f}")
    broken = [p["file"] for p in pictures if p["steps_with_non_finite_gradient"]]
    for name in broken:
        print(f"warning: non-finite gradients on the way to {name}", file=sys.stderr)
    print(f"sheet: {out / results.SHEET}   record: {out / results.RECORD}")
    if repeated is not None:
        same = repeated["x_star_sha256"] == record["x_star_sha256"]
        print("the same bits as recorded" if same else "not bit for bit as recorded")
    if num_skipped:
        print(f"{num_skipped} inputs were skipped, see above", file=sys.stderr)
    return EXIT_SOME_SKIPPED if num_skipped or broken else EXIT_DONE


class _Bar:
    """A progress bar with time left, objective and distance."""

    def __init__(self, job: Job) -> None:
        from tqdm import tqdm

        total = len(job.pairs) * job.num_steps
        self.bar = tqdm(total=total, unit="step", desc="compiling", smoothing=0.1)

    def __enter__(self) -> Callable[[Progress], None]:
        return self.show

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, progress: Progress) -> None:
        self.bar.set_description("painting")
        self.bar.set_postfix_str(
            f"objective {progress.objective:.2f}, distance {progress.distance:.2f}", refresh=False
        )
        self.bar.update(progress.done - self.bar.n)


def _resume_command() -> str:
    given = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", "--resume")]
    return shlex.join(["python", "-m", "pagjax.synthesize", *given, "--resume"])


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def _length(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text}: must be finite and at least 0, in pixel units")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
