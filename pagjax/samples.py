"""Free photographs that scikit-image's wheel carries, to start from where nobody gives any."""

from __future__ import annotations

from pathlib import Path

PREFIX = "sample:"

SAMPLES = {
    "astronaut": "astronaut.png",  # Eileen Collins, NASA, public domain
    "cat": "chelsea.png",  # Stefan van der Walt, CC0
    "coffee": "coffee.png",  # Rachel Michetti, CC0
    "rocket": "rocket.jpg",  # SpaceX, CC0
    "galaxies": "hubble_deep_field.jpg",  # NASA, public domain
}


def path(name: str) -> Path:
    """The file of ``sample:NAME``.

    Raises:
        ValueError: if there is no sample of that name.
    """
    import skimage

    key = name.removeprefix(PREFIX)
    if key not in SAMPLES:
        raise ValueError(
            f"{name}: the samples are {', '.join(PREFIX + known for known in SAMPLES)}"
        )
    return Path(skimage.__file__).parent / "data" / SAMPLES[key]
