"""Arguments by which a job's processes find each other."""

from __future__ import annotations

import argparse

from pagjax.arguments import types


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments by which a job's processes find each other."""
    several = parser.add_argument_group(
        "several processes", "found by themselves under SLURM, Open MPI and on TPU pods"
    )
    several.add_argument("--coordinator", metavar="HOST:PORT", help="address of the first process")
    several.add_argument("--num-processes", type=types.count, metavar="P", help="of the job")
    several.add_argument(
        "--process-id", type=types.whole, metavar="I", help="this one's number, from 0"
    )
