"""One PGD step of a smoothed ResNet-50, here and in PyTorch, paired and in turn.

    python benchmarks/step.py [--rounds 8] [--side 224] [--num-samples 20]

The same random weights, noise level and step on both sides, float32. PyTorch as its users run it at
its best on a CPU: channels_last, eval mode, parameters frozen, as many threads as cores. Needs
PyTorch (`pip install -e '.[test]'`). Three programs are timed: PyTorch's loop, pagjax's compiled
loop, and pagjax's step called alone. Both processes keep freed memory (`pagjax.memory`) unless
--default-malloc is given.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.workers import Worker, peak_memory, serve, spread, timed  # noqa: E402
from pagjax.memory import keep_freed_memory  # noqa: E402

SIGMA, EPSILON, STEP_SIZE, TARGET = 0.5, 40.0, 0.7, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps a round")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--num-samples", type=int, default=20)
    parser.add_argument("--default-malloc", action="store_true")
    parser.add_argument("--worker", choices=["torch", "pagjax"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        if not args.default_malloc:
            keep_freed_memory()
        serve({"torch": torch_worker, "pagjax": pagjax_worker}[args.worker](args))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_problem(Path(folder), args)
        compare(args, folder)


def write_problem(folder: Path, args: argparse.Namespace) -> None:
    """Weights, image and noise, which both sides read."""
    from tests.torch_networks import randomise, resnet50

    state = randomise(resnet50(), seed=0).state_dict()
    np.savez(folder / "weights.npz", **{key: value.numpy() for key, value in state.items()})
    generator = np.random.default_rng(0)
    image = generator.random((args.side, args.side, 3), dtype=np.float32)
    noise = generator.standard_normal((args.num_samples, *image.shape), dtype=np.float32)
    np.savez(folder / "problem.npz", image=image, noise=noise)


def compare(args: argparse.Namespace, folder: str) -> None:
    flags = ["--folder", folder, "--steps", str(args.steps), "--side", str(args.side)]
    flags += ["--num-samples", str(args.num_samples)]
    flags += ["--default-malloc"] if args.default_malloc else []
    command = [str(Path(__file__).resolve()), *flags, "--worker"]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; ResNet-50, ")
    print(f"{args.side}x{args.side}, N = {args.num_samples}, float32; {args.rounds} rounds")
    with Worker([*command, "torch"]) as torch_side, Worker([*command, "pagjax"]) as our_side:
        theirs, ours = torch_side.ask("gradient"), our_side.ask("gradient")
        difference_of(Path(theirs), Path(ours))
        print(f"compiled in {our_side.ask('compile'):.1f} s")
        torch_side.ask("loop")  # warm-up
        rounds = []
        for _ in range(args.rounds):
            rounds.append((torch_side.ask("loop"), our_side.ask("loop"), our_side.ask("alone")))
            print("  PyTorch {:.3f} s, loop {:.3f} s, step alone {:.3f} s".format(*rounds[-1]))
        torch_memory, our_memory = torch_side.ask("memory"), our_side.ask("memory")
    torch_times, loop_times, alone_times = (list(times) for times in zip(*rounds, strict=True))
    print(f"PyTorch, seconds a step:      {spread(torch_times)}")
    print(f"pagjax loop, seconds a step:  {spread(loop_times)}")
    print(f"pagjax step called alone:     {spread(alone_times)}")
    print(f"loop / PyTorch, by medians:   {ratio(loop_times, torch_times):.3f}")
    print(f"loop / step called alone:     {ratio(loop_times, alone_times):.3f}")
    print(f"peak memory: PyTorch {torch_memory:.2f} GB, pagjax {our_memory:.2f} GB")


def ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(above) / statistics.median(below)


def difference_of(theirs: Path, ours: Path) -> None:
    a, b = np.load(theirs).astype(np.float64), np.load(ours).astype(np.float64)
    relative = np.linalg.norm(a - b) / np.linalg.norm(a)
    cosine = np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
    print(f"gradient for the same noise: relative difference {relative:.1e}, cosine {cosine:.9f}")


def torch_worker(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from tests.torch_networks import resnet50

    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    folder = Path(args.folder)
    network = resnet50().eval()
    weights = np.load(folder / "weights.npz")
    network.load_state_dict({key: torch.from_numpy(weights[key]) for key in weights.files})
    network.requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    problem = np.load(folder / "problem.npz")
    start = torch.from_numpy(problem["image"]).permute(2, 0, 1)[None]
    noise = torch.from_numpy(problem["noise"]).permute(0, 3, 1, 2)
    noise = noise.contiguous(memory_format=torch.channels_last)

    def gradient(image: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        image = image.clone().requires_grad_(True)
        network(image + SIGMA * noise)[:, TARGET].mean().backward()
        assert image.grad is not None
        return image.grad

    def save_gradient() -> str:
        path = folder / "torch.npy"
        np.save(path, gradient(start, noise)[0].permute(1, 2, 0).numpy())
        return str(path)

    def steps() -> None:
        image = start
        for _ in range(args.steps):
            slope = gradient(image, torch.randn_like(noise))
            offset = image + STEP_SIZE * slope / slope.norm() - start
            offset = offset * min(1.0, EPSILON / float(offset.norm()))
            image = (start + offset).clamp(0, 1)

    return {
        "gradient": save_gradient,
        "loop": lambda: timed(steps, args.steps),
        "memory": peak_memory,
    }


def pagjax_worker(args: argparse.Namespace) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    from pagjax import pgd
    from pagjax.checkpoints import torch_resnets
    from pagjax.gradients import smoothed_gradient
    from pagjax.networks import NORMALIZERS
    from pagjax.networks.base import Description, base_network
    from pagjax.objectives import TARGET_CLASS_MAX
    from pagjax.projections import ball_then_box
    from pagjax.targeted import targeted_pgd

    folder = Path(args.folder)
    weights = np.load(folder / "weights.npz")
    state = {key: weights[key] for key in weights.files if not key.endswith("tracked")}
    found = torch_resnets.identify(state)
    side = (args.side, args.side)
    description = Description(
        found.name, found.config, found.num_classes, NORMALIZERS["none"], side
    )
    network = base_network(description, torch_resnets.convert(state, found))
    logits_fn = network.logits_fn
    problem = np.load(folder / "problem.npz")
    start, noise = jnp.asarray(problem["image"]), jnp.asarray(problem["noise"])
    key = jax.random.key(0)

    def save_gradient() -> str:
        path = folder / "pagjax.npy"
        score = jax.jit(
            jax.grad(lambda image, logits_fn: logits_fn(image + SIGMA * noise)[:, TARGET].mean())
        )
        np.save(path, score(start, logits_fn))
        return str(path)

    def loop() -> None:
        targeted_pgd(
            logits_fn,
            start[None],
            jnp.array([TARGET]),
            key,
            sigma=SIGMA,
            epsilon=EPSILON,
            step_size=STEP_SIZE,
            num_steps=args.steps,
            num_samples=args.num_samples,
        ).images.block_until_ready()

    @jax.jit
    def step(state: pgd.PGDState, logits_fn: Any) -> pgd.PGDState:
        def gradient_fn(image: jax.Array, key: jax.Array) -> Any:
            return smoothed_gradient(
                logits_fn,
                TARGET_CLASS_MAX,
                image,
                TARGET,
                key,
                sigma=SIGMA,
                num_samples=args.num_samples,
            )

        def project(point: jax.Array, start: jax.Array) -> jax.Array:
            return ball_then_box(point, start, EPSILON)

        return pgd.step(gradient_fn, state, start, key, step_size=STEP_SIZE, project=project)[0]

    def alone() -> None:
        state = pgd.init(start)
        for _ in range(args.steps):
            state = step(state, logits_fn)
            state.image.block_until_ready()

    def both() -> None:
        loop()
        alone()

    return {
        "gradient": save_gradient,
        "compile": lambda: timed(both, 1),
        "loop": lambda: timed(loop, args.steps),
        "alone": lambda: timed(alone, args.steps),
        "memory": peak_memory,
    }


if __name__ == "__main__":
    main()
