"""Objective and transfer against gradients spent, recipe by recipe.

    python benchmarks/less_work.py [NETWORK ...] [--judge NAME] [--count 20] [--out less-work]

Networks are shipped names or folders of converted checkpoints, such as a ResNet-50's. Pictures are
of the CIFAR-10 test set (--data, --data-dir: any TFDS name or folder whose labels the network
knows), each with a target drawn among the other classes. The objective is the smoothed target logit
over draws that no step used; transfer is the share that the judge, a network of its own, calls the
target. Writes a CSV and a figure, and the last pictures of every recipe as a sheet.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FRACTIONS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
FIELDS = ["network", "recipe", "gradients", "logit", "logit_error", "judge", "transfer", "count"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["cifar10-gaussian-0.25"])
    parser.add_argument("--judge", help="a network that judges: its name or folder")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-dir")
    parser.add_argument("--count", type=int, default=20, help="pictures")
    parser.add_argument("--first", type=int, default=0, help="number of the first picture")
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--recipes", nargs="+", help="of those that the figure names")
    parser.add_argument("--out", type=Path, default=Path("less-work"))
    args = parser.parse_args()

    from pagjax import checkpoints
    from pagjax.runs import environment, files

    environment.prepare()
    judge = checkpoints.load(args.judge) if args.judge else None
    rows: list[dict[str, Any]] = []
    for name in args.networks:
        network = checkpoints.load(name)
        start, targets = problem(args, network)
        ends = {"start": start}
        for recipe, settings in recipes(network).items():
            if args.recipes and recipe not in args.recipes:
                continue
            for spent, pictures in trajectory(network, settings, start, targets, args.batch_size):
                row = {"network": name, "recipe": recipe, "gradients": spent}
                rows.append({**row, **measure(network, judge, args.judge, pictures, targets)})
                print(" ".join(f"{rows[-1][field]}" for field in FIELDS), flush=True)
            ends[recipe] = pictures
        files.write_bytes(args.out / f"{Path(name).name}.png", sheet(ends))
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS)
    writer.writeheader()
    writer.writerows(rows)
    files.write_bytes(args.out / "less-work.csv", text.getvalue().encode())
    files.write_bytes(args.out / "less-work.png", figure(rows))


def recipes(network: Any) -> dict[str, Any]:
    """The presets, and what leads from one to the other."""
    from pagjax import presets
    from pagjax.objectives import TARGET_CLASS_MAX

    height, width = network.image_shape[:2]
    given = {"sigma": network.training_sigma, "objective": TARGET_CLASS_MAX}
    side = math.sqrt(height * width)
    paper, fast = (presets.settings(name, side, **given) for name in presets.NAMES)
    return {
        "paper": paper,
        "paper, N = 1": replace(paper, num_samples=1),
        "fast": fast,
        "fast, independent draws": replace(fast, sampling="independent"),
        "fast, hypercubes of 2": replace(
            fast, sampling="latin-hypercube", num_samples=4, num_steps=fast.num_steps // 2
        ),
        "fast, constant step": replace(fast, schedule="constant"),
        "fast, no momentum": replace(fast, momentum=0.0),
    }


def problem(args: argparse.Namespace, network: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, and for each a class that is not its own."""
    from pagjax.training.data import open_data

    data = open_data(args.data, "test", network.image_shape[0], args.data_dir)
    numbers = np.arange(args.first, args.first + args.count)
    shift = np.random.default_rng(0).integers(1, len(network.labels), len(data))[numbers]
    targets = (data.targets[numbers] + shift) % len(network.labels)
    return data.images(numbers).astype(np.float32) / 255, targets


def trajectory(
    network: Any, settings: Any, start: np.ndarray, targets: np.ndarray, batch_size: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Gradients spent on a picture, and the pictures, at `FRACTIONS` of the recipe's steps."""
    import jax

    import pagjax

    arguments = settings.arguments()
    del arguments["num_steps"]
    batches = [slice(at, at + batch_size) for at in range(0, len(start), batch_size)]
    states: list[Any] = [None] * len(batches)
    keys = jax.random.split(jax.random.key(0), len(start))
    done = 0
    for fraction in FRACTIONS:
        until = round(fraction * settings.num_steps)
        for index, batch in enumerate(batches):
            states[index] = pagjax.targeted_pgd(
                network.logits_fn,
                start[batch],
                targets[batch],
                keys[batch],
                sigma=network.training_sigma,
                num_steps=until - done,
                state=states[index],
                **arguments,
            ).state
        done = until
        pictures = np.concatenate([np.asarray(state.image) for state in states])
        yield done * settings.num_samples, pictures


def measure(
    network: Any, judge: Any, judge_name: str | None, pictures: np.ndarray, targets: np.ndarray
) -> dict[str, Any]:
    """Mean smoothed target logit on 100 fresh draws, and the judge's share of targets."""
    import jax

    import pagjax

    key = jax.random.key(2**31 - 1)
    logits = np.concatenate(
        [
            pagjax.smoothed_logits(
                network.logits_fn, part, key, sigma=network.training_sigma, num_samples=100
            )
            for part in np.array_split(pictures, -(-len(pictures) // 10))
        ]
    )[np.arange(len(targets)), targets]
    transfer: float | str = ""
    if judge is not None:
        called = np.asarray(judge.logits_fn(pictures)).argmax(axis=1)
        transfer = round(float((called == targets).mean()), 4)
    return {
        "logit": round(float(logits.mean()), 4),
        "logit_error": round(float(logits.std(ddof=1) / len(logits) ** 0.5), 4),
        "judge": judge_name or "",
        "transfer": transfer,
        "count": len(pictures),
    }


def sheet(ends: dict[str, np.ndarray], most: int = 8) -> bytes:
    from pagjax import sheets

    rows: list[list[np.ndarray | None]] = [list(pictures[:most]) for pictures in ends.values()]
    columns = [str(number + 1) for number in range(len(rows[0]))]
    captions = [[""] * len(row) for row in rows]
    footer = "Each column a picture with its target; rows are recipes."
    return sheets.png(
        sheets.contact_sheet(
            rows, row_labels=list(ends), column_labels=columns, captions=captions, footer=footer
        )
    )


def figure(rows: list[dict[str, Any]]) -> bytes:
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row["network"] for row in rows))
    measures = ["logit", *(["transfer"] if rows[0]["judge"] else [])]
    shape = (len(measures), len(networks))
    drawing = Figure(figsize=(6.5 * shape[1], 4.2 * shape[0]), layout="constrained")
    axes = drawing.subplots(*shape, squeeze=False)
    for place, measured in enumerate(measures):
        for column, name in enumerate(networks):
            ours = [row for row in rows if row["network"] == name]
            for recipe in dict.fromkeys(row["recipe"] for row in ours):
                points = [row for row in ours if row["recipe"] == recipe]
                spent = [row["gradients"] for row in points]
                axes[place, column].plot(
                    spent, [row[measured] for row in points], marker="o", ms=3, label=recipe
                )
            axes[place, column].set_xscale("log")
            axes[place, column].set_title(Path(name).name)
            axes[place, column].set_xlabel("network gradients an image")
            label = "smoothed target logit" if measured == "logit" else "judge calls it the target"
            axes[place, column].set_ylabel(label)
            axes[place, column].legend(fontsize=8)
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
