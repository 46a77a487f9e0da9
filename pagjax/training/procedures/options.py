"""Which settings belong to which procedures, and what the procedures' papers set them to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scipy.special import ndtri

from pagjax.certification import clopper_pearson_lower
from pagjax.training.settings import Settings, TrainingError

# What only some procedures read. Others are the run's, or of every procedure.
TAKEN_BY: dict[str, tuple[str, ...]] = {
    "num_noise": ("smoothadv", "consistency", "macer", "smoothmix", "catrs", "acr", "aligned"),
    "attack_steps": ("adversarial", "smoothadv", "smoothmix", "catrs", "acr"),
    "step_length": ("smoothmix", "acr"),
    "mix_steps": ("smoothmix",),
    "warmup_epochs": ("adversarial", "smoothadv", "smoothmix", "catrs"),
    "weight": ("stability", "consistency", "macer", "smoothmix", "catrs", "aligned"),
    "entropy_weight": ("consistency",),
    "temperature": ("macer",),
    "margin": ("macer",),
    "teacher": ("catrs",),
    "teacher_draws": ("catrs",),
    "select_from": ("acr",),
    "select_draws": ("acr",),
    "least_share": ("acr",),
    "weigh_every": ("acr",),
    "weigh_draws": ("acr",),
    "num_targets": ("aligned",),
    "statistics": ("aligned",),
}
# Those that came first keep their own defaults, so that runs of before are repeated.
PAPERS: dict[str, dict[str, Any]] = {
    # Jeong et al. (2021), CIFAR-10 at sigma 0.25; step_length is 1 at sigma 0.5 and 2 at 1.
    "smoothmix": {
        "num_noise": 2,
        "attack_steps": 4,
        "step_length": 0.5,
        "weight": 5.0,
        "warmup_epochs": 10.0,
    },
    # Jeong, Kim and Shin (2023), CIFAR-10 at sigma 0.25; weight is 1 at sigma 0.5 and 2 at 1.
    "catrs": {"num_noise": 4, "attack_steps": 4, "epsilon": 1.0, "weight": 0.5},
    # Sun et al. (2025), CIFAR-10 at sigma 0.25; 6 steps, from epoch 70 and 0.4 at sigma 0.5.
    "acr": {"num_noise": 4, "attack_steps": 3, "step_length": 0.25},
    # Ganz et al. (2023), CIFAR-10, ResNet-18.
    "aligned": {"weight": 1.5},
}
# Below this share of right draws an image's weight falls no further (Sun et al. 2025).
LEAST_WEIGHED = 0.75
WEIGHT_ALPHA = 0.1


def check(settings: Settings, given: Iterable[str] = ()) -> None:
    """Refuses settings that their procedure cannot use.

    Args:
        settings: of the run.
        given: names of those that somebody asked for by themselves.

    Raises:
        TrainingError: naming the setting, the procedures that take it, or the cure.

    Example:
        >>> check(Settings("cifar10", procedure="gaussian", mix_steps=1), ["mix_steps"])
        Traceback (most recent call last):
        pagjax.io.files.errors.DataError: mix_steps = 1: the procedure gaussian takes none, only \
smoothmix does: leave it out, or choose another `procedure`
    """
    procedure = settings.procedure
    for name in given:
        takers = TAKEN_BY.get(name, (procedure,))
        value = getattr(settings, name)
        if procedure not in takers and value != type(settings).__dataclass_fields__[name].default:
            does = "does" if len(takers) == 1 else "do"
            raise TrainingError(
                f"{name} = {value}: the procedure {procedure} takes none, only {_all(takers)} "
                f"{does}: leave it out, or choose another `procedure`"
            )
    _OWN.get(procedure, lambda settings: None)(settings)


def weights_of_counts(num_draws: int) -> list[float]:
    """The weight of an image by how many of its draws were right, from 0 to all of them.

    It is the certified radius over sigma at confidence 0.9, of no fewer right draws than
    `LEAST_WEIGHED` of them.

    Reference: Sun, Mao, Mueller and Vechev (2025), their weights by approximate certified radii.

    Example:
        >>> [round(weight, 3) for weight in weights_of_counts(16)[11:]]
        [0.154, 0.154, 0.329, 0.526, 0.765, 1.108]
    """
    least = int(LEAST_WEIGHED * num_draws)
    counts = [max(right, least) for right in range(num_draws + 1)]
    return [float(ndtri(clopper_pearson_lower(n, num_draws, WEIGHT_ALPHA))) for n in counts]


def _check_smoothmix(settings: Settings) -> None:
    if settings.mix_steps >= settings.attack_steps:
        raise TrainingError(
            f"mix_steps = {settings.mix_steps}: the clean end of a mixture comes before the "
            f"attack's end, choose fewer than `attack_steps`, {settings.attack_steps}"
        )
    _check_above_zero(settings, "step_length")


def _check_catrs(settings: Settings) -> None:
    if settings.teacher is None:
        raise TrainingError(
            "catrs needs the predictions of a network trained with Gaussian augmentation: name one "
            "with `teacher`, such as cifar10-gaussian-0.25"
        )
    _check_above_zero(settings, "epsilon", "sigma")


def _check_acr(settings: Settings) -> None:
    _check_above_zero(settings, "step_length", "sigma")
    if settings.select_from >= settings.epochs:
        raise TrainingError(
            f"select_from = {settings.select_from:g}: acr needs an epoch before the last, "
            f"{settings.epochs:g}"
        )
    if settings.weigh_every and weights_of_counts(settings.weigh_draws)[0] <= 0:
        raise TrainingError(
            f"weigh_draws = {settings.weigh_draws}: too few to certify {LEAST_WEIGHED:.0%} of them "
            "right, so that hard images would have no weight: choose 16 or more"
        )


def _check_aligned(settings: Settings) -> None:
    _check_above_zero(settings, "weight")


def _check_above_zero(settings: Settings, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise TrainingError(
                f"{name} = {getattr(settings, name):g}: {settings.procedure} needs one above 0"
            )


def _all(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


_OWN = {
    "smoothmix": _check_smoothmix,
    "catrs": _check_catrs,
    "acr": _check_acr,
    "aligned": _check_aligned,
}
