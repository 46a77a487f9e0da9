"""PGD steps of a smoothed network, here and in PyTorch, paired and in turn.

    python benchmarks/step.py [--network resnet50] [--num-samples 20] [--rounds 6] [--programs ...]
    python benchmarks/step.py --quick   on a GPU: all there is to know, within five minutes

The same random weights, noise level and step on both sides; each program is a loop of steps in a
process of its own, and the processes take turns, round by round. A program is a kind and a
precision, such as ``loop:float32``:

    torch   PyTorch as its users run it at its best, in eval mode with parameters frozen: the
            fastest of eager and `torch.compile`, channels_last and not, on a GPU each in a CUDA
            graph too, and in bfloat16 each with narrow weights and by autocast
    loop    pagjax's compiled loop, as `pagjax.synthesize` runs it: every core of a CPU a device
    single  the same loop on a single device
    naive   that over the network as it was trained, batch norms and all
    alone   pagjax's step, compiled alone and called in a Python loop, of one picture

Several `--pictures` go through a program together; in PyTorch all their draws are one batch.
`--quick` takes 1, 4 and 16, in TF32 and bfloat16, and of PyTorch channels_last alone. Kernels a
step, and the share of the time that a GPU is busy, are from JAX's profiler.

Precisions are float32, bfloat16, and tf32 on GPUs. Compilation is timed apart. The share of the
machine's matrix-product rate counts the arithmetic of plain convolutions, forward and backward,
against the largest rate that either side reaches at one large product of the same precision. Needs
PyTorch (`pip install -e '.[test]'`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import networks, step_pagjax, step_torch  # noqa: E402
from benchmarks.workers import Worker, processor, serve, spread  # noqa: E402
from pagjax.jobs.memory import keep_freed_memory  # noqa: E402

PROGRAMS = {
    "cpu": ["torch:float32", "loop:float32", "loop:bfloat16", "naive:float32"],
    "gpu": [
        f"{kind}:{name}" for name in ("float32", "tf32", "bfloat16") for kind in ("torch", "loop")
    ],
}
QUICK = [f"{kind}:{name}" for name in ("tf32", "bfloat16") for kind in ("torch", "loop")]
PAPER_STEPS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--programs", nargs="+", metavar="KIND:PRECISION")
    parser.add_argument("--rounds", type=int, help="usually 6, with --quick 4")
    parser.add_argument("--steps", type=int, help="steps a round; on a CPU about 2 s of them")
    parser.add_argument("--network", choices=list(networks.SHAPES), default="resnet50")
    parser.add_argument("--side", type=int, help="of the images; usually the network's own")
    parser.add_argument("--num-samples", type=int, default=20)
    parser.add_argument("--pictures", nargs="+", type=int, metavar="COUNT", help="usually 1")
    parser.add_argument("--quick", action="store_true", help="see above")
    parser.add_argument("--default-malloc", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        if args.device == "cpu" and not args.default_malloc:
            keep_freed_memory()
        kind = args.worker.split(":")[0]
        serve((step_torch if kind == "torch" else step_pagjax).programs(args))
        return
    args.device = step_torch.device() if args.device == "auto" else args.device
    args.side = args.side or networks.SHAPES[args.network].side
    args.steps = args.steps or steps_a_round(args)
    args.rounds = args.rounds or (4 if args.quick else 6)
    args.pictures = args.pictures or ([1, 4, 16] if args.quick else [1])
    # PyTorch's process needs its part of the GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda,cpu"}[args.device]
    with tempfile.TemporaryDirectory() as folder:
        write_problem(Path(folder), args)
        usual = QUICK if args.quick and args.device == "gpu" else PROGRAMS[args.device]
        compare(args, args.programs or usual, folder)


def steps_a_round(args: argparse.Namespace) -> int:
    """30 on a GPU; on a CPU what 650 GFLOP allow, at least 2."""
    if args.device == "gpu":
        return 30
    flop = 4 * networks.multiply_adds(args.network, args.side) * args.num_samples
    return max(2, round(6.5e11 / flop))


def write_problem(folder: Path, args: argparse.Namespace) -> None:
    """Weights, image and noise, which both sides read."""
    np.savez(folder / "weights.npz", **networks.weights(args.network))  # type: ignore[arg-type]
    generator = np.random.default_rng(0)
    shape = (args.side, args.side, 3)
    images = generator.random((max(args.pictures), *shape), dtype=np.float32)
    noise = generator.standard_normal((args.num_samples, *shape), dtype=np.float32)
    np.savez(folder / "problem.npz", images=images, noise=noise)


def compare(args: argparse.Namespace, programs: list[str], folder: str) -> None:
    flags = ["--folder", folder, "--device", args.device, "--steps", str(args.steps)]
    flags += ["--network", args.network, "--side", str(args.side)]
    flags += ["--num-samples", str(args.num_samples)]
    flags += ["--pictures", *map(str, args.pictures)]
    flags += ["--default-malloc"] * args.default_malloc + ["--quick"] * args.quick
    command = [str(Path(__file__).resolve()), *flags, "--worker"]
    rows = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker([*command, name])) for name in programs}
        rates = {name: worker.ask("rate") for name, worker in workers.items()}
        for pictures in args.pictures:
            for name, seconds in compiled(args, workers, pictures).items():
                print(f"{name}: {pictures} pictures compiled in {seconds:.1f} s", flush=True)
            times = timed_in_turn(args, workers, pictures)
            ratios(times, pictures)
            for name, worker in workers.items():
                precision = name.split(":")[1]
                rate = max(rates[other] for other in programs if other.endswith(precision))
                told = worker.ask(f"memory {pictures}"), worker.ask(f"profile {pictures}")
                rows.append(row(args, name, pictures, times, rate, *told))
                worker.ask(f"release {pictures}")
        difference_of({name: Path(worker.ask("gradient")) for name, worker in workers.items()})
        for name, worker in workers.items():
            print(f"{name}: {worker.ask('describe')}")
    print(f"\n{processor()}, {os.cpu_count()} cores, {args.device}; {args.network} at", end=" ")
    print(f"{args.side}x{args.side}, N = {args.num_samples}; {args.rounds} rounds of {args.steps}")
    print("steps. Milliseconds a step of all pictures, median (range):\n")
    print(
        "| pictures | program | ms a step | of PyTorch's | s a picture | of the product rate",
        end="",
    )
    print(" | peak memory | kernels a step | busy |\n|" + "---|" * 9)
    print("\n".join(rows))


def compiled(
    args: argparse.Namespace, workers: dict[str, Worker], pictures: int
) -> dict[str, float]:
    """Seconds of each program; on a GPU, with its many cores, all at once."""
    if args.device == "cpu":
        return {name: worker.ask(f"compile {pictures}") for name, worker in workers.items()}
    for worker in workers.values():
        worker.send(f"compile {pictures}")
    return {name: worker.receive() for name, worker in workers.items()}


def timed_in_turn(
    args: argparse.Namespace, workers: dict[str, Worker], pictures: int
) -> dict[str, list[float]]:
    """Seconds a step of every round."""
    for worker in workers.values():
        worker.ask(f"choose {pictures}")  # and warm-up
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(args.rounds):
        for name, worker in workers.items():
            times[name].append(worker.ask(f"loop {pictures}"))
        each = ", ".join(f"{name} {times[name][-1]:.4f}" for name in workers)
        print(f"  {pictures}: {each}", flush=True)
    return times


def ratios(times: dict[str, list[float]], pictures: int) -> None:
    """Every program against PyTorch's and the naive one."""
    for name in times:
        bases = (f"torch:{name.split(':')[1]}", "torch:float32", "naive:float32")
        for base in dict.fromkeys(bases):
            if base in times and base != name:
                paired = [a / b for a, b in zip(times[name], times[base], strict=True)]
                ratio = statistics.median(times[name]) / statistics.median(times[base])
                told = f"{ratio:.3f} by medians, paired {spread(paired)}"
                print(f"{pictures} pictures, {name} / {base}: {told}")


