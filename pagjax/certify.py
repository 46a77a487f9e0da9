"""`python -m pagjax.certify`: certifies a data set's images; `report` makes tables of the logs."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pagjax.certificates.job import Job
    from pagjax.networks.base import BaseNetwork

OUT = Path("pagjax-certificates")
EXIT_DONE, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 2, 130
RADII = (0.0, 0.25, 0.5, 0.75, 1.0)
PREDICT_DRAWS, CERTIFY_DRAWS = 1000, 100_000


def parser() -> argparse.ArgumentParser:
    """The arguments of certification."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.certify",
        description="Certifies l2 balls in which a smoothed network's prediction is constant "
        "(Cohen et al. 2019; soft smoothing: Kaur et al. 2019, theorem 1). Writes Cohen's log, a "
        "line an image; the same command goes on after an interruption. `python -m pagjax.certify "
        "report LOG...` makes tables and curves. Lengths are l2 lengths in pixel units of [0, 1].",
    )
    what = parser.add_argument_group("what")
    what.add_argument("--checkpoint", required=True, metavar="NAME_OR_PATH", help="base network")
    what.add_argument(
        "--data", default="cifar10", help="TFDS name, or a folder of class folders (cifar10)"
    )
    what.add_argument("--split", default="test", help="default: test")
    what.add_argument("--data-dir", type=Path, metavar="DIR", help="where TFDS prepared data")
    what.add_argument(
        "--stride", type=_count, default=1, metavar="I", help="every I-th image (default: all)"
    )
    what.add_argument("--limit", type=_count, metavar="M", help="at most M images")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--sigma",
        type=_length,
        nargs="+",
        metavar="S",
        help="noise levels, a log each (default: the network's training's)",
    )
    kind = how.add_mutually_exclusive_group()
    kind.add_argument("--predict", action="store_true", help="predict or abstain, no radius")
    kind.add_argument(
        "--soft",
        choices=["hoeffding", "bernstein", "better"],
        help="soft smoothing with this bound (default: hard smoothing)",
    )
    how.add_argument(
        "--rivals",
        choices=["bounded", "rest"],
        default="bounded",
        help="soft smoothing: bound all classes at once, or the rest by 1 - p (default: bounded)",
    )
    how.add_argument("--num-selection", type=_count, default=100, metavar="N0", help="default: 100")
    how.add_argument(
        "--num-draws",
        type=_count,
        metavar="N",
        help=f"default: {CERTIFY_DRAWS:,}; {PREDICT_DRAWS:,} for --predict",
    )
    how.add_argument("--alpha", type=_alpha, default=0.001, metavar="A", help="default: 0.001")
    how.add_argument(
        "--staged",
        nargs="*",
        type=_radius,
        metavar="R",
        help="stop drawing once it is decided which of these radii are reached "
        f"(without R: {' '.join(f'{radius:g}' for radius in RADII)})",
    )
    how.add_argument("--seed", type=int, default=0, metavar="I", help="of all noise (default: 0)")
    where = parser.add_argument_group("where and how much at once")
    where.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help=f"logs (default: {OUT})"
    )
    where.add_argument("--overwrite", action="store_true", help="start the logs anew")
    where.add_argument(
        "--chunk-size", type=_count, metavar="C", help="draws at once (default: by memory)"
    )
    return parser


