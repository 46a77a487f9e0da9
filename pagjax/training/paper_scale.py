"""Named settings of the papers' networks at full scale, with their published results."""

from __future__ import annotations

from dataclasses import replace

from pagjax.training.settings import NamedSettings, Settings

_COHEN_IMAGENET = Settings(
    data="imagenet2012",
    test_split="validation",
    image_size=224,
    normalizer="imagenet",
    stem="imagenet",
    block="bottleneck",
    stage_sizes=(3, 4, 6, 3),
    procedure="gaussian",
    sigma=0.25,
    crop="resized",
    least_area=0.08,
    epochs=90.0,
    batch_size=400,
    optimizer="heavy-ball",
    schedule="steps",
    peak_rate=0.1,
    drops=(30.0, 60.0),
    weight_decay=1e-4,
    average=0.0,
)
_COHEN_CIFAR = replace(
    _COHEN_IMAGENET,
    data="cifar10",
    test_split="test",
    image_size=32,
    normalizer="cifar10",
    stem="cifar",
    block="basic",
    stage_sizes=(18, 18, 18),
    width=16,
    crop="pad",
)
_SALMAN_CIFAR = replace(
    _COHEN_CIFAR,
    normalizer="cifar10-centered",
    procedure="smoothadv",
    epsilon=1.0,
    num_noise=2,
    attack_steps=10,
    warmup_epochs=10.0,
    epochs=150.0,
    batch_size=256,
    drops=(50.0, 100.0),
)
_COHEN = "Cohen et al. (2019), their published logs, certified accuracy at radius 0: "
_SALMAN = "Salman et al. (2019), appendix and published logs: "

PAPER_SCALE = {
    "imagenet-resnet50-gaussian-0.25": NamedSettings(
        _COHEN_IMAGENET, "the paper's base network", expected=_COHEN + "66.7%"
    ),
    "imagenet-resnet50-gaussian-0.50": NamedSettings(
        replace(_COHEN_IMAGENET, sigma=0.5), "the paper's base network", expected=_COHEN + "57.2%"
    ),
    "imagenet-resnet50-gaussian-1.00": NamedSettings(
        replace(_COHEN_IMAGENET, sigma=1.0), "the paper's base network", expected=_COHEN + "43.6%"
    ),
    "imagenet-resnet50-vanilla": NamedSettings(
        replace(_COHEN_IMAGENET, procedure="vanilla", sigma=0.0),
        "the paper's comparison without noise",
        expected="torchvision's ResNet-50 of 90 epochs: 76.1% clean",
    ),
    "imagenet-resnet50-adversarial-l2": NamedSettings(
        replace(
            _COHEN_IMAGENET,
            procedure="adversarial",
            sigma=0.0,
            normalizer="imagenet",
            epsilon=3.0,
            attack_steps=7,
            epochs=200.0,
            batch_size=256,
            drops=(50.0, 100.0, 150.0),
        ),
        "the paper's comparison with adversarial training",
        evaluate_epsilon=3.0,
        expected="Engstrom et al. (2019), robustness library: 57.9% clean, 35.1% at epsilon 3",
    ),
    "imagenet-resnet50-smoothadv-0.50": NamedSettings(
        replace(
            _COHEN_IMAGENET,
            normalizer="imagenet-centered",
            procedure="smoothadv",
            sigma=0.5,
            epsilon=255 / 256,
            num_noise=1,
            attack_steps=1,
            warmup_epochs=10.0,
        ),
        "the paper's SmoothAdv network",
        expected=_SALMAN + "54.6% at radius 0, 44.6% at 1.0 (PGD_1step, eps 255, sigma 0.50)",
    ),
    "cifar10-resnet110-gaussian-0.25": NamedSettings(
        _COHEN_CIFAR, "Cohen's CIFAR-10 network", expected=_COHEN + "76.65%"
    ),
    "cifar10-resnet110-gaussian-0.50": NamedSettings(
        replace(_COHEN_CIFAR, sigma=0.5), "Cohen's CIFAR-10 network", expected=_COHEN + "65.68%"
    ),
    "cifar10-resnet110-gaussian-1.00": NamedSettings(
        replace(_COHEN_CIFAR, sigma=1.0), "Cohen's CIFAR-10 network", expected=_COHEN + "47.15%"
    ),
    "cifar10-resnet110-smoothadv-0.25": NamedSettings(
        replace(_SALMAN_CIFAR, sigma=0.25, epsilon=255 / 256),
        "Salman's CIFAR-10 network",
        expected=_SALMAN + "best of their own networks 73.0% at radius 0.25",
    ),
    "cifar10-resnet20-consistency-0.50": NamedSettings(
        replace(
            _COHEN_CIFAR,
            stage_sizes=(3, 3, 3),
            procedure="consistency",
            sigma=0.5,
            num_noise=2,
            weight=10.0,
            entropy_weight=0.5,
            epochs=150.0,
            batch_size=256,
            drops=(50.0, 100.0),
        ),
        "consistency regularisation",
        expected="Jeong and Shin (2020): above the .524 average certified radius of Gaussian "
        "augmentation on the same network",
    ),
}
