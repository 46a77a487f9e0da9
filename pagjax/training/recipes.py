"""Named settings: here those of the small networks for CIFAR-10; other families have files."""

from __future__ import annotations

from dataclasses import replace

from pagjax.training.certified_recipes import CERTIFIED
from pagjax.training.imagenette_recipes import IMAGENETTE
from pagjax.training.paper_scale import PAPER_SCALE
from pagjax.training.settings import NamedSettings as NamedSettings
from pagjax.training.settings import Settings, TrainingError
from pagjax.wording.names import one_of

# For an accelerator, where each takes a minute or two. On two CPU cores, an hour each:
# `batch_size=128`, `peak_rate=0.2`, `epochs=12`, and `init` from the nearest shipped network.
_CIFAR = Settings(data="cifar10", precision="bfloat16", batch_size=512, peak_rate=0.4, epochs=150.0)


def _gaussian(sigma: float, seed: int, aim: int) -> NamedSettings:
    return NamedSettings(
        replace(_CIFAR, procedure="gaussian", sigma=sigma, seed=seed),
        f"smoothing at sigma {sigma:g}",
        expected=f"aim: {aim}% smoothed, 100 draws",
    )


_CIFAR10 = {
    "cifar10-gaussian-0.25": _gaussian(0.25, seed=1, aim=80),
    "cifar10-gaussian-0.50": _gaussian(0.5, seed=2, aim=69),
    "cifar10-gaussian-1.00": _gaussian(1.0, seed=3, aim=55),
    "cifar10-vanilla": NamedSettings(
        replace(_CIFAR, procedure="vanilla", seed=4, epochs=200.0),
        "the comparison without noise or attacks",
        expected="aim: 93% clean; reached with the weights averaged over 14 more epochs, "
        "see checkpoints/README.md",
    ),
    "cifar10-smoothadv-0.25": NamedSettings(
        replace(
            _CIFAR,
            procedure="smoothadv",
            sigma=0.25,
            epsilon=0.5,
            num_noise=4,
            attack_steps=2,
            warmup_epochs=5.0,
            epochs=30.0,
            batch_size=256,
            peak_rate=0.1,
            init="cifar10-gaussian-0.25",
            seed=5,
        ),
        "smoothing at sigma 0.25, with larger certified radii",
        expected="aim: a larger average certified radius than cifar10-gaussian-0.25",
    ),
    "cifar10-adversarial-l2": NamedSettings(
        replace(
            _CIFAR,
            procedure="adversarial",
            epsilon=0.5,
            attack_steps=5,
            warmup_epochs=5.0,
            epochs=60.0,
            peak_rate=0.2,
            seed=6,
        ),
        "the comparison with l2 adversarial training",
        evaluate_epsilon=0.5,
        expected="aim: 65% clean, 45% under 20-step PGD",
    ),
    "cifar10-judge-adversarial-l2": NamedSettings(
        replace(
            _CIFAR,
            stage_sizes=(1, 1, 1, 1),
            width=48,
            procedure="adversarial",
            epsilon=0.5,
            attack_steps=2,
            epochs=7.0,
            batch_size=50,
            peak_rate=0.1,
            seed=1007,
        ),
        "judging pictures made with the others; never used to make any",
        evaluate_epsilon=0.5,
        expected="aim: 65% clean, 45% under 20-step PGD",
    ),
}

BY_NAME: dict[str, NamedSettings] = {**_CIFAR10, **IMAGENETTE, **CERTIFIED, **PAPER_SCALE}


def recipe(name: str) -> NamedSettings:
    """A recipe by name.

    Raises:
        TrainingError: for an unknown name; the message has the closest and all known ones.

    Example:
        >>> recipe("cifar10-gaussian-0.25").settings.sigma
        0.25
    """
    if name not in BY_NAME:
        raise TrainingError(f"recipe {name!r}: {one_of(name, BY_NAME)}")
    return BY_NAME[name]
