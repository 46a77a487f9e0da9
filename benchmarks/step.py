"""PGD steps of a smoothed network, here and in PyTorch, paired and in turn.

    python benchmarks/step.py [--network resnet50] [--num-samples 20] [--rounds 6] [--programs ...]

The same random weights, noise level and step on both sides; each program is a loop of steps in a
process of its own, and the processes take turns, round by round. A program is a kind and a
precision, such as ``loop:float32``:

    torch   PyTorch as its users run it at its best, in eval mode with parameters frozen: the
            fastest of eager and `torch.compile`, channels_last and not, on a GPU each in a CUDA
            graph too, and in bfloat16 each with narrow weights and by autocast
    loop    pagjax's compiled loop, as `pagjax.synthesize` runs it: every core of a CPU a device
    single  the same loop on a single device
    naive   that over the network as it was trained, batch norms and all
    alone   pagjax's step, compiled alone and called in a Python loop

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
PAPER_STEPS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--programs", nargs="+", metavar="KIND:PRECISION")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, help="steps a round; on a CPU about 2 s of them")
    parser.add_argument("--network", choices=list(networks.SHAPES), default="resnet50")
    parser.add_argument("--side", type=int, help="of the images; usually the network's own")
    parser.add_argument("--num-samples", type=int, default=20)
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
    # PyTorch's process needs its part of the GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda,cpu"}[args.device]
    with tempfile.TemporaryDirectory() as folder:
        write_problem(Path(folder), args)
        compare(args, args.programs or PROGRAMS[args.device], folder)


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
    image = generator.random((args.side, args.side, 3), dtype=np.float32)
    noise = generator.standard_normal((args.num_samples, *image.shape), dtype=np.float32)
    np.savez(folder / "problem.npz", image=image, noise=noise)


def compare(args: argparse.Namespace, programs: list[str], folder: str) -> None:
    flags = ["--folder", folder, "--device", args.device, "--steps", str(args.steps)]
    flags += [
        "--network",
        args.network,
        "--side",
        str(args.side),
        "--num-samples",
        str(args.num_samples),
    ]
    flags += ["--default-malloc"] if args.default_malloc else []
    command = [str(Path(__file__).resolve()), *flags, "--worker"]
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker([*command, name])) for name in programs}
        compiled = {name: workers[name].ask("compile") for name in programs}
        for name in programs:
            print(f"{name}: {workers[name].ask('describe')}, compiled in {compiled[name]:.1f} s")
            workers[name].ask("loop")  # warm-up
        difference_of({name: Path(workers[name].ask("gradient")) for name in programs})
        rates = {name: workers[name].ask("rate") for name in programs}
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(args.rounds):
            for name in programs:
                times[name].append(workers[name].ask("loop"))
            print(
                "  " + ", ".join(f"{name} {times[name][-1]:.4f}" for name in programs), flush=True
            )
        memory = {name: workers[name].ask("memory") for name in programs}
    print(f"{processor()}, {os.cpu_count()} cores, {args.device}; {args.network} at")
    print(f"{args.side}x{args.side}, N = {args.num_samples}; {args.rounds} rounds of {args.steps}")
    print("steps. Milliseconds a step, median (range):")
    flop = 4 * networks.multiply_adds(args.network, args.side) * args.num_samples
    for name in programs:
        precision = name.split(":")[1]
        median = statistics.median(times[name])
        rate = max(rates[other] for other in programs if other.endswith(precision))
        print(
            f"{name:15} {spread([1000 * t for t in times[name]])}; "
            f"{PAPER_STEPS * median:.1f} s a picture of "
            f"{PAPER_STEPS} steps; {flop / median / rate:.0%} of {rate / 1e9:.0f} GFLOP/s; "
            f"{memory[name]:.2f} GB"
        )
    for name in programs:
        for base in dict.fromkeys(
            (f"torch:{name.split(':')[1]}", "torch:float32", "naive:float32")
        ):
            if base in programs and base != name:
                paired = [a / b for a, b in zip(times[name], times[base], strict=True)]
                ratio = statistics.median(times[name]) / statistics.median(times[base])
                print(f"{name} / {base}: {ratio:.3f} by medians, paired {spread(paired)}")


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
