"""The PyTorch side of the step benchmark."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.step_pagjax import EPSILON, SIGMA, STEP_SIZE, TARGET
from benchmarks.workers import peak_memory, timed


def device() -> str:
    """Where PyTorch can run: ``"gpu"`` or ``"cpu"``."""
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


def programs(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """What the worker answers."""
    import torch

    from peers.torch_networks import resnet50

    precision = args.worker.split(":")[1]
    on_gpu = args.device == "gpu"
    where = torch.device("cuda" if on_gpu else "cpu")
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    torch.set_num_threads(os.cpu_count() or 1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.manual_seed(0)
    folder = Path(args.folder)
    network = resnet50().eval()
    weights = np.load(folder / "weights.npz")
    network.load_state_dict({key: torch.from_numpy(weights[key]) for key in weights.files})
    network.requires_grad_(False)
    network.to(device=where, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    problem = np.load(folder / "problem.npz")
    start = torch.from_numpy(problem["image"]).permute(2, 0, 1)[None].to(where)
    noise = torch.from_numpy(problem["noise"]).permute(0, 3, 1, 2).to(where)
    noise = noise.contiguous(memory_format=torch.channels_last)

    def score(image: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return network((image + SIGMA * noise).to(dtype))[:, TARGET].float().mean()

    def step(score: Callable[..., torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        image = image.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(score(image, torch.randn_like(noise)), image)
        offset = image.detach() + STEP_SIZE * slope / slope.norm() - start
        return (start + offset * (EPSILON / offset.norm()).clamp(max=1)).clamp(0, 1)

    def finish() -> None:
        if on_gpu:
            torch.cuda.synchronize()

    def looped(score: Callable[..., torch.Tensor]) -> Callable[[], None]:
        def loop() -> None:
            image = start
            for _ in range(args.steps):
                image = step(score, image)
            finish()

        return loop

    def graphed(score: Callable[..., torch.Tensor]) -> Callable[[], None]:
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

    forms = {"eager": score}
    chosen: dict[str, Any] = {"name": "eager", "loop": looped(score)}

    def compile() -> float:
        if not on_gpu:
            return timed(chosen["loop"], 1)
        forms["compiled"] = torch.compile(score)
        return timed(looped(forms["compiled"]), 1)

    def describe() -> str:
        """On a GPU, tunes and times every form and keeps the fastest."""
        if not on_gpu:
            return f"PyTorch {torch.__version__} on {where}"
        torch.backends.cudnn.benchmark = True
        seconds: dict[str, float] = {}
        for name, form in forms.items():
            for suffix, make in (("", looped), (" in a graph", graphed)):
                try:
                    loop = make(form)
                    loop()
                    seconds[name + suffix] = timed(loop, args.steps)
                except Exception as error:
                    print(f"PyTorch {name}{suffix}: {error}", file=sys.stderr)
                    continue
                if seconds[name + suffix] == min(seconds.values()):
                    chosen.update(name=name + suffix, loop=loop)
        times = ", ".join(f"{name} {1000 * taken:.2f} ms" for name, taken in seconds.items())
        return f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}, {times}"

    def save_gradient() -> str:
        path = folder / f"{precision}-torch.npy"
        image = start.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(score(image, noise), image)
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
