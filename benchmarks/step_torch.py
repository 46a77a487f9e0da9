"""The PyTorch side of the step benchmark."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
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
    images = torch.from_numpy(problem["images"]).permute(0, 3, 1, 2).to(where)
    noise = torch.from_numpy(problem["noise"]).permute(0, 3, 1, 2).to(where)
    noise = noise.contiguous(memory_format=torch.channels_last)

    def norm(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).norm(dim=1)[:, None, None, None]

    def step(score: Score, image: torch.Tensor) -> torch.Tensor:
        """Of all pictures, whose draws are one batch."""
        start, image = images[: len(image)], image.detach().requires_grad_(True)
        drawn = noise.repeat(len(image), 1, 1, 1) if len(image) > 1 else noise
        (slope,) = torch.autograd.grad(score(image, torch.randn_like(drawn)), image)
        offset = image.detach() + STEP_SIZE * slope / norm(slope) - start
        return (start + offset * (EPSILON / norm(offset)).clamp(max=1)).clamp(0, 1)

    def finish() -> None:
        if on_gpu:
            torch.cuda.synchronize()

    def looped(score: Score, start: torch.Tensor) -> Callable[[], None]:
        def loop() -> None:
            image = start
            for _ in range(args.steps):
                image = step(score, image)
            finish()

        return loop

    def graphed(score: Score, start: torch.Tensor) -> Callable[[], None]:
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
    chosen: dict[str, Callable[[], None]] = {}
    told: dict[str, str] = {}

    def compile(pictures: int) -> float:
        """Makes every form ready; a form that PyTorch cannot make is left out and named."""
        seconds, ways = 0.0, (("", looped), (" in a graph", graphed))[: 1 + on_gpu]
        for name, score in scores.items():
            if args.quick and on_gpu and name.startswith("eager"):
                continue
            for suffix, make in ways[-1:] if args.quick else ways:
                try:
                    loop = make(score, images[:pictures])
                    seconds += timed(loop, 1)
                    loops[name + suffix] = loop
                except Exception as error:
                    print(f"PyTorch {name}{suffix}: {error}", file=sys.stderr)
        return seconds

    def choose(pictures: int) -> None:
        """Times every form and keeps the fastest."""
        each = {
            name: min(timed(loop, args.steps) for _ in range(3)) for name, loop in loops.items()
        }
        chosen["loop"] = loops[min(each, key=each.__getitem__)]
        listed = sorted(each, key=each.__getitem__)
        told[f"{pictures} pictures"] = ", ".join(f"{n} {1000 * each[n]:.2f} ms" for n in listed)
        loops.clear()

    def release() -> None:
        """Gives back the memory of what was compiled, which the next count needs."""
        chosen.clear()
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()

    def describe() -> str:
        device_name = torch.cuda.get_device_name() if on_gpu else "cpu"
        times = "; ".join(f"{count}: {listed}" for count, listed in told.items())
        return f"PyTorch {torch.__version__} on {device_name}: {times}"

    def save_gradient() -> str:
        path = folder / f"{precision}-torch.npy"
        image = images[:1].detach().requires_grad_(True)
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

    answers: dict[str, Callable[[], Any]] = {
        "describe": describe,
        "gradient": save_gradient,
        "rate": rate,
    }
    for pictures in args.pictures:
        answers |= {
            f"compile {pictures}": partial(compile, pictures),
            f"choose {pictures}": partial(choose, pictures),
            f"loop {pictures}": lambda: timed(chosen["loop"], args.steps),
            f"memory {pictures}": memory,
            f"profile {pictures}": lambda: None,
            f"release {pictures}": release,
        }
    return answers


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
            draws = len(noise) // len(image)
            if len(image) > 1:
                image = image.repeat_interleave(draws, 0)
            noisy = (image + SIGMA * noise).to(dtype=kept, memory_format=layout)
            with torch.autocast(where.type, dtype, enabled=autocast):
                return network(noisy)[:, TARGET].float().sum() / draws

        scores[f"eager {name}"] = score
        scores[f"compiled {name}"] = torch.compile(score, dynamic=False)

    layouts = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
    if args.quick:  # what was the fastest wherever it was tried
        del layouts["contiguous"]
    for name, layout in layouts.items():
        add(name, layout, autocast=False)
        if dtype == torch.bfloat16 and not args.quick:
            add(f"{name} autocast", layout, autocast=True)
    return scores
