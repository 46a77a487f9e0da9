"""A network's card: what it reached and how it came to be, as ``card.json`` in its folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pagjax.certification import Share
from pagjax.checkpoints.errors import CheckpointError

CARD = "card.json"


@dataclass(frozen=True)
class Accuracies:
    """Shares of the images that were classified correctly.

    Attributes:
        images: how many images.
        clean: base network, images as they are.
        under_noise: base network, one noise draw an image; None without noise.
        smoothed: majority of `draws` noisy votes; None without noise.
        smoothed_sure: the same, where a two-sided binomial test at the card's `abstention_level`
            would not abstain (Cohen et al. 2019, PREDICT).
        abstained: share of the images on which it would.
        draws: noise draws an image.
        attacked: base network after an l2 attack of 20 steps within `epsilon`; None without one.
        epsilon: of that attack, in pixel units.
        sigma: noise level.
    """

    images: int
    clean: float
    under_noise: float | None
    smoothed: float | None
    smoothed_sure: float | None
    abstained: float | None
    draws: int
    attacked: float | None
    epsilon: float
    sigma: float


class Rounding(NamedTuple):
    """What half precision on disk added to accuracies; None for those that were not measured."""

    clean: float
    under_noise: float | None = None


class Skipped(NamedTuple):
    """How many images could not be read."""

    training: int
    test: int


@dataclass(frozen=True)
class Certified:
    """What a log of certificates amounts to.

    Attributes:
        sigma: noise level in pixel units.
        method: ``"hard"`` or ``"soft"``.
        data, split: whose images.
        images: how many.
        draws: noise draws of each, at most where `staged`.
        alpha: failure probability of each certificate.
        staged: whether drawing stopped early.
        precision: of the network's products.
        platform: where it matters, see `pagjax.certified_logs.job.LogJob`; else None.
        radii: of interest, l2 lengths in pixel units.
        accuracies: certified accuracy at each.
        average_radius: average certified radius; None without images.
        radius_interval: its confidence interval; None in cards of before, or where it has none.
        abstention: share of the images without a certificate; None without images.
        sound: whether the arithmetic is accounted for.
    """

    sigma: float
    method: str
    data: str
    split: str
    images: int
    draws: int
    alpha: float
    staged: bool
    precision: str
    platform: str | None
    radii: tuple[float, ...]
    accuracies: tuple[Share, ...]
    average_radius: float | None
    abstention: float | None
    radius_interval: tuple[float, float] | None = None
    sound: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it stands in a card; `from_json` reads it back."""
        shares = zip(self.radii, self.accuracies, strict=True)
        values = {
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            "sound": self.sound or None,
            "certified_accuracy": [{"radius": at, **share._asdict()} for at, share in shares],
            "average_certified_radius": self.average_radius,
            "average_certified_radius_interval": self.radius_interval and [*self.radius_interval],
            "abstention_rate": self.abstention,
        }
        # Absent where there is none, as in cards of before.
        optional = ("sound", "average_certified_radius_interval")
        return {k: v for k, v in values.items() if k not in optional or v is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Certified:
        """From `to_json`'s values."""
        at = values["certified_accuracy"]
        interval = values.get("average_certified_radius_interval")
        return cls(
            **{name: values[name] for name in _AS_THEY_ARE},
            radii=tuple(share["radius"] for share in at),
            accuracies=tuple(Share(*(share[name] for name in Share._fields)) for share in at),
            average_radius=values["average_certified_radius"],
            abstention=values["abstention_rate"],
            radius_interval=None if interval is None else (interval[0], interval[1]),
            sound=values.get("sound", False),
        )


_AS_THEY_ARE = (
    *("sigma", "method", "data", "split", "images", "draws", "alpha", "staged"),
    *("precision", "platform"),
)


@dataclass(frozen=True)
class Card:
    """A network's card.

    Attributes:
        name: of the network.
        purpose: what it is for, in a phrase.
        accuracies: as it is on disk.
        abstention_level: of the test behind `Accuracies.smoothed_sure`.
        parameters: how many were trained.
        command: that trains it again.
        settings: of its training, the JSON values of `pagjax.training.settings.Settings` with names
            in place of paths; those of other versions may have others.
        training_seconds, training_cpu_seconds: that training took.
        environment: versions and devices of the machine, whatever it told: JSON values.
        rounding: what half precision changed; None in cards of before.
        skipped_images: where some could not be read, else None.
        certified: from logs; None where nobody has filled it in.
        more: what else stands in the file, which is kept.
    """

    name: str
    purpose: str
    accuracies: Accuracies
    abstention_level: float
    parameters: int
    command: str
    settings: Mapping[str, Any]
    training_seconds: int
    training_cpu_seconds: int
    environment: Mapping[str, Any]
    rounding: Rounding | None = None
    skipped_images: Skipped | None = None
    certified: tuple[Certified, ...] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it stands in its file; `from_json` reads it back."""
        rounding = self.rounding and {
            name: by for name, by in self.rounding._asdict().items() if by is not None
        }
        entries = self.certified
        values = {
            "name": self.name,
            "purpose": self.purpose,
            "accuracies": dataclasses.asdict(self.accuracies),
            "rounding": rounding,
            "abstention_level": self.abstention_level,
            "parameters": self.parameters,
            "command": self.command,
            "settings": dict(self.settings),
            "training_seconds": self.training_seconds,
            "training_cpu_seconds": self.training_cpu_seconds,
            "environment": dict(self.environment),
            "skipped_images": self.skipped_images and self.skipped_images._asdict(),
            "certified": None if entries is None else [entry.to_json() for entry in entries],
        }
        return {**{k: v for k, v in values.items() if v is not None}, **self.more}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Card:
        """From `to_json`'s values, of this version or one before."""
        known = {one.name for one in dataclasses.fields(cls)} - {"more"}
        entries = values.get("certified")
        return cls(
            **{name: values[name] for name in known - _RECORDS},
            accuracies=Accuracies(**values["accuracies"]),
            rounding=Rounding(**values["rounding"]) if values.get("rounding") else None,
            skipped_images=Skipped(**values["skipped_images"])
            if values.get("skipped_images")
            else None,
            certified=None if entries is None else tuple(map(Certified.from_json, entries)),
            more={name: value for name, value in values.items() if name not in known},
        )


_RECORDS = {"accuracies", "rounding", "skipped_images", "certified"}


def read(folder: Path) -> Card:
    """The card in a network's folder.

    Raises:
        CheckpointError: if there is none, or it was edited so that it says no card's values.
    """
    path = folder / CARD
    try:
        return Card.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} has no {CARD}") from error
    except KeyError as error:
        raise CheckpointError(f"{path}: {error.args[0]} is missing") from error
    except (AttributeError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: no card's values ({error})") from error
