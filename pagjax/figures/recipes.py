"""What each figure of the paper shows: its layout, what varies, and what the paper saw in it.

Every figure is a grid over one engine; a recipe only says which network, noise level, objective and
number of draws stand behind each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pagjax.figures import claims

__all__ = ("FAMILIES", "Figure", "recipes")

VANILLA, ADVERSARIAL = "vanilla", "adversarial"
FAMILIES = {"imagenette": 0.5, "cifar10": 0.25}
"""Shipped networks that play together, and the sigma of their figures with one smoothed network."""

Layout = Literal["targets", "variants", "seeds"]


@dataclass(frozen=True)
class Variant:
    """How the pictures of one column (or of the whole grid) are made.

    Attributes:
        label: above the column.
        role: which network: ``"vanilla"``, ``"adversarial"``, ``"gaussian-S"``, ``"smoothadv-S"``.
        sigma: noise level in pixel units of [0, 1]; 0 takes the network as it is.
        objective: ``"tcm"`` or ``"ce"``.
        num_samples: noise draws a step; None takes the preset's.
    """

    label: str
    role: str
    sigma: float
    objective: str = "tcm"
    num_samples: int | None = None


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        number: in the paper.
        title: in a few words.
        layout: ``"targets"`` is images by target classes; ``"variants"`` is pairs of an image and a
            target by variants; ``"seeds"`` is a class a column, seeds above and results below.
        variants: one, or one a column.
        rows, columns: size of the grid, the starting images' column apart.
        part: of a figure in several parts; each part starts from other images.
        shows: what is drawn, and what the paper saw.
        claims: what the paper saw, as numbers.
    """

    number: int
    title: str
    layout: Layout
    variants: tuple[Variant, ...]
    rows: int
    columns: int
    part: int
    shows: str
    claims: tuple[claims.Claim, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """The networks that it takes, each once."""
        return tuple(dict.fromkeys(variant.role for variant in self.variants))


def gaussian(sigma: float) -> str:
    """The role of a network trained with Gaussian augmentation.

    Example:
        >>> gaussian(0.5)
        'gaussian-0.50'
    """
    return f"gaussian-{sigma:.2f}"


def smoothadv(sigma: float) -> str:
    """The role of a SmoothAdv network."""
    return f"smoothadv-{sigma:.2f}"


def family(networks: Sequence[str]) -> str:
    """The family that plays the roles nobody else does: the one named, or the first of `FAMILIES`.

    Args:
        networks: ``ROLE=NAME_OR_PATH`` each, or a family's name.

    Raises:
        ValueError: for a word that is neither, or several families.

    Example:
        >>> family(["vanilla=my-folder"]), family(["cifar10"])
        ('imagenette', 'cifar10')
    """
    named = [text for text in networks if "=" not in text]
    unknown = [text for text in named if text not in FAMILIES]
    if unknown:
        raise ValueError(
            f"`networks={unknown[0]}`: write ROLE=NAME_OR_PATH, or one of {', '.join(FAMILIES)}"
        )
    if len(set(named)) > 1:
        raise ValueError(f"`networks={' '.join(named)}`: one family at a time")
    return named[0] if named else next(iter(FAMILIES))


def main_sigma(networks: Sequence[str]) -> float:
    """The sigma of figures with one smoothed network, where nobody says.

    That of the only smoothed network given, or the family's; see `family` for the words.

    Example:
        >>> main_sigma([]), main_sigma(["gaussian-0.12=my-folder"])
        (0.5, 0.12)
    """
    own = {text.split("=")[0] for text in networks if "=" in text}
    given = {
        role.rpartition("-")[2] for role in own if role.startswith(("gaussian-", "smoothadv-"))
    }
    try:
        levels = {float(level) for level in given}
    except ValueError:
        levels = set()
    return levels.pop() if len(levels) == 1 else FAMILIES[family(networks)]


def recipes(
    *, main: float = 0.5, levels: tuple[float, ...] = (0.25, 0.5, 1.0), compared: float = 0.5
) -> dict[int, Figure]:
    """All figures.

    Args:
        main: noise level of the figures that use one network; the paper's is 0.5.
        levels: noise levels of the figures that compare them, beside 0.
        compared: noise level at which Gaussian augmentation meets SmoothAdv; the paper's are 0.5
            and 1.

    Reference: Kaur, Cohen and Lipton (2019), figures 1 to 17 and the table of appendix C.

    Example:
        >>> [variant.label for variant in recipes()[4].variants]
        ['sigma 0', 'sigma 0.25', 'sigma 0.5', 'sigma 1']
    """
    smoothed = Variant("smoothed", gaussian(main), main)
    robust = (Variant("vanilla", VANILLA, 0.0), Variant("adversarial", ADVERSARIAL, 0.0), smoothed)
    noise = (
        Variant("sigma 0", VANILLA, 0.0),
        *(Variant(f"sigma {level:g}", gaussian(level), level) for level in levels),
    )
    objectives = (
        Variant("target class max", gaussian(main), main),
        Variant("cross-entropy", gaussian(main), main, objective="ce"),
    )
    draws = tuple(
        Variant(f"N = {count}", gaussian(main), main, num_samples=count)
        for count in (1, 5, 20, 25, 50, 75)
    )
    training = (
        Variant(f"Gaussian, sigma {compared:g}", gaussian(compared), compared),
        Variant(f"SmoothAdv, sigma {compared:g}", smoothadv(compared), compared),
    )
    many = "Pictures painted by one smoothed network, a starting image a row, a target class a "
    many += "column. The paper sees the target class in every column, whatever the start."
    synthesis = "Class-conditional synthesis: above, a draw from a Gaussian fitted to a class; "
    synthesis += "below, the same draw after following the smoothed score of that class. The paper "
    synthesis += "sees objects of the class grow out of blurred colour."
    scale = "The same start and target under more and more noise. The paper sees scattered "
    scale += "features of the class at small sigma, one coherent object at large sigma, and grain "
    scale += "at sigma 0, which is a network trained without noise. Features are counted by the "
    scale += "perturbation's own correlation length: 1 for a single blob, thousands for noise."
    kinds = "The same start and target for three ways of training. The paper sees the target in "
    kinds += "the pictures of both robust networks, not in the vanilla network's. Here the vanilla "
    kinds += "network's are grain, but not nothing: at 128 pixels traces of windows and balls can "
    kinds += "be made out in it, at 32 pixels dogs and horses."
    augmented = "Networks trained with Gaussian augmentation against networks trained with "
    augmented += "SmoothAdv at the same sigma. The paper sees aligned gradients in both, and in "
    augmented += "SmoothAdv's no less."
    scaled = claims.noise_levels([variant.label for variant in noise])
    compares = claims.no_less(training[1].label, training[0].label)
    listed = [
        Figure(
            1,
            "Vanilla, adversarially trained, smoothed",
            "variants",
            robust,
            3,
            3,
            0,
            kinds,
            claims.THREE_TRAININGS,
        ),
        Figure(
            2, "A smoothed network's pictures", "targets", (smoothed,), 4, 5, 0, many, claims.SEEN
        ),
        Figure(
            3, "Class-conditional synthesis", "seeds", (smoothed,), 2, 5, 0, synthesis, claims.SEEN
        ),
        Figure(4, "The noise level", "variants", noise, 3, 4, 0, scale, scaled),
        Figure(5, "More pictures, part 1", "targets", (smoothed,), 5, 5, 1, many, claims.SEEN),
        Figure(6, "More pictures, part 2", "targets", (smoothed,), 5, 5, 2, many, claims.SEEN),
        Figure(7, "More synthesis, part 1", "seeds", (smoothed,), 2, 10, 1, synthesis, claims.SEEN),
        Figure(8, "More synthesis, part 2", "seeds", (smoothed,), 2, 10, 2, synthesis, claims.SEEN),
        Figure(9, "More noise levels, part 1", "variants", noise, 4, 4, 1, scale, scaled),
        Figure(10, "More noise levels, part 2", "variants", noise, 4, 4, 2, scale, scaled),
        Figure(11, "More noise levels, part 3", "variants", noise, 4, 4, 3, scale, scaled),
        Figure(12, "More of figure 1", "variants", robust, 5, 3, 1, kinds, claims.THREE_TRAININGS),
        Figure(
            13,
            "Target class max against cross-entropy",
            "variants",
            objectives,
            4,
            2,
            1,
            "Two objectives: the mean target logit, and the log of the mean target probability. "
            "The paper sees more of the target with the first.",
            claims.OBJECTIVES,
        ),
        Figure(
            14,
            "The number of noise draws",
            "variants",
            draws,
            3,
            6,
            1,
            "The same start and target with more and more noise draws a gradient. The paper sees "
            "little change beyond N = 20.",
            claims.DRAWS,
        ),
        Figure(15, "SmoothAdv, part 1", "variants", training, 4, 2, 1, augmented, compares),
        Figure(16, "SmoothAdv, part 2", "variants", training, 4, 2, 2, augmented, compares),
        Figure(17, "SmoothAdv, part 3", "variants", training, 4, 2, 3, augmented, compares),
    ]
    return {recipe.number: recipe for recipe in listed}
