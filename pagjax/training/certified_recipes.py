"""Named settings of small networks for large certified radii, by the field's best procedures.

They go on from the shipped networks of Gaussian augmentation. Only consistency training's has been
run; how long the others take is estimated from the passes of an image and the speed at which those
were trained.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pagjax.training.settings import NamedSettings, Settings

_CIFAR = Settings(
    data="cifar10",
    precision="bfloat16",
    batch_size=256,
    peak_rate=0.1,
    epochs=60.0,
    warmup_epochs=5.0,
)


def _settings(procedure: str, sigma: float, seed: int, **others: Any) -> Settings:
    start = f"cifar10-gaussian-{sigma:.2f}"
    return replace(_CIFAR, procedure=procedure, sigma=sigma, init=start, seed=seed, **others)


def _catrs(sigma: float, weight: float, seed: int, anchor: str) -> NamedSettings:
    return NamedSettings(
        _settings(
            "catrs",
            sigma,
            seed,
            num_noise=4,
            attack_steps=4,
            epsilon=1.0,
            weight=weight,
            teacher="cifar10-gaussian-0.25",
            teacher_draws=1000,
        ),
        f"smoothing at sigma {sigma:g}, trained for certified radii by CAT-RS",
        expected=f"ResNet-110 of Jeong et al. (2023): average certified radius {anchor}; about 35 "
        "minutes on an H200, 8 of them the teacher's",
    )


def _consistency(
    sigma: float, weight: float, seed: int, anchor: str, reached: str
) -> NamedSettings:
    return NamedSettings(
        _settings(
            "consistency",
            sigma,
            seed,
            num_noise=2,
            weight=weight,
            entropy_weight=0.5,
            warmup_epochs=0.0,
            epochs=14.0,
            batch_size=128,
            peak_rate=0.05,
        ),
        f"smoothing at sigma {sigma:g}, with agreement between draws for larger certified radii",
        expected="ResNet-110 of Jeong and Shin (2020), 150 epochs: average certified radius "
        f"{anchor}; {reached}",
    )


def _acr(sigma: float, steps: int, share: float, seed: int, anchor: str) -> NamedSettings:
    return NamedSettings(
        _settings(
            "acr",
            sigma,
            seed,
            num_noise=4,
            attack_steps=steps,
            step_length=0.25,
            least_share=share,
            select_from=0.0,  # the network to start from tells easy images from hard ones
        ),
        f"smoothing at sigma {sigma:g}, trained for the average certified radius alone",
        expected=f"ResNet-110 of Sun et al. (2025): average certified radius {anchor}; about 20 "
        "minutes on an H200",
    )


CERTIFIED = {
    "cifar10-consistency-0.25": _consistency(
        0.25,
        weight=20.0,
        seed=41,
        anchor=".547",
        reached="this one at least .450 on 500 images, 1.5 core-hours on a CPU",
    ),
    "cifar10-consistency-0.50": _consistency(
        0.5,
        weight=10.0,
        seed=42,
        anchor=".716",
        reached="this one at least .615 on 500 images, 2.1 core-hours on a CPU",
    ),
    "cifar10-catrs-0.25": _catrs(0.25, weight=0.5, seed=31, anchor=".562"),
    "cifar10-catrs-0.50": _catrs(0.5, weight=1.0, seed=32, anchor=".757"),
    "cifar10-catrs-1.00": _catrs(1.0, weight=2.0, seed=33, anchor=".815"),
    "cifar10-acr-0.25": _acr(0.25, steps=3, share=0.5, seed=34, anchor=".564"),
    "cifar10-acr-0.50": _acr(0.5, steps=6, share=0.4, seed=35, anchor=".760"),
    "cifar10-smoothmix-0.50": NamedSettings(
        _settings(
            "smoothmix",
            0.5,
            seed=36,
            num_noise=2,
            attack_steps=4,
            step_length=1.0,
            mix_steps=1,
            weight=5.0,
        ),
        "smoothing at sigma 0.5, trained for certified radii by SmoothMix",
        expected="ResNet-110 of Jeong et al. (2021): average certified radius .738; about 15 "
        "minutes on an H200",
    ),
    "cifar10-aligned-0.25": NamedSettings(
        _settings("aligned", 0.25, seed=37, epochs=30.0, weight=1.5, num_targets=2),
        "whether aligned gradients make robust: smoothing at sigma 0.25",
        expected="no published one under noise; about 15 minutes on an H200",
    ),
}
