"""Objective and transfer against gradients spent, recipe by recipe.

    python benchmarks/less_work.py [NETWORK ...] [--recipes paper fast] [--judges NETWORK ...]

Networks and judges are shipped names or folders of converted checkpoints, such as a ResNet-50's.
Starting images are test images of CIFAR-10 (--data, --data-dir: any TFDS name or folder of class
folders; ``samples`` for the packaged photographs), or a file that --save-pictures wrote, for
machines without the data. Each gets a target drawn among the other classes, the same for networks
of the same classes.

The objective is the smoothed target logit over 100 draws that no step used, the same for every
recipe; transfer is the share that a judge calls the target, of the pictures in 8 bits. Work goes
picture batch by picture batch into --out, and a second start does what is missing; tables and
figures are then made of everything in the folder, which --draw does alone, without any network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import less_work_report as report  # noqa: E402

POINTS = 5
EVALUATION_SAMPLES = 100
# Images in flight; accelerators take several times what fits a laptop's memory.
_MORE_ON_ACCELERATORS = 4
# Those that the tables in docs/ were made with.
PHOTOGRAPHS = ("astronaut", "cat", "coffee", "rocket", "galaxies")


class Pictures(NamedTuple):
    """Starting images in 8 bits, ``[n, side, side, 3]``, their class names, '' where unknown."""

    images: np.ndarray
    labels: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["cifar10-gaussian-0.25"])
    parser.add_argument("--judges", nargs="*", default=[], help="names or folders of networks")
    parser.add_argument("--recipes", nargs="+", help="of those that the figure names (all)")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--split", default="test")
    parser.add_argument("--data-dir")
    parser.add_argument("--pictures", type=Path, help="a file that --save-pictures wrote")
    parser.add_argument("--save-pictures", type=Path, help="write the starting images and end")
    parser.add_argument("--count", type=int, default=100, help="pictures")
    parser.add_argument("--first", type=int, default=0, help="number of the first picture")
    parser.add_argument("--batch-size", type=int, help="pictures at once (10 on CPUs, else all)")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--shorten", type=int, default=1, help="divides every number of steps")
    parser.add_argument("--draw", action="store_true", help="only draw what --out holds")
    parser.add_argument("--out", type=Path, default=Path("less-work"))
    args = parser.parse_args()
    if not args.draw:
        from pagjax import checkpoints
        from pagjax.jobs import environment

        environment.prepare()
        if args.save_pictures is not None:
            network = checkpoints.load(args.networks[0])
            found = pictures(args, network.image_shape[0])
            report.write_arrays(args.save_pictures, found._asdict())
            return
        judges = {name: checkpoints.load(name) for name in args.judges}
        for name in args.networks:
            make(args, name)
        judge(args.out, judges)
    report.draw(args.out)


def recipes(network: Any, shorten: int = 1) -> dict[str, Any]:
    """The presets, and what leads from one to the other."""
    from pagjax import presets
    from pagjax.core.objectives import TARGET_CLASS_MAX

    height, width = network.image_shape[:2]
    given = {"sigma": network.training_sigma, "objective": TARGET_CLASS_MAX}
    side = (height * width) ** 0.5
    known = {name: presets.settings(name, side, **given) for name in presets.NAMES}
    known = {
        name: replace(own, num_steps=max(POINTS, own.num_steps // shorten))
        for name, own in known.items()
    }
    paper, fast = known["paper"], known["fast"]
    return {
        **known,
        "paper, N = 1": replace(paper, num_samples=1),
        "fast, independent draws": replace(fast, sampling="independent"),
        "fast, hypercubes of 2": replace(
            fast, sampling="latin-hypercube", num_samples=4, num_steps=max(1, fast.num_steps // 2)
        ),
        "fast, constant step": replace(fast, schedule="constant"),
        "fast, no momentum": replace(fast, momentum=0.0),
    }


def pictures(args: argparse.Namespace, side: int) -> Pictures:
    """The starting images asked for, from a file or the data."""
    if args.pictures is not None:
        with np.load(args.pictures, allow_pickle=False) as file:
            found = Pictures(file["images"], file["labels"])
        if found.images.shape[1] != side:
            raise SystemExit(
                f"{args.pictures} holds images of {found.images.shape[1]} pixels, the network "
                f"takes {side}: write one with --save-pictures and this network"
            )
        part = slice(args.first, args.first + args.count)
        return Pictures(found.images[part], found.labels[part])
    numbers = np.arange(args.first, args.first + args.count)
    if args.data == "samples":
        from pagjax.io.pictures import images, samples

        read = [images.read(samples.path(name), (side, side)) for name in PHOTOGRAPHS]
        photographs = np.rint(np.stack(read) * 255).astype(np.uint8)
        return Pictures(photographs[numbers % len(read)], np.array([""] * len(numbers)))
    from pagjax.io.data.labelled_images import open_data

    data = open_data(args.data, args.split, side, args.data_dir)
    return Pictures(data.images(numbers), np.array(data.labels)[data.targets[numbers]])


def targets_for(network: Any, labels: np.ndarray, first: int) -> np.ndarray:
    """For each picture a class that is not its own."""
    own = [network.labels.index(str(name)) if name in network.labels else -1 for name in labels]
    chosen = []
    for number, index in enumerate(own, start=first):
        others = [c for c in range(len(network.labels)) if c != index]
        chosen.append(others[int(np.random.default_rng([0, number]).integers(len(others)))])
    return np.array(chosen)


def make(args: argparse.Namespace, name: str) -> None:
    """All recipes' pictures of one network, but those that --out holds already."""
    import jax

    from pagjax import checkpoints
    from pagjax.checkpoints.identity import weights_digest

    network = checkpoints.load(name, precision=args.precision)
    found = pictures(args, network.image_shape[0])
    targets = targets_for(network, found.labels, args.first)
    on_cpu = jax.default_backend() == "cpu"
    batch_size = args.batch_size or (10 if on_cpu else len(targets))
    known = recipes(network, args.shorten)
    for recipe in args.recipes or known:
        if recipe not in known:
            raise SystemExit(f"recipe {recipe!r}: choose among {', '.join(map(repr, known))}")
        settings = known[recipe]
        said = described(settings, weights=weights_digest(network), precision=args.precision)
        for at in range(0, len(targets), batch_size):
            part = slice(at, at + batch_size)
            file = report.run_file(args.out, name, recipe, args.first + at)
            numbers = np.arange(args.first, args.first + len(targets))[part]
            if report.is_done(file, said, numbers):
                continue
            begun = time.perf_counter()
            start = found.images[part]
            made = trajectory(network, settings, start, targets[part], numbers)
            seconds = time.perf_counter() - begun
            whole = {"start": start, "targets": targets[part], "numbers": numbers, **made}
            whole["labels"] = np.array(network.labels)[targets[part]]
            report.write_arrays(file, {**whole, "settings": np.array(said)})
            rate = settings.gradients * len(start) / seconds
            print(
                f"{name}, {recipe}, pictures {numbers[0]} to {numbers[-1]}: logit "
                f"{made['logits'][-1].mean():.3f}, {seconds:.1f} s, {rate:.0f} gradients/s "
                f"with compilation and evaluation, {jax.devices()[0].device_kind}",
                flush=True,
            )


