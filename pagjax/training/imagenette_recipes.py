"""Named settings of the networks for ten ImageNet classes at 128 pixels.

Each is trained twice: at length with plain strides, on an accelerator, then for an epoch or so with
strides that see a blurred input, on two CPU cores. The names of the first end in ``-aliased``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pagjax.training.settings import NamedSettings, Settings

# A stem of stride 1 at full resolution: through it the gradient reaches every pixel alike. Four to
# five minutes each on an H200.
_AT_LENGTH = Settings(
    data="imagenette/160px-v2",
    test_split="validation",
    image_size=128,
    normalizer="imagenet",
    stem="cifar",
    stage_sizes=(1, 1, 2, 2, 2),
    width=16,
    precision="bfloat16",
    crop="resized",
    least_area=0.35,
    batch_size=128,
    peak_rate=0.2,
    epochs=50.0,
)
_ATTACKED = replace(
    _AT_LENGTH, procedure="adversarial", epsilon=1.5, attack_steps=3, warmup_epochs=6.0
)


def _gaussian(sigma: float, seed: int, epochs: float) -> Settings:
    return replace(_AT_LENGTH, procedure="gaussian", sigma=sigma, seed=seed, epochs=epochs)


_ALIASED = {
    "imagenette-vanilla": replace(_AT_LENGTH, procedure="vanilla", seed=24, epochs=40.0),
    "imagenette-adversarial-l2": replace(_ATTACKED, seed=23, epochs=40.0),
    "imagenette-gaussian-0.25": _gaussian(0.25, seed=21, epochs=50.0),
    "imagenette-gaussian-0.50": _gaussian(0.5, seed=15, epochs=60.0),
    "imagenette-gaussian-1.00": _gaussian(1.0, seed=22, epochs=50.0),
    "imagenette-smoothadv-0.50": replace(
        _AT_LENGTH,
        procedure="smoothadv",
        sigma=0.5,
        epsilon=1.0,
        num_noise=2,
        warmup_epochs=3.0,
        epochs=18.0,
        peak_rate=0.05,
        init="imagenette-gaussian-0.50-aliased",
        seed=25,
    ),
}


def _antialiased(name: str, seed: int, purpose: str, expected: str, **others: Any) -> NamedSettings:
    """What follows the network of plain strides."""
    settings = replace(
        _ALIASED[name],
        antialias=True,
        init=f"{name}-aliased",
        epochs=1.5,
        warmup_epochs=0.0,
        peak_rate=0.05,
        average=0.98,
        seed=seed,
    )
    return NamedSettings(replace(settings, **others), purpose, expected=expected)


def _smoothed(sigma: float, seed: int, aim: int) -> NamedSettings:
    return _antialiased(
        f"imagenette-gaussian-{sigma:.2f}",
        seed,
        f"smoothing at sigma {sigma:g} on real ImageNet classes",
        f"aim: {aim}% smoothed, 100 draws",
    )


_SHIPPED = {
    "imagenette-vanilla": _antialiased(
        "imagenette-vanilla",
        34,
        "the comparison without noise or attacks on real ImageNet classes",
        "aim: 88% clean",
        epochs=1.0,
    ),
    "imagenette-adversarial-l2": _antialiased(
        "imagenette-adversarial-l2",
        35,
        "the comparison with l2 adversarial training on real ImageNet classes",
        "aim: 84% clean",
        epochs=1.0,
    ),
    "imagenette-gaussian-0.25": _smoothed(0.25, seed=32, aim=86),
    "imagenette-gaussian-0.50": _smoothed(0.5, seed=31, aim=83),
    "imagenette-gaussian-1.00": _smoothed(1.0, seed=33, aim=77),
    "imagenette-smoothadv-0.50": _antialiased(
        "imagenette-smoothadv-0.50",
        36,
        "smoothing at sigma 0.5 on real ImageNet classes, with larger certified radii",
        "aim: 82% smoothed, 100 draws",
        epochs=1.0,
    ),
    "imagenette-judge-adversarial-l2": NamedSettings(
        replace(
            _ATTACKED,
            stem="imagenet",
            stage_sizes=(2, 2, 2, 2),
            width=48,
            warmup_epochs=8.0,
            epochs=60.0,
            seed=14,
        ),
        "judging pictures made with the others; never used to make any",
        expected="aim: 84% clean",
    ),
}

IMAGENETTE = {
    **_SHIPPED,
    **{
        f"{name}-aliased": NamedSettings(
            settings,
            f"what {name} goes on from, with plain strides",
            expected=_SHIPPED[name].expected,
        )
        for name, settings in _ALIASED.items()
    },
}
