"""Noise draws a second of hard certification, here and in PyTorch, paired and in turn.

    python benchmarks/certify.py [--network shipped-128] [--num-draws 200] [--batch 20] [--rounds 4]

The same random weights in float32, batches of the same size, votes counted as in Cohen et al.'s
CERTIFY; then, in the same rounds, as many at once as pagjax chooses by itself. PyTorch as its users
run it at its best: channels_last, eval mode, no gradients; as many threads as cores on a CPU, no
TF32 on a GPU, as here. Needs PyTorch (`pip install -e '.[test]'`). Also: peak memory of the host
after --num-draws and after eight times as many.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import networks, step_torch  # noqa: E402
from benchmarks.workers import Worker, peak_memory, processor, serve, spread  # noqa: E402
from pagjax.jobs.memory import keep_freed_memory  # noqa: E402

SIGMA, LONGER = 0.25, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=list(networks.SHAPES), default="cifar-resnet20")
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto")
    parser.add_argument("--num-draws", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--worker", choices=["torch", "pagjax"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        if args.device == "cpu":
            keep_freed_memory()
        serve({"torch": torch_worker, "pagjax": pagjax_worker}[args.worker](args))
        return
    args.device = step_torch.device() if args.device == "auto" else args.device
    # PyTorch's process needs its part of a GPU's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda,cpu"}[args.device]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "weights.npz", **networks.weights(args.network))  # type: ignore[arg-type]
        compare(args, folder)


def compare(args: argparse.Namespace, folder: str) -> None:
    flags = ["--folder", folder, "--network", args.network, "--num-draws", str(args.num_draws)]
    flags += ["--batch", str(args.batch), "--device", args.device]
    command = [str(Path(__file__).resolve()), *flags, "--worker"]
    with Worker([*command, "torch"]) as theirs, Worker([*command, "pagjax"]) as ours:
        print(f"{processor()}, {os.cpu_count()} cores; {args.network} on {ours.ask('device')}")
        print(
            f"{args.num_draws} draws in batches of {args.batch}, {args.rounds} rounds", flush=True
        )
        programs = ((theirs, "votes"), (ours, "votes"), (ours, "chosen"))
        for worker, name in programs:  # warm-up
            worker.ask(name)
        rounds = [[worker.ask(name) for worker, name in programs] for _ in range(args.rounds)]
        memory = ours.ask("memory")
        ours.ask("more")
        later = ours.ask("memory")
    names = ("PyTorch", "pagjax, the same batch", "pagjax, its own batch")
    for column, name in enumerate(names):
        rates = [row[column] for row in rounds]
        ratio = statistics.median(row[column] / row[0] for row in rounds)
        print(f"{name}: {spread(rates)} draws a second; {ratio:.3f} of PyTorch's in its round")
    print(f"peak memory: {memory:.2f} GB; after {LONGER} times as many draws {later:.2f} GB")


def torch_worker(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    device = {"cpu": "cpu", "gpu": "cuda"}[args.device]
    network = networks.torch_network(args.network).eval()
    weights = np.load(args.folder / "weights.npz")
    network.load_state_dict({key: torch.from_numpy(weights[key]) for key in weights.files})
    network.to(device, memory_format=torch.channels_last)
    image = torch.from_numpy(_image(args.network)).permute(2, 0, 1)[None].to(device)

    def votes() -> None:
        counts = torch.zeros(network(image).shape[1], dtype=torch.int64, device=device)
        for _ in range(args.num_draws // args.batch):
            batch = image.repeat(args.batch, 1, 1, 1)
            batch = batch.contiguous(memory_format=torch.channels_last)
            labels = network(batch + SIGMA * torch.randn_like(batch)).argmax(1)
            counts += torch.bincount(labels, minlength=len(counts))
        counts.tolist()  # waits

    def rate() -> float:
        with torch.no_grad():
            return _rate(votes, args.num_draws)

    return {"votes": rate}


def pagjax_worker(args: argparse.Namespace) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    from pagjax.certification.sampling import DrawStream
    from pagjax.certification.votes import count_votes
    from pagjax.core.mesh import make_mesh, place
    from pagjax.core.outputs import vote
    from pagjax.jobs import environment

    environment.before_computing()
    mesh = make_mesh(1, args.num_draws)
    network = networks.base(args.network, np.load(args.folder / "weights.npz"))
    logits_fn = place(network.logits_fn, mesh)
    image = jnp.asarray(_image(args.network))

    def votes(num_draws: int, chunk_size: int | None = args.batch) -> float:
        def count() -> None:
            stream = DrawStream(
                vote,
                logits_fn,
                image,
                jax.random.key(0),
                sigma=SIGMA,
                most=num_draws,
                chunk_size=chunk_size,
                mesh=mesh,
            )
            count_votes(stream, num_draws)

        return _rate(count, num_draws)

    return {
        "votes": lambda: votes(args.num_draws),
        "chosen": lambda: votes(args.num_draws, None),
        "device": lambda: f"{jax.devices()[0].platform} ({jax.devices()[0].device_kind})",
        "more": lambda: votes(LONGER * args.num_draws),
        "memory": peak_memory,
    }


def _rate(work: Callable[[], None], draws: int) -> float:
    start = time.perf_counter()
    work()
    return draws / (time.perf_counter() - start)


def _image(name: str) -> np.ndarray:
    side = networks.SHAPES[name].side
    return np.random.default_rng(0).random((side, side, 3), dtype=np.float32)


if __name__ == "__main__":
    main()
