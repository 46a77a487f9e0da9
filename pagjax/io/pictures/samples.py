"""Free photographs that scikit-image's wheel carries, to start from where nobody gives any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pagjax.io.pictures.crops import CENTRE, Crop

__all__ = ("PREFIX", "SAMPLES", "Sample", "crop", "path")

PREFIX = "sample:"


@dataclass(frozen=True)
class Sample:
    """A photograph.

    Attributes:
        file: its name in scikit-image's folder of data.
        crop: what shows its subject in a square, see `pagjax.io.pictures.crops`.
    """

    file: str
    crop: Crop = CENTRE


_CLOSER = (0.25, 0.25, 0.75, 0.75)

# In this order pictures start where nobody says: those first on which targets show best.
SAMPLES = {
    "clock": Sample("clock_motion.png"),  # Stefan van der Walt, public domain
    "galaxies": Sample("hubble_deep_field.jpg"),  # NASA, public domain
    "rocket": Sample("rocket.jpg"),  # SpaceX, CC0
    "grass": Sample("grass.png", _CLOSER),  # Linolafett, CC0
    "retina": Sample("retina.jpg"),  # Mikael Haggstrom, CC0
    "coffee": Sample("coffee.png", (0.46, 0.5)),  # Rachel Michetti, CC0
    "cat": Sample("chelsea.png", (0.43, 0.5)),  # Stefan van der Walt, CC0
    "tissue": Sample("ihc.png"),  # a stained section, no known copyright restrictions
    "photographer": Sample("camera.png"),  # Lav Varshney, CC0
    "gravel": Sample("gravel.png", _CLOSER),  # CC0Textures, CC0
    "coins": Sample("coins.png", (0.4, 0.5)),  # from Pompeii, no known copyright restrictions
    "bricks": Sample("brick.png", _CLOSER),  # CC0Textures, CC0
    "astronaut": Sample("astronaut.png"),  # Eileen Collins, NASA, public domain
}


def path(name: str) -> Path:
    """The file of ``sample:NAME``.

    Raises:
        ValueError: if there is no sample of that name.
    """
    import skimage

    return Path(skimage.__file__).parent / "data" / _sample(name).file


def crop(name: str) -> Crop:
    """What shows the subject of ``sample:NAME`` in a square.

    Raises:
        ValueError: if there is no sample of that name.

    Example:
        >>> crop("sample:cat")
        (0.43, 0.5)
    """
    return _sample(name).crop


def _sample(name: str) -> Sample:
    key = name.removeprefix(PREFIX)
    if key not in SAMPLES:
        raise ValueError(
            f"{name}: the samples are {', '.join(PREFIX + known for known in SAMPLES)}"
        )
    return SAMPLES[key]