def report_parser() -> argparse.ArgumentParser:
    """The arguments of `report`."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.certify report",
        description="Certified accuracy in percent with its 95%% interval, average certified "
        "radius (ACR) and abstentions of logs, ours and published ones.",
    )
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG")
    parser.add_argument("--radii", nargs="+", type=_radius, default=RADII, metavar="R")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="of the logs, in order")
    parser.add_argument("--format", choices=["text", "csv", "latex"], default="text")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="also draw the curves: .png, .pdf or .svg"
    )
    parser.add_argument(
        "--card",
        metavar="NAME_OR_PATH",
        help="also write the accuracies into the card of the network that the logs are of",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    reports = given[:1] == ["report"]
    args = report_parser().parse_args(given[1:]) if reports else parser().parse_args(given)
    from pagjax.certificates.logs import LogError
    from pagjax.checkpoints import CheckpointError
    from pagjax.runs.job import JobError
    from pagjax.training.settings import TrainingError

    try:
        return report(args) if reports else run(args)
    except (CheckpointError, JobError, LogError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return EXIT_INTERRUPTED


def run(args: argparse.Namespace) -> int:
    """Certifies what the arguments say; returns the exit status."""
    import jax
    from tqdm import tqdm

    from pagjax import checkpoints
    from pagjax.certificates import job as jobs
    from pagjax.mesh import make_mesh, place
    from pagjax.runs import environment
    from pagjax.runs.job import JobError
    from pagjax.training.data import open_data

    environment.prepare()
    network = checkpoints.load(args.checkpoint)
    side = network.image_shape[0]
    data = open_data(args.data, args.split, side, args.data_dir)
    if len(data.labels) != len(network.labels):
        raise JobError(
            f"{args.data} has {len(data.labels)} classes, the network {len(network.labels)}"
        )
    jobs_planned = _plan(args, network)
    indices = range(0, len(data), args.stride)[: args.limit]
    mesh = make_mesh(1, jobs_planned[0].num_draws, jax.local_devices())
    logits_fn = place(network.logits_fn, mesh)
    written = []
    for job in jobs_planned:
        log = args.out / f"{'predict' if args.predict else 'certify'}-sigma_{job.sigma:g}.tsv"
        written.append(log)
        done = jobs.begin(log, job, overwrite=args.overwrite)
        left = [index for index in indices if index not in done]
        print(f"{log}: {len(left)} images, {job.num_draws:,} draws, sigma {job.sigma:g}")
        with tqdm(total=len(indices), initial=len(indices) - len(left), unit="image") as bar:
            jobs.run(
                job,
                logits_fn,
                data,
                left,
                log,
                mesh=mesh,
                chunk_size=args.chunk_size,
                report=lambda line, bar=bar: bar.update(),  # type: ignore[misc]
            )
    return report(report_parser().parse_args([str(log) for log in written]))


def _plan(args: argparse.Namespace, network: BaseNetwork) -> list[Job]:
    """A job per noise level."""
    from pagjax.certificates.job import Job
    from pagjax.runs.inputs import weights_digest
    from pagjax.runs.job import JobError

    sigmas = args.sigma or [network.training_sigma]
    if not all(sigmas):
        raise JobError("the checkpoint names no noise to smooth with: pass --sigma, above 0")
    staged = args.staged
    if args.predict and staged is not None:
        raise JobError("--staged decides radii, which --predict does not find")
    draws = args.num_draws or (PREDICT_DRAWS if args.predict else CERTIFY_DRAWS)
    if args.soft and draws < 2:
        raise JobError("--soft: a mean's bounds need --num-draws of at least 2")
    digest = weights_digest(network)
    return [
        Job(
            checkpoint=str(args.checkpoint),
            checkpoint_sha256=digest,
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
        )
        for sigma in sigmas
    ]


def report(args: argparse.Namespace) -> int:
    """Prints tables, draws curves, fills cards; returns the exit status."""
    from pagjax.certificates import plot, report
    from pagjax.certificates.logs import LogError, read
    from pagjax.runs import files

    names = args.names or report.names_of(args.logs)
    if len(names) != len(args.logs):
        raise LogError(f"{len(names)} names for {len(args.logs)} logs: give one each")
    logs = [read(path) for path in args.logs]
    summaries = [
        report.summarise(log, name, sigma=report.sigma_of(path), radii=args.radii)
        for log, name, path in zip(logs, names, args.logs, strict=True)
    ]
    tables: dict[str, Any] = {
        "text": report.text_table,
        "csv": report.csv_table,
        "latex": report.latex_table,
    }
    print(tables[args.format](summaries))
    if args.plot is not None:
        drawn = [(log, name) for log, name in zip(logs, names, strict=True) if log.certifies]
        kind = args.plot.suffix.removeprefix(".").lower()
        if kind not in ("png", "pdf", "svg") or not drawn:
            raise LogError(f"--plot {args.plot}: needs a log with radii and .png, .pdf or .svg")
        files.write_bytes(args.plot, plot.draw(*zip(*drawn, strict=True), format=kind))
    if args.card is not None:
        _fill_card(args.card, args.logs, summaries)
    return EXIT_DONE


def _fill_card(name: str, paths: Sequence[Path], summaries: Sequence[Any]) -> None:
    """Replaces the certified accuracies in a network's card by those of its logs."""
    from pagjax import checkpoints
    from pagjax.certificates import report
    from pagjax.certificates.job import read_settings
    from pagjax.certificates.logs import LogError
    from pagjax.checkpoints import shipped
    from pagjax.runs.inputs import weights_digest
    from pagjax.training import record

    digest = weights_digest(checkpoints.load(name))
    entries = []
    for path, summary in zip(paths, summaries, strict=True):
        settings = (read_settings(path) or {}).get("job", {})
        if settings.get("checkpoint_sha256") != digest:
            raise LogError(f"{path} is not a log of {name}'s weights, by the settings beside it")
        if summary.average_radius is not None:
            entries.append(report.card_entry(summary, settings))
    record.write_card(shipped.path(name), {**shipped.card(name), "certified": entries})


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return value


def _length(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text}: must be above 0, in pixel units")
    return value


def _radius(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text}: must be at least 0, in pixel units")
    return value


def _alpha(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text}: must lie strictly between 0 and 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
