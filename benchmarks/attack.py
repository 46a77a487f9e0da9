"""Attacks certified predictions just inside their radius: none may change.

    python -m pagjax.certify --checkpoint NAME --stride 20 --staged --num-draws 10000 --out DIR
    python benchmarks/attack.py NAME DIR/certify-sigma_0.25.tsv [--images 300]

For images that the log certifies, spread evenly over it, projected gradient descent on the smoothed
network (Salman et al. 2019, equation 6) looks for another class at 99.9% of the certified radius,
and fresh draws predict (Cohen et al. 2019) at what it found. An answer other than the certified
class or abstention would refute the certificate, but for the two failure probabilities.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pagjax import certification, checkpoints
from pagjax.certified_logs import logs
from pagjax.certified_logs.attacking import AttackSettings, Outcome, attack_certificates
from pagjax.certified_logs.reading import job_of
from pagjax.checkpoints.identity import weights_digest
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import open_data
from pagjax.jobs import environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("log", type=Path, help="of its certificates, settings beside it")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--images", type=int, default=300, help="at most (300)")
    parser.add_argument("--num-draws", type=int, default=1000, help="that predict (1000)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--attack-draws", type=int, default=32)
    args = parser.parse_args()
    environment.prepare()
    job = job_of(args.log)
    if job is None or job.method == "predict":
        sys.exit(f"{args.log}: not a log of certificates with its settings beside it")
    network = checkpoints.load(args.checkpoint, precision=job.precision)
    if weights_digest(network) != job.checkpoint_sha256:
        sys.exit(f"{args.log} is of other weights than {args.checkpoint}")
    data = open_data(
        job.data,
        job.split,
        job.image_size,
        args.data_dir,
        classes=Classes.of(network),
        class_name=job.class_name,
        preprocessing=job.preprocessing,
    )
    certified = [line for line in logs.read(args.log).lines if line.radius]
    chosen = certified[:: -(-len(certified) // args.images) or 1]
    print(f"{jax.devices()[0].device_kind}; sigma {job.sigma:g}", file=sys.stderr)
    with tqdm(total=len(chosen), unit="image") as bar:
        outcomes = attack_certificates(
            network.logits_fn,
            data.images([line.number for line in chosen]).astype(np.float32) / 255,
            [line.prediction for line in chosen],
            [line.radius or 0.0 for line in chosen],
            AttackSettings(job.sigma, args.num_draws, args.steps, args.attack_draws),
            report=bar.update,
        )
    report(args, outcomes, len(certified))


def report(args: argparse.Namespace, outcomes: Sequence[Outcome], certified: int) -> None:
    abstained = sum(outcome.attacked == certification.ABSTAIN for outcome in outcomes)
    changed = sum(
        outcome.attacked not in (certification.ABSTAIN, outcome.certified) for outcome in outcomes
    )
    print(
        f"{args.log}: {len(outcomes)} of {certified} certified images attacked, "
        f"{args.steps} steps of {args.attack_draws} draws"
    )
    if outcomes:
        assert all(outcome.distance < outcome.radius for outcome in outcomes)
        radii, distances, shares = np.array([outcome[2:] for outcome in outcomes]).T
        print(
            f"mean certified radius {radii.mean():.3f}, mean distance of the attack "
            f"{distances.mean():.3f}; votes left to the certified class: least {shares.min():.3f}, "
            f"median {np.median(shares):.3f} of {args.num_draws}"
        )
    print(f"after the attack: {changed} predicted otherwise, {abstained} abstained")
    sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
