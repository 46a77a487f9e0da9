"""What is compared with what: everything that determines a comparison's results."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagjax.io.pictures.images import Preprocessing
from pagjax.synthesis.plan import Asked

CENTRE = "centre"


@dataclass(frozen=True)
class Comparison:
    """A comparison of networks by pictures that each makes from the same starts.

    Attributes:
        networks: names or paths of those that make pictures.
        judge: robust ones that judge them; None for none.
        vanilla_judge: one that judges without robust training.
        data: where pictures start: a data set or class folders; None for class seeds.
        split, train_split: of the data, to start from and to look for neighbours in.
        data_dir: where TFDS prepared the data.
        class_name: all pictures of a plain folder are of this class.
        preprocessing, crop: how pictures are brought to size.
        count: pictures a network.
        neighbours: nearest images a class that directions are compared with; 0 for none.
        statistics: fitted Gaussians, a name or a file; None finds shipped ones.
        agreement: numbers of draws whose gradients' agreement is measured.
        preset, sigma, epsilon, steps, num_samples: of the loop; None leaves it to the preset.
        seed: of starts, targets and noise.
    """

    networks: list[str]
    judge: list[str] | None
    vanilla_judge: str | None
    data: str | None
    split: str
    train_split: str
    data_dir: Path | None
    class_name: str | None
    preprocessing: Preprocessing
    crop: str
    count: int
    neighbours: int
    statistics: str | None
    agreement: list[int]
    preset: str
    sigma: float | None
    epsilon: float | None
    steps: int | None
    num_samples: int | None
    seed: int

    def asked(self) -> Asked:
        """What a network's job is asked for."""
        return Asked(
            preset=self.preset,
            sigma=self.sigma,
            epsilon=self.epsilon,
            num_steps=self.steps,
            num_samples=self.num_samples,
            seed=self.seed,
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values, but for where data lie.

        One judge is told as before there could be several. The crop is not told: whoever records
        the data says so where it is not the centre.
        """
        told = dataclasses.asdict(self)
        del told["data_dir"], told["crop"]
        if self.judge is not None and len(self.judge) == 1:
            told["judge"] = self.judge[0]
        return told
