"""What a user waits for: imports, --help, the job without arguments, and what memory it needs.

    python benchmarks/job.py [--rounds 3] [--only import help cold warm memory]

Every run is a process of its own, timed from start to end, the programs in turn; medians and ranges
are printed. `cold` begins with an empty compilation cache and `warm` with the one that a cold run
left. Memory is the peak resident set that the system reports of the ended process, of jobs that
differ in the number of noise draws alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.workers import spread  # noqa: E402

JOB = ["-m", "pagjax.synthesize"]
PROGRAMS = {
    "import": {"import pagjax": ["-c", "import pagjax"], "import jax": ["-c", "import jax"]},
    "help": {"--help": [*JOB, "--help"]},
}
MEMORY = ["--checkpoint", "cifar10-gaussian-0.25", "--images", "sample:cat", "--targets", "bird"]
MEMORY += ["--steps", "2", "--num-samples"]
KINDS = ("import", "help", "cold", "warm", "memory")


class Ended(NamedTuple):
    """A process that came to a good end: wall and processor seconds, peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--samples", nargs="+", default=["20", "200", "2000"], help="of memory")
    args, more = parser.parse_known_args()
    print(f"{device()}, {args.rounds} rounds; seconds, median (range)")
    for kind in ("import", "help"):
        if kind in args.only:
            in_turn(PROGRAMS[kind], args.rounds if kind == "help" else 2 * args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        if {"cold", "warm"} & set(args.only):
            jobs(
                Path(folder), args.rounds, [kind for kind in args.only if kind in KINDS[2:4]], more
            )
        if "memory" in args.only:
            memory(Path(folder), args.samples, args.rounds, more)


def device() -> str:
    """What the jobs run on, asked in a process of its own."""
    asked = (
        "import jax; print(jax.devices()[0].device_kind, 'x', jax.device_count(), jax.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    kind, version = done.stdout.strip().rsplit(" ", 1)
    return f"{kind}, {os.cpu_count()} cores of {platform.machine()}, jax {version}"


def run(arguments: list[str], cache: Path | None = None) -> Ended:
    """Runs Python with these arguments to the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if cache is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=told, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        if process.returncode:
            told.seek(0)
            raise RuntimeError(
                f"{arguments} ended with {process.returncode}: {told.read().decode()}"
            )
    return Ended(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(programs: dict[str, list[str]], rounds: int) -> None:
    found: dict[str, list[Ended]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, arguments in programs.items():
            found[name].append(run(arguments))
    for name, runs in found.items():
        print(f"{name}: {spread([ended.wall for ended in runs])}", flush=True)


def jobs(folder: Path, rounds: int, kinds: list[str], more: list[str]) -> None:
    """The job without arguments, cold and warm in turn, each into a folder of its own."""
    found: dict[str, list[Ended]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        cache = folder / f"cache-{number if 'cold' in kinds else 0}"
        if "cold" not in kinds and number == 0:
            run([*JOB, "--out", str(folder / "first"), *more], cache)
        for kind in kinds:
            out = folder / f"{kind}-{number}"
            found[kind].append(run([*JOB, "--out", str(out), *more], cache))
    for kind, runs in found.items():
        print(
            f"job, {kind}: {spread([ended.wall for ended in runs])}, processor "
            f"{statistics.median(ended.cpu for ended in runs):.1f}, peak "
            f"{statistics.median(ended.peak for ended in runs):.0f} MB",
            flush=True,
        )


def memory(folder: Path, samples: list[str], rounds: int, more: list[str]) -> None:
    """Peaks for several N, each with a warm compilation cache, as compiling has a peak too."""
    peaks: dict[str, list[float]] = {count: [] for count in samples}
    for number in range(rounds + 1):
        for count in samples:
            out = folder / f"memory-{count}-{number}"
            ended = run([*JOB, *MEMORY, count, "--out", str(out), *more], folder / "memory-cache")
            if number:
                peaks[count].append(ended.peak)
    medians = [statistics.median(values) for values in peaks.values()]
    for count, values in peaks.items():
        print(f"peak memory, N = {count}: {spread(values)} MB", flush=True)
    print(f"largest over smallest: {max(medians) / min(medians):.3f}")


if __name__ == "__main__":
    main()
