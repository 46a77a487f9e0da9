"""Named settings: the shipped networks', and the papers' at full scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pagjax.training.settings import Settings, TrainingError
from pagjax.wording.names import one_of


@dataclass(frozen=True)
class Recipe:
    """Settings with what is to be expected of them.

    Attributes:
        settings: of the run.
        purpose: what the network is for, in a phrase.
        evaluate_epsilon: l2 radius at which the final evaluation attacks the base network; 0 for
            none.
        expected: published results with their source, or what the small networks aim at.
    """

    settings: Settings
    purpose: str
    evaluate_epsilon: float = 0.0
    expected: str = ""


# For an accelerator, where each takes a minute or two. On two CPU cores, an hour each:
# --batch-size 128 --peak-rate 0.2 --epochs 12, and --init from the nearest shipped network.
_CIFAR = Settings(data="cifar10", precision="bfloat16", batch_size=512, peak_rate=0.4, epochs=150.0)
# A stem of stride 1 at full resolution: through it the gradient reaches every pixel alike. Four to
# five minutes each on an H200.
_IMAGENETTE = replace(
    _CIFAR,
    data="imagenette/160px-v2",
    test_split="validation",
    image_size=128,
    normalizer="imagenet",
    stem="cifar",
    stage_sizes=(1, 1, 2, 2, 2),
    width=16,
    crop="resized",
    least_area=0.35,
    batch_size=128,
    peak_rate=0.2,
    epochs=50.0,
)
_IMAGENETTE_ATTACKED = replace(
    _IMAGENETTE, procedure="adversarial", epsilon=1.5, attack_steps=3, warmup_epochs=6.0
)


def _gaussian(sigma: float, seed: int, aim: int) -> Recipe:
    return Recipe(
        replace(_CIFAR, procedure="gaussian", sigma=sigma, seed=seed),
        f"smoothing at sigma {sigma:g}",
        expected=f"aim: {aim}% smoothed, 100 draws",
    )


def _imagenette(sigma: float, seed: int, epochs: float, aim: int) -> Recipe:
    return Recipe(
        replace(_IMAGENETTE, procedure="gaussian", sigma=sigma, seed=seed, epochs=epochs),
        f"smoothing at sigma {sigma:g} on real ImageNet classes",
        expected=f"aim: {aim}% smoothed, 100 draws",
    )


_SHIPPED = {
    "cifar10-gaussian-0.25": _gaussian(0.25, seed=1, aim=80),
    "cifar10-gaussian-0.50": _gaussian(0.5, seed=2, aim=69),
    "cifar10-gaussian-1.00": _gaussian(1.0, seed=3, aim=55),
    "cifar10-vanilla": Recipe(
        replace(_CIFAR, procedure="vanilla", seed=4, epochs=200.0),
        "the comparison without noise or attacks",
        expected="aim: 93% clean; reached with the weights averaged over 14 more epochs, "
        "see checkpoints/README.md",
    ),
    "cifar10-smoothadv-0.25": Recipe(
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
    "cifar10-adversarial-l2": Recipe(
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
    "cifar10-judge-adversarial-l2": Recipe(
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
    "imagenette-vanilla": Recipe(
        replace(_IMAGENETTE, procedure="vanilla", seed=24, epochs=40.0),
        "the comparison without noise or attacks on real ImageNet classes",
        expected="aim: 88% clean",
    ),
    "imagenette-adversarial-l2": Recipe(
        replace(_IMAGENETTE_ATTACKED, seed=23, epochs=40.0),
        "the comparison with l2 adversarial training on real ImageNet classes",
        expected="aim: 84% clean",
    ),
    "imagenette-gaussian-0.25": _imagenette(0.25, seed=21, epochs=50.0, aim=86),
    "imagenette-gaussian-0.50": _imagenette(0.5, seed=15, epochs=60.0, aim=83),
    "imagenette-gaussian-1.00": _imagenette(1.0, seed=22, epochs=50.0, aim=77),
    "imagenette-smoothadv-0.50": Recipe(
        replace(
            _IMAGENETTE,
            procedure="smoothadv",
            sigma=0.5,
            epsilon=1.0,
            num_noise=2,
            warmup_epochs=3.0,
            epochs=18.0,
            peak_rate=0.05,
            init="imagenette-gaussian-0.50",
            seed=25,
        ),
        "smoothing at sigma 0.5 on real ImageNet classes, with larger certified radii",
        expected="aim: 82% smoothed, 100 draws",
    ),
    "imagenette-judge-adversarial-l2": Recipe(
        replace(
            _IMAGENETTE_ATTACKED,
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

_PAPER_SCALE = {
    "imagenet-resnet50-gaussian-0.25": Recipe(
        _COHEN_IMAGENET, "the paper's base network", expected=_COHEN + "66.7%"
    ),
    "imagenet-resnet50-gaussian-0.50": Recipe(
        replace(_COHEN_IMAGENET, sigma=0.5), "the paper's base network", expected=_COHEN + "57.2%"
    ),
    "imagenet-resnet50-gaussian-1.00": Recipe(
        replace(_COHEN_IMAGENET, sigma=1.0), "the paper's base network", expected=_COHEN + "43.6%"
    ),
    "imagenet-resnet50-vanilla": Recipe(
        replace(_COHEN_IMAGENET, procedure="vanilla", sigma=0.0),
        "the paper's comparison without noise",
        expected="torchvision's ResNet-50 of 90 epochs: 76.1% clean",
    ),
    "imagenet-resnet50-adversarial-l2": Recipe(
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
    "imagenet-resnet50-smoothadv-0.50": Recipe(
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
    "cifar10-resnet110-gaussian-0.25": Recipe(
        _COHEN_CIFAR, "Cohen's CIFAR-10 network", expected=_COHEN + "76.65%"
    ),
    "cifar10-resnet110-gaussian-0.50": Recipe(
        replace(_COHEN_CIFAR, sigma=0.5), "Cohen's CIFAR-10 network", expected=_COHEN + "65.68%"
    ),
    "cifar10-resnet110-gaussian-1.00": Recipe(
        replace(_COHEN_CIFAR, sigma=1.0), "Cohen's CIFAR-10 network", expected=_COHEN + "47.15%"
    ),
    "cifar10-resnet110-smoothadv-0.25": Recipe(
        replace(_SALMAN_CIFAR, sigma=0.25, epsilon=255 / 256),
        "Salman's CIFAR-10 network",
        expected=_SALMAN + "best of their own networks 73.0% at radius 0.25",
    ),
    "cifar10-resnet20-consistency-0.50": Recipe(
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

BY_NAME: dict[str, Recipe] = {**_SHIPPED, **_PAPER_SCALE}


def recipe(name: str) -> Recipe:
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
