"""`python -m pagjax.fit_seeds`: fits a Gaussian to each class of a data set, for seeds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagjax.arguments import shared, types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED

if TYPE_CHECKING:
    from pagjax.io.data.class_folders import Classes

COSTS = (
    "the time to read and decode the images, which are read class by class; memory does not grow "
    "with their number."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "fit-seeds",
        "Fits a Gaussian to the images of each class, from whose draws "
        "`pagjax synthesize --class` starts. Images are streamed; what is written holds "
        "means and principal directions, no image. Interrupt it at any time: the same command goes "
        "on with the classes that are left.",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument("data", help="TFDS name, or a folder of class folders")
    what.add_argument("--split", default="train", help="default: train")
    what.add_argument(
        "--checkpoint",
        metavar="NAME_OR_PATH",
        help="fit this network's classes, in its order (default: the data's, folders by alphabet)",
    )
    shared.add_class_name(what, of="a folder without class folders")
    shared.add_preprocessing(what)
    shared.add_data_dir(what)
    what.add_argument(
        "--image-size", type=types.count, default=224, metavar="PIXELS", help="side (default: 224)"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--factor",
        type=types.count,
        metavar="F",
        help="fit block means of F x F pixels (default: 1 up to 32 pixels, 4 above)",
    )
    how.add_argument(
        "--regulariser",
        type=types.length,
        default=1e-4,
        metavar="V",
        help="variance added to every pixel, in squared pixel units of [0, 1] (default: 0.0001)",
    )
    how.add_argument(
        "--share",
        type=types.part,
        default=0.9,
        metavar="S",
        help="share of the variance that is kept; 1 fits the exact covariance (default: 0.9)",
    )
    where = parser.add_argument_group("where")
    where.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="what to write")
    where.add_argument("--overwrite", action="store_true", help="replace FILE and start anew")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    return guarded(run, args)


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax.io.files import locks
    from pagjax.seeds import unfinished

    with locks.held(args.out, beside=True):
        saved = unfinished.was_saved(args.out)
        if saved is None:
            _check_out(args)
        status = _fit(args, saved)
        unfinished.forget(args.out)
        return status


def _check_out(args: argparse.Namespace) -> None:
    """Refuses to replace what was not asked to be replaced, or is none of ours."""
    from pagjax.seeds import store

    if args.out.is_symlink() or (args.out.exists() and not args.out.is_file()):
        raise store.StatisticsError(f"--out {args.out} is no file: name another")
    if args.out.exists() and not args.overwrite:
        raise store.StatisticsError(f"{args.out} exists: choose another, or pass --overwrite")
    if args.out.exists():
        try:
            store.load(args.out)
        except store.StatisticsError as error:
            raise store.StatisticsError(f"not overwriting what is no result: {error}") from error


def _fit(args: argparse.Namespace, saved: Sequence[Any] | None) -> int:
    from tqdm import tqdm

    from pagjax.io.data import identity
    from pagjax.io.data.labelled_images import open_data
    from pagjax.seeds import store
    from pagjax.seeds.fitting import fit_classes
    from pagjax.seeds.unfinished import Unfinished, folder_of, forget

    factor = args.factor or (1 if args.image_size <= 32 else 4)
    data = open_data(
        args.data,
        args.split,
        args.image_size,
        args.data_dir,
        classes=None if args.checkpoint is None else _classes(args.checkpoint),
        class_name=args.class_name,
        preprocessing=args.preprocessing,
    ).checked()
    for line in data.told():
        print(line, file=sys.stderr)
    # All that the fit of a class depends on, and what is written with the fits.
    settings = [args.data, args.split, args.image_size, factor, args.share, list(data.labels)]
    settings += [args.regulariser, args.preprocessing, identity.of(data)]
    if saved is not None and settings == saved:
        statistics = store.load(args.out)  # a kill came when all but tidying up was done
    else:
        forget(args.out)
        _check_out(args)
        unfinished = Unfinished(folder_of(args.out), settings)
        with tqdm(total=len(data.labels), unit="class") as bar:

            def report(label: str, done: int, total: int) -> None:
                bar.set_postfix_str(label)
                bar.update(done - bar.n)

            statistics = fit_classes(
                data,
                split=args.split,
                factor=factor,
                regulariser=args.regulariser,
                share=args.share,
                done=unfinished.read,
                keep=unfinished.write,
                report=report,
            )
        unfinished.save(args.out, store.as_bytes(statistics))
    ranks = [len(fit.factors) for fit in statistics.fits]
    print(
        f"{args.out}: {len(ranks)} classes of {sum(fit.count for fit in statistics.fits):,} "
        f"images, {min(ranks)} to {max(ranks)} directions each, "
        f"{args.out.stat().st_size / 2**20:.1f} MB"
    )
    return EXIT_SOME_SKIPPED if data.skipped else EXIT_DONE


def _classes(checkpoint: str) -> Classes:
    from pagjax import checkpoints
    from pagjax.io.data.class_folders import Classes

    return Classes.of(checkpoints.load(checkpoint))


if __name__ == "__main__":
    raise SystemExit(main())
