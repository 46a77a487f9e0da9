"""Attacks certified predictions just inside their radius: none may change.

    python benchmarks/attack.py cifar10-gaussian-0.25 --data-dir DIR [--images 300]

For every image that is certified, projected gradient descent on the smoothed network (Salman et al.
2019, equation 6) looks for another class at 99.9% of the certified radius, and fresh draws predict
(Cohen et al. 2019) at what it found. An answer other than the certified class or abstention would
refute the certificate, but for its failure probability.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pagjax import certification, checkpoints
from pagjax.checks import LogitsFn, as_partial
from pagjax.runs import environment
from pagjax.training.attack import attack
from pagjax.training.data import open_data


class Outcome(NamedTuple):
    """Of one certified image: classes before and after, -1 for abstention, and the two lengths."""

    certified: int
    attacked: int
    radius: float
    distance: float


def attack_certificates(
    logits_fn: LogitsFn,
    images: np.ndarray,
    *,
    sigma: float,
    num_draws: int,
    steps: int,
    attack_draws: int,
    seed: int = 0,
    report: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Outcomes of the images that are certified, float ``[n, height, width, 3]`` in [0, 1]."""
    outcomes = []
    for number, picture in enumerate(images):
        image = jnp.asarray(picture)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), number), 3)
        found = certification.certify(
            logits_fn, image, keys[0], sigma=sigma, num_estimation=num_draws
        )
        if found.prediction != certification.ABSTAIN and found.radius > 0:
            moved = _attack(
                as_partial(logits_fn),
                image[None],
                jnp.array([found.prediction]),
                keys[1:2],
                jnp.float32(0.999 * found.radius),
                sigma=sigma,
                num_steps=steps,
                num_samples=attack_draws,
            )[0]
            answer = certification.predict(
                logits_fn, moved, keys[2], sigma=sigma, num_draws=num_draws
            )
            distance = float(np.linalg.norm(np.asarray(moved, np.float64) - picture))
            outcomes.append(Outcome(found.prediction, answer.prediction, found.radius, distance))
        report()
    return outcomes


@partial(jax.jit, static_argnames=("sigma", "num_steps", "num_samples"))
def _attack(
    network: Partial,
    images: jax.Array,
    labels: jax.Array,
    keys: jax.Array,
    epsilon: jax.Array,
    **settings: Any,
) -> jax.Array:
    return attack(network, images, labels, keys, epsilon=epsilon, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--num-draws", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--attack-draws", type=int, default=32)
    args = parser.parse_args()
    environment.prepare()
    network = checkpoints.load(args.checkpoint)
    data = open_data(args.data, "test", network.image_shape[0], args.data_dir)
    stride = max(1, len(data) // args.images)
    indices = np.arange(0, len(data), stride)[: args.images]
    assert network.training_sigma
    from tqdm import tqdm

    with tqdm(total=len(indices), unit="image") as bar:
        outcomes = attack_certificates(
            network.logits_fn,
            data.images(indices).astype(np.float32) / 255,
            sigma=network.training_sigma,
            num_draws=args.num_draws,
            steps=args.steps,
            attack_draws=args.attack_draws,
            report=bar.update,
        )
    abstained = sum(outcome.attacked == certification.ABSTAIN for outcome in outcomes)
    changed = sum(
        outcome.attacked not in (certification.ABSTAIN, outcome.certified) for outcome in outcomes
    )
    radius = np.mean([outcome.radius for outcome in outcomes])
    print(f"{len(outcomes)} of {len(indices)} images certified, mean radius {radius:.3f}")
    print(f"after the attack: {changed} predicted otherwise, {abstained} abstained")


if __name__ == "__main__":
    main()