def described(settings: Any, **origin: str) -> str:
    """What a run was made with, by which a second start knows it."""
    plain = {**asdict(settings), "objective": settings.objective.name}
    return json.dumps({**origin, **plain}, sort_keys=True)


def trajectory(
    network: Any, settings: Any, start: np.ndarray, targets: np.ndarray, numbers: np.ndarray
) -> dict[str, np.ndarray]:
    """Pictures in 8 bits, their smoothed target logits and what they cost, at `POINTS` points."""
    import jax

    import pagjax
    from pagjax.core.sampling import group_size
    from pagjax.core.targeted import draws_at_once

    backend = jax.default_backend()
    at_once = draws_at_once(start[0].size, backend)
    at_once *= 1 if backend == "cpu" else _MORE_ON_ACCELERATORS
    group = group_size(settings.sampling, settings.num_samples)
    recipe = settings.recipe()
    num_steps = recipe.num_steps
    keys = [jax.vmap(partial_fold(seed))(numbers) for seed in (0, 2**31 - 1)]
    begun = start.astype(np.float32) / 255
    state, done = None, 0
    found: dict[str, list[Any]] = {"images": [], "logits": [], "gradients": []}
    for point in range(1, POINTS + 1):
        until = round(point * num_steps / POINTS)
        state = pagjax.targeted_pgd(
            network.logits_fn,
            begun,
            targets,
            keys[0],
            replace(recipe, num_steps=until - done),
            state=state,
            chunk_size=max(group, at_once // len(start) // group * group),
        ).state
        done = until
        logits = pagjax.smoothed_logits(
            network.logits_fn,
            state.image,
            keys[1],
            sigma=network.training_sigma,
            num_samples=EVALUATION_SAMPLES,
            chunk_size=max(1, at_once // len(start)),
        )
        found["images"].append(np.rint(np.asarray(state.image) * 255).astype(np.uint8))
        found["logits"].append(np.asarray(logits)[np.arange(len(targets)), targets])
        found["gradients"].append(done * settings.num_samples)
    return {name: np.array(values) for name, values in found.items()}


def partial_fold(seed: int) -> Any:
    """``number -> key``: a picture's noise is its own, whatever batch it is in."""
    import jax

    key = jax.random.key(seed)
    return lambda number: jax.random.fold_in(key, number)


def judge(out: Path, judges: dict[str, Any]) -> None:
    """Adds what judges call the pictures to every run that lacks it."""
    import jax

    for file, run in report.runs(out):
        missing = {name: j for name, j in judges.items() if report.called(name) not in run}
        side = run["images"].shape[2]
        for name, network in missing.items():
            if network.image_shape[0] != side:
                print(f"{name} judges images of {network.image_shape[0]} pixels, not {side}")
                continue
            look = jax.jit(network.logits_fn)
            points = [look(images.astype(np.float32) / 255) for images in run["images"]]
            classes = np.array(network.labels)
            run[report.called(name)] = classes[np.array(points).argmax(axis=2)]
        if missing:
            report.write_arrays(file, run)


if __name__ == "__main__":
    main()
