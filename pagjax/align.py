"""`python -m pagjax.align`: numbers of how well several networks' pictures are aligned."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagjax.wording import arguments as types

if TYPE_CHECKING:
    from pagjax.alignment.intervals import Interval
    from pagjax.networks.base import BaseNetwork

EXIT_DONE, EXIT_SKIPPED, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 1, 2, 130
OUT = Path("pagjax-alignment")
EVALUATION_SAMPLES = 100


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.align",
        description="Makes targeted pictures with several networks from the same starts, targets "
        "and noise, lets networks that did not make them judge, and prints the numbers with 95% "
        "intervals. Believe the robust judge: adversarial grain carries over between vanilla "
        "networks, so a vanilla judge believes it. Interrupt it at any time: the same command "
        "goes on, and keeps what is done.",
    )
    parser.add_argument("--networks", nargs="+", required=True, metavar="NAME_OR_PATH")
    parser.add_argument(
        "--judge",
        metavar="NAME_OR_PATH",
        help="robust network; no judge is asked about pictures that it made itself",
    )
    parser.add_argument(
        "--vanilla-judge",
        metavar="NAME_OR_PATH",
        help="vanilla network; judges the pictures, and blurred ones",
    )
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="TFDS name or folder of class folders to start from (default: class seeds)",
    )
    parser.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="all pictures of --data, a folder without class folders, are of this class",
    )
    parser.add_argument(
        "--preprocessing",
        choices=["cover", "cohen"],
        default="cover",
        help="how pictures are brought to size, see certify (default: cover)",
    )
    parser.add_argument("--split", default="test", help="to start from (default: test)")
    parser.add_argument(
        "--train-split", default="train", help="of the nearest images (default: train)"
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where TFDS prepared data")
    parser.add_argument(
        "--statistics",
        metavar="NAME_OR_FILE",
        help="class Gaussians (default: the shipped ones of the networks' classes)",
    )
    parser.add_argument("--count", type=types.count, default=100, metavar="K", help="default: 100")
    parser.add_argument(
        "--sigma", type=types.sigma, metavar="S", help="default: each one's training's"
    )
    parser.add_argument(
        "--epsilon",
        type=types.length,
        metavar="E",
        help="default: 40 at 224 pixels, scaled by side",
    )
    parser.add_argument(
        "--preset",
        choices=["paper", "fast"],
        default="paper",
        help="fast: the same ball with a twentieth of the work (default: paper)",
    )
    parser.add_argument("--steps", type=types.count, metavar="K", help="default: the preset's")
    parser.add_argument(
        "--num-samples", type=types.count, metavar="N", help="default: the preset's"
    )
    parser.add_argument(
        "--neighbours",
        type=types.whole,
        default=1,
        metavar="K",
        help="nearest images of the class in --data's --train-split; 0 for none (default: 1)",
    )
    parser.add_argument(
        "--agreement",
        type=types.count,
        nargs="*",
        default=[1, 5, 20],
        metavar="N",
        help="numbers of draws whose gradients' agreement is measured (default: 1 5 20)",
    )
    parser.add_argument("--seed", type=types.seed, default=0, metavar="I", help="default: 0")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"default: {OUT}")
    parser.add_argument("--overwrite", action="store_true", help="forget what DIR holds")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    from pagjax.checkpoints import CheckpointError
    from pagjax.class_statistics.store import StatisticsError
    from pagjax.runs.job import JobError
    from pagjax.training.settings import TrainingError

    try:
        return run(args)
    except (CheckpointError, JobError, StatisticsError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return EXIT_INTERRUPTED


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax import checkpoints
    from pagjax.alignment.measure import as_csv
    from pagjax.io.class_folders import Classes
    from pagjax.mesh import use_cores
    from pagjax.runs import comparison, environment, files, messages
    from pagjax.runs import comparison_inputs as inputs

    use_cores()
    environment.prepare()
    networks = {name: checkpoints.load(name) for name in dict.fromkeys(args.networks)}
    judges, digests = inputs.read_judges(args, networks)
    labels, shape = inputs.common_form(networks)
    statistics = inputs.find_statistics(args, labels)
    classes = Classes.of(next(iter(networks.values())))
    starts, train = inputs.read_starts(args, classes, shape)
    targets = comparison.draw_targets(starts, len(labels), args.seed)
    others = inputs.draw_others(targets, len(labels), args.seed)
    if args.overwrite:
        shutil.rmtree(args.out, ignore_errors=True)
    neighbours = None
    skipped = list(starts.skipped)
    source = f"{args.data} {args.train_split}"
    if args.preprocessing != "cover":
        source += f" {args.preprocessing}"
    if train is not None:
        neighbours = comparison.neighbours(
            args.out / "neighbours.npz",
            starts,
            targets,
            others,
            source,
            train,
            args.neighbours,
            skipped.append,
        )
    summaries: dict[str, Mapping[str, Interval]] = {}
    rows: list[dict[str, Any]] = []
    for name, network in networks.items():
        job = comparison.plan(
            name,
            network,
            starts,
            targets,
            sigma=args.sigma,
            epsilon=args.epsilon,
            num_steps=args.steps,
            num_samples=args.num_samples,
            seed=args.seed,
            preset=args.preset,
        )
        folder = args.out / "networks" / Path(name).name
        with messages.progress_bar(job) as report:
            pictures = comparison.make_pictures(folder, network, job, starts, report)
        asked, own_digests = inputs.impartial(judges, digests, name, network)
        measured = comparison.numbers(
            folder,
            network,
            job,
            starts,
            pictures,
            judges=asked,
            judge_digests=own_digests,
            statistics=statistics,
            others=others,
            neighbours=neighbours,
            num_samples=EVALUATION_SAMPLES,
            agreement_samples=args.agreement,
        )
        summaries[name] = measured.summary()
        for number, row in enumerate(measured.rows()):
            target = labels[targets[number]]
            rows.append({"network": name, "start": number, "target": target, **row})
    files.write_bytes(args.out / "numbers.csv", as_csv(rows))
    record = {
        "starts": starts.source,
        "count": args.count,
        "judges": digests,
        "networks": {
            name: {"sha256": _digest(network), "summary": _as_json(summaries[name])}
            for name, network in networks.items()
        },
        "environment": environment.describe(),
    }
    files.write_json(args.out / "record.json", record)
    print(table(summaries, args.count))
    for why in dict.fromkeys(skipped):
        print(f"skipped: {why}", file=sys.stderr)
    print(f"numbers: {args.out / 'numbers.csv'}   record: {args.out / 'record.json'}")
    return EXIT_SKIPPED if skipped else EXIT_DONE


def table(summaries: Mapping[str, Mapping[str, Interval]], count: int) -> str:
    """Numbers down, networks across, each mean with its interval."""
    names = list(dict.fromkeys(name for summary in summaries.values() for name in summary))
    rows = [[f"{count} pictures", *(Path(network).name for network in summaries)]]
    for name in names:
        cells = [summary.get(name) for summary in summaries.values()]
        told = ["-" if c is None else f"{c.value:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in cells]
        rows.append([name.replace("_", " "), *told])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _digest(network: BaseNetwork) -> str:
    from pagjax.runs.inputs import weights_digest

    return weights_digest(network)


def _as_json(summary: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval._asdict() for name, interval in summary.items()}


if __name__ == "__main__":
    raise SystemExit(main())
