"""The PyTorch side of the step benchmark."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.step_pagjax import EPSILON, SIGMA, STEP_SIZE, TARGET
from benchmarks.workers import peak_memory, timed

Score = Callable[..., Any]


def device() -> str:
    """Where PyTorch can run: ``"gpu"`` or ``"cpu"``."""
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


def programs(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """What the worker answers."""
    import torch

    precision = args.worker.split(":")[1]
    on_gpu = args.device == "gpu"
    where = torch.device("cuda" if on_gpu else "cpu")
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    torch.set_num_threads(os.cpu_count() or 1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = on_gpu
    torch.manual_seed(0)
    folder = Path(args.folder)
    scores = _scores(args, where, dtype)
    problem = np.load(folder / "problem.npz")
    start = torch.from_numpy(problem["image"]).permute(2, 0, 1)[None].to(where)
    noise = torch.from_numpy(problem["noise"]).permute(0, 3, 1, 2).to(where)
    noise = noise.contiguous(memory_format=torch.channels_last)

    def step(score: Score, image: torch.Tensor) -> torch.Tensor:
        image = image.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(score(image, torch.randn_like(noise)), image)
        offset = image.detach() + STEP_SIZE * slope / slope.norm() - start
        return (start + offset * (EPSILON / offset.norm()).clamp(max=1)).clamp(0, 1)

    def finish() -> None:
        if on_gpu:
            torch.cuda.synchronize()

    def looped(score: Score) -> Callable[[], None]:
        def loop() -> None:
            image = start
            for _ in range(args.steps):
                image = step(score, image)
            finish()

        return loop

    def graphed(score: Score) -> Callable[[], None]:
        """The whole step captured once, then replayed."""
        image = start.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                image.copy_(step(score, image))
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            image.copy_(step(score, image))

        def loop() -> None:
            image.copy_(start)
            for _ in range(args.steps):
                graph.replay()
            finish()

        return loop

    loops: dict[str, Callable[[], None]] = {}
    chosen: dict[str, Any] = {}

    def compile() -> float:
        """Makes every form ready; a form that PyTorch cannot make is left out and named."""
        seconds = 0.0
        for name, score in scores.items():
            for suffix, make in (("", looped), (" in a graph", graphed))[: 1 + on_gpu]:
                try:
                    loop = make(score)
                    seconds += timed(loop, 1)
                    loops[name + suffix] = loop
                except Exception as error:
                    print(f"PyTorch {name}{suffix}: {error}", file=sys.stderr)
        return seconds

    def describe() -> str:
        """Times every form and keeps the fastest."""
        seconds = {
            name: min(timed(loop, args.steps) for _ in range(3)) for name, loop in loops.items()
        }
        chosen["loop"] = loops[min(seconds, key=seconds.__getitem__)]
        listed = sorted(seconds, key=seconds.__getitem__)
        times = ", ".join(f"{name} {1000 * seconds[name]:.2f} ms" for name in listed)
        device_name = torch.cuda.get_device_name() if on_gpu else "cpu"
        return f"PyTorch {torch.__version__} on {device_name}: {times}"

    def save_gradient() -> str:
        path = folder / f"{precision}-torch.npy"
        image = start.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(scores["eager channels_last"](image, noise), image)
        np.save(path, slope[0].permute(1, 2, 0).cpu().numpy())
        return str(path)

    def rate() -> float:
        """FLOP/s of one large matrix product."""
        size, count = (8192, 20) if on_gpu else (2048, 4)
        left, right = (torch.randn(size, size, dtype=dtype, device=where) for _ in range(2))

        def products() -> None:
            for _ in range(count):
                left @ right
            finish()

        return 2 * size**3 / min(timed(products, count) for _ in range(6))

    def memory() -> float:
        return torch.cuda.max_memory_reserved() / 1e9 if on_gpu else peak_memory()

    return {
        "compile": compile,
        "describe": describe,
        "gradient": save_gradient,
        "loop": lambda: timed(chosen["loop"], args.steps),
        "memory": memory,
        "rate": rate,
    }


def _scores(args: argparse.Namespace, where: Any, dtype: Any) -> dict[str, Score]:
    """The mean target logit of noisy copies, in every form that its users might run."""
    import torch

    weights = np.load(Path(args.folder) / "weights.npz")
    scores: dict[str, Score] = {}

    def add(name: str, layout: Any, autocast: bool) -> None:
        network = networks.torch_network(args.network).eval()
        network.load_state_dict({key: torch.from_numpy(weights[key]) for key in weights.files})
        network.requires_grad_(False)
        kept = torch.float32 if autocast else dtype
        network.to(device=where, dtype=kept, memory_format=layout)

        def score(image: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
            noisy = (image + SIGMA * noise).to(dtype=kept, memory_format=layout)
            with torch.autocast(where.type, dtype, enabled=autocast):
                return network(noisy)[:, TARGET].float().mean()

        scores[f"eager {name}"] = score
        scores[f"compiled {name}"] = torch.compile(score, dynamic=False)

    layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
    for name, layout in layouts.items():
        add(name, layout, autocast=False)
        if dtype == torch.bfloat16:
            add(f"{name} autocast", layout, autocast=True)
    return scores
