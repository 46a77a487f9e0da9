"""All that determines a training run but the machine, as one record of JSON values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pagjax.io.files.errors import DataError
from pagjax.networks.config import ResNetConfig, Stem
from pagjax.wording.numbers import MOST_SIGMA, check_in_box, check_length

# A training run that cannot be done as asked, for its data or its settings: one word for both.
TrainingError = DataError

_FROM_ZERO = (
    *("warmup_epochs", "weight", "weight_decay", "peak_rate"),
    *("select_from", "weigh_every", "mix_steps", "num_targets"),
)
_FROM_ONE = (
    *("image_size", "num_noise", "attack_steps", "batch_size", "width", "average_every"),
    *("teacher_draws", "select_draws", "weigh_draws"),
)
_BELOW_ONE = ("average", "momentum", "rise", "least_share")


@dataclass(frozen=True)
class Settings:
    """A training run.

    Lengths (sigma, epsilon) are l2 lengths in pixel units of [0, 1].

    Attributes:
        data: a TFDS name such as ``"cifar10"``, or a folder of class folders.
        train_split, test_split: TFDS splits; folders of these names inside a folder.
        image_size: side in pixels of what the network sees.
        normalizer: name of the first layer, see `pagjax.networks.NORMALIZERS`.
        stem, block, stage_sizes, width, antialias: see `pagjax.networks.ResNetConfig`.
        procedure: name of one of `pagjax.training.procedures.BY_NAME`.
        sigma: noise level of training, 0 for none.
        num_noise: noise draws of an image in a step, where the procedure takes several.
        epsilon: radius of the attack in training, 0 for none.
        attack_steps: its steps, each of length ``2 epsilon / attack_steps``.
        step_length: length of a step where the attack has no radius (SmoothMix, Sun et al.).
        mix_steps: attack steps from the image to the clean end of SmoothMix's mixtures.
        warmup_epochs: epochs over which epsilon rises linearly; of SmoothMix, its second term.
        weight: of the procedure's second term (lambda of stability and consistency training).
        entropy_weight: of consistency training's third term.
        temperature, margin: inverse temperature and margin of MACER's second term.
        teacher: checkpoint, trained under noise, whose smoothed predictions are CAT-RS's targets.
        teacher_draws: noise draws of a training image that they are the shares of.
        select_from: epoch from which on hard training images are left out (Sun et al.).
        select_draws: noise draws of a training image that say whether it is hard.
        least_share: smallest share of them that must be recognised for the image to stay.
        weigh_every: epochs after which images are weighed anew; 0 for equal weights.
        weigh_draws: noise draws of a training image that its weight comes from.
        num_targets: target classes of an image and step whose gradients are aligned; 0 for all.
        statistics: class statistics for the Bayes-optimal gradient, see `pagjax.seeds.store`; None
            finds the shipped ones of the classes.
        crop: ``"pad"`` crops from the image padded by an eighth of its side; ``"resized"`` resizes
            random rectangles of `least_area` to all of the image; ``"none"`` does neither.
        least_area: smallest share of the image that a resized crop keeps.
        flip: whether images are mirrored at random.
        cutout: side in pixels of a square covered at random in each image, 0 for none.
        epochs: passes over the training images; fractions allowed.
        batch_size: images a step, over all devices.
        optimizer: ``"sgd"`` with Nesterov momentum, ``"heavy-ball"`` SGD, or ``"adamw"``.
        schedule: ``"one-cycle"`` rises linearly over `rise` of the steps and falls linearly to 0;
            ``"steps"`` divides the rate by 10 at each of `drops`, in epochs.
        peak_rate: largest learning rate.
        rise: share of the steps in which the rate rises.
        drops: epochs at which the rate is divided by 10.
        momentum: of SGD.
        weight_decay: added to the gradient as ``weight_decay * parameter`` (decoupled in adamw).
        average: decay per step of the running average of weights that is evaluated and kept; 0
            keeps the last weights.
        average_from: epoch from which on the average takes equal shares instead (stochastic weight
            averaging); 0 for never.
        average_every: steps between two of those shares.
        precision: type of activations, ``"float32"`` or ``"bfloat16"``; parameters and batch
            statistics stay float32.
        init: checkpoint from which the weights start, or None.
        evaluate_on_training: whether accuracies are those of the training images, for data without
            others; the card says so.
        seed: of initial weights, order, augmentation and noise.
    """

    data: str
    train_split: str = "train"
    test_split: str = "test"
    image_size: int = 32
    normalizer: str = "cifar10"
    stem: Stem = "space_to_depth"
    block: Literal["basic", "bottleneck"] = "basic"
    stage_sizes: tuple[int, ...] = (1, 2, 2)
    width: int = 64
    antialias: bool = False
    procedure: str = "gaussian"
    sigma: float = 0.0
    num_noise: int = 1
    epsilon: float = 0.0
    attack_steps: int = 1
    step_length: float = 0.0
    mix_steps: int = 0
    warmup_epochs: float = 0.0
    weight: float = 0.0
    entropy_weight: float = 0.0
    temperature: float = 16.0
    margin: float = 8.0
    teacher: str | None = None
    teacher_draws: int = 10_000
    select_from: float = 60.0
    select_draws: int = 100
    least_share: float = 0.5
    weigh_every: float = 10.0
    weigh_draws: int = 16
    num_targets: int = 0
    statistics: str | None = None
    crop: Literal["pad", "resized", "none"] = "pad"
    least_area: float = 0.25
    flip: bool = True
    cutout: int = 0
    epochs: float = 12.0
    batch_size: int = 128
    optimizer: Literal["sgd", "heavy-ball", "adamw"] = "sgd"
    schedule: Literal["one-cycle", "steps"] = "one-cycle"
    peak_rate: float = 0.2
    rise: float = 0.15
    drops: tuple[float, ...] = ()
    momentum: float = 0.9
    weight_decay: float = 5e-4
    average: float = 0.999
    average_from: float = 0.0
    average_every: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    init: str | None = None
    evaluate_on_training: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        self._check_lengths()
        for name in _FROM_ZERO:
            if not 0 <= getattr(self, name) < float("inf"):
                raise TrainingError(f"{name} = {getattr(self, name)}: must be finite, at least 0")
        for name in _FROM_ONE:
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} = {getattr(self, name)}: must be at least 1")
        for name in _BELOW_ONE:
            if not 0 <= getattr(self, name) < 1:
                raise TrainingError(f"{name} = {getattr(self, name)}: must be in [0, 1)")
        if not 0 <= self.cutout <= 2 * self.image_size:
            raise TrainingError(f"cutout = {self.cutout}: a side in pixels, 0 for none")
        if not 0 < self.epochs < float("inf"):
            raise TrainingError(f"epochs = {self.epochs}: must be above 0")
        if not 0 <= self.average_from < self.epochs:
            raise TrainingError(
                f"average_from = {self.average_from}: an epoch before the last, {self.epochs:g}, "
                "0 for never"
            )
        try:
            _ = self.config
        except ValueError as error:
            raise TrainingError(str(error)) from error

    def _check_lengths(self) -> None:
        try:
            check_length(f"sigma = {self.sigma}", self.sigma, most=MOST_SIGMA)
            for name in ("epsilon", "step_length"):
                value = getattr(self, name)
                check_length(f"{name} = {value}", value)
                if self.image_size > 0:
                    check_in_box(name, value, (self.image_size, self.image_size, 3))
        except ValueError as error:
            raise TrainingError(str(error)) from None

    @property
    def config(self) -> ResNetConfig:
        """The network's shape."""
        shape = (self.stem, self.block, self.stage_sizes, self.width)
        return ResNetConfig(*shape, antialias=self.antialias)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `from_json` reads them back.

        Settings that came later are left out where they say nothing, so that a run of before is
        known by the same record.
        """
        values = self.every()
        return {name: v for name, v in values.items() if name not in _LATER or v != _LATER[name]}

    def every(self) -> dict[str, Any]:
        """All settings as JSON values."""
        values = dataclasses.asdict(self)
        return {**values, "stage_sizes": list(self.stage_sizes), "drops": list(self.drops)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Settings:
        """From `to_json`'s values; a setting that is unknown here is an error."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise TrainingError(f"unknown settings {unknown}: written by another pagjax?")
        tuples = {name: tuple(values[name]) for name in ("stage_sizes", "drops") if name in values}
        return cls(**{**values, **tuples})


_LATER = {
    field.name: field.default
    for field in dataclasses.fields(Settings)
    if field.name
    in (
        *("step_length", "mix_steps", "teacher", "teacher_draws", "num_targets", "statistics"),
        *("select_from", "select_draws", "least_share", "weigh_every", "weigh_draws"),
        "antialias",
    )
}


@dataclass(frozen=True)
class NamedSettings:
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
