"""`python -m pagjax.certify`: certifies a data set's images; `report` makes tables of the logs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pagjax.arguments.certification import (
    CERTIFY_DRAWS,
    PREDICT_DRAWS,
    RADII,
    parser,
    report_parser,
)
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE as EXIT_DONE
from pagjax.jobs.exit_status import EXIT_REFUSED as EXIT_REFUSED
from pagjax.jobs.exit_status import EXIT_SOME_SKIPPED as EXIT_SOME_SKIPPED

if TYPE_CHECKING:
    from pagjax.certified_logs.job import LogJob
    from pagjax.io.pictures.images import Preprocessing
    from pagjax.networks.base import BaseNetwork


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    reports = given[:1] == ["report"]
    args = report_parser().parse_args(given[1:]) if reports else parser().parse_args(given)
    if reports and not args.logs and not args.anchors:
        report_parser().error("the following arguments are required: LOG, or --anchors")
    return guarded(report if reports else run, args)


def run(args: argparse.Namespace) -> int:
    """Certifies what the arguments say; returns the exit status."""
    from pagjax import checkpoints
    from pagjax.certified_logs import filling, resuming
    from pagjax.certified_logs.job import check_draws
    from pagjax.io.data.class_folders import Classes
    from pagjax.io.data.labelled_images import open_data
    from pagjax.jobs import environment, processes
    from pagjax.jobs.errors import JobError

    environment.before_computing()
    processes.start(args.coordinator, args.num_processes, args.process_id)
    environment.prepare()
    network = checkpoints.load(args.checkpoint, precision=args.precision)
    side = network.image_shape[0]
    jobs_planned = _plan(args, network)
    for job in jobs_planned:
        check_draws(job, "--num-draws")
    data = open_data(
        args.data,
        args.split,
        side,
        args.data_dir,
        classes=Classes.of(network),
        class_name=args.class_name,
        preprocessing=jobs_planned[0].preprocessing,
    )
    data = resuming.numbered(data, _begun(args, [job.sigma for job in jobs_planned]))
    wanted = range(0, len(data), args.stride)[: args.limit]
    damaged = data.damaged(wanted)
    if len(damaged) == len(wanted):
        raise JobError(f"no picture can be read: {next(iter(damaged.values()), 'there is none')}")
    indices = [index for index in wanted if index not in damaged]
    _tell(data.notes, damaged, jobs_planned[0])
    planned = {_log(args, job.sigma): job for job in jobs_planned}
    if len(planned) < len(jobs_planned):
        raise JobError(f"--sigma {' '.join(map(str, args.sigma))}: two of them name the same log")
    filling.fill(
        planned,
        network,
        data,
        damaged,
        indices,
        overwrite=args.overwrite,
        chunk_size=args.chunk_size,
    )
    if not processes.is_first():
        return EXIT_DONE
    status = report(report_parser().parse_args([str(log) for log in planned]))
    if damaged:
        print(
            f"{len(damaged)} of {len(wanted)} images could not be read and have no "
            "line; mend them, then the same command goes on",
            file=sys.stderr,
        )
        return EXIT_SOME_SKIPPED
    return status


def _log(args: argparse.Namespace, sigma: float) -> Path:
    out: Path = args.out / f"{'predict' if args.predict else 'certify'}-sigma_{sigma:g}.tsv"
    return out


def _tell(notes: Sequence[str], damaged: Mapping[int, str], job: LogJob) -> None:
    """Says how the data was read, and which images have no certificate to come."""
    from pagjax.jobs import processes

    if not processes.is_first():
        return
    if job.preprocessing == "cohen":
        shorter = round(job.image_size * 256 / 224)
        notes = [
            *notes,
            f"pictures: shorter side to {shorter} pixels, centre of {job.image_size} cut out, as "
            "in the published logs of ImageNet (--preprocessing cover takes all of the side)",
        ]
    for text in [*notes, *(f"skipped: image {i}: {why}" for i, why in damaged.items())]:
        print(text, file=sys.stderr)


def _preprocessing(
    args: argparse.Namespace, network: BaseNetwork, sigmas: Sequence[float]
) -> Preprocessing:
    """What was asked for, else what the logs were begun with, else what suits the network."""
    from pagjax.certified_logs import resuming

    if args.preprocessing is not None:
        chosen: Preprocessing = args.preprocessing
        return chosen
    return resuming.preprocessing_for(network, _begun(args, sigmas))


def _begun(args: argparse.Namespace, sigmas: Sequence[float]) -> list[Path]:
    """Where logs lie that this command would go on with."""
    from pagjax.certified_logs import overwriting

    logs = [_log(args, sigma) for sigma in sigmas]
    return [overwriting.being_made(log) if args.overwrite else log for log in logs]


def _plan(args: argparse.Namespace, network: BaseNetwork) -> list[LogJob]:
    """A job per noise level."""
    from pagjax.certified_logs.job import LogJob
    from pagjax.checkpoints.identity import function_digest, weights_digest
    from pagjax.jobs.errors import JobError
    from pagjax.networks.convolutions.forms import as_backend

    sigmas = args.sigma or [network.training_sigma]
    if not all(sigmas):
        raise JobError("the checkpoint names no noise to smooth with: pass --sigma, above 0")
    staged = args.staged
    if args.predict and staged is not None:
        raise JobError("--staged decides radii, which --predict does not find")
    if args.sound and args.soft:
        raise JobError(
            "--sound counts votes in whole numbers, and --soft sums rounded probabilities: leave "
            "one of them out"
        )
    draws = args.num_draws or (PREDICT_DRAWS if args.predict else CERTIFY_DRAWS)
    if args.soft and draws < 2:
        raise JobError("--soft: a mean's bounds need --num-draws of at least 2")
    digest = weights_digest(network)
    preprocessing = _preprocessing(args, network, sigmas)
    return [
        LogJob(
            checkpoint=str(args.checkpoint),
            checkpoint_sha256=digest,
            network_sha256=function_digest(network),
            data=args.data,
            split=args.split,
            image_size=network.image_shape[0],
            sigma=sigma,
            method="predict" if args.predict else "soft" if args.soft else "hard",
            num_selection=args.num_selection,
            num_draws=draws,
            alpha=args.alpha,
            bound=args.soft or "better",
            rivals=args.rivals,
            radii=None if staged is None else tuple(staged or RADII),
            seed=args.seed,
            precision=args.precision,
            preprocessing=preprocessing,
            class_name=args.class_name,
            platform=as_backend(None, args.precision)
            if args.precision != "float32" or args.sound
            else None,
            sound=args.sound,
        )
        for sigma in sigmas
    ]


def report(args: argparse.Namespace) -> int:
    """Prints tables, draws curves, fills cards; returns the exit status."""
    from pagjax.certified_logs import command

    return command.run(args)


if __name__ == "__main__":
    sys.exit(main())