def row(  # seven: of a table whose columns have little in common
    args: argparse.Namespace,
    name: str,
    pictures: int,
    times: dict[str, list[float]],
    rate: float,
    memory: float,
    profile: tuple[float, float] | None,
) -> str:
    """A row of the table."""
    median = statistics.median(times[name])
    flop = 4 * networks.multiply_adds(args.network, args.side) * args.num_samples * pictures
    base = times.get(f"torch:{name.split(':')[1]}")
    ratio = f"{median / statistics.median(base):.2f}" if base and "torch" not in name else ""
    kernels, busy = (f"{profile[0]:.0f}", f"{profile[1]:.0%}") if profile else ("", "")
    return (
        f"| {pictures} | {name} | {spread([1000 * t for t in times[name]])} | {ratio} "
        f"| {PAPER_STEPS * median / pictures:.1f} | {flop / median / rate:.0%} of "
        f"{rate / 1e9:,.0f} GFLOP/s | {memory:.2f} GB | {kernels} | {busy} |"
    )


def difference_of(gradients: dict[str, Path]) -> None:
    """How far each program's gradient for the same noise is from the first program's."""
    first, *others = gradients
    a = np.load(gradients[first]).astype(np.float64)
    for name in others:
        b = np.load(gradients[name]).astype(np.float64)
        relative = np.linalg.norm(a - b) / np.linalg.norm(a)
        cosine = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
        print(f"gradient, {name} against {first}: off by {relative:.1e}, cosine {cosine:.9f}")


if __name__ == "__main__":
    main()
