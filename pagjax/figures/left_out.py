"""What of a user's choice no figure uses, in words: nothing that was asked for is ignored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pagjax.figures.recipes import Figure, recipes
from pagjax.wording.names import hint

_SHOWN = 5


class LeftOut(NamedTuple):
    """Something that is not used.

    Attributes:
        words: what, and why.
        is_input: whether it is a network, an image or a target; else it is a setting.
    """

    words: str
    is_input: bool


def of_networks(roles: Sequence[str], wanted: Sequence[Figure], sigma: float) -> Iterator[LeftOut]:
    """Given networks that no chosen figure takes.

    Args:
        roles: of the given networks.
        wanted: the chosen figures.
        sigma: noise level of the figures with one smoothed network.
    """
    used = {role for recipe in wanted for role in recipe.roles}
    for role in roles:
        if role in used:
            continue
        known = recipes(main=sigma, compared=sigma).values()
        takers = [str(recipe.number) for recipe in known if role in recipe.roles]
        cure = f"figures {', '.join(takers)} do"
        if not takers:
            every = dict.fromkeys(role for recipe in known for role in recipe.roles)
            cure = f"none does at sigma {sigma:g}: {hint(role, every)}"
            noise = role.rpartition("-")[2]
            if role.startswith(("gaussian-", "smoothadv-")):
                cure = f"none does at sigma {sigma:g}: pass `sigma={float(noise):g}`"
        figures = ", ".join(str(recipe.number) for recipe in wanted) or "none"
        yield LeftOut(f"`networks={role}=`: no chosen figure ({figures}) takes it; {cure}", True)


def of_settings(given: Sequence[str], wanted: Sequence[Figure]) -> Iterator[LeftOut]:
    """Given settings that no chosen figure uses.

    Args:
        given: names of settings.
        wanted: the chosen figures.

    Example:
        >>> [words for words, _ in of_settings(["rows", "images"], [recipes()[3]])]
        ['`rows`: not used by figure 3', '`images`: not used by figure 3']
    """
    other = recipes(main=1.7, compared=1.7)
    uses = {
        "images": lambda recipe: recipe.layout != "seeds",
        "rows": lambda recipe: recipe.layout != "seeds",
        "columns": lambda recipe: recipe.layout != "variants",
        "sigma": lambda recipe: recipe.roles != other[recipe.number].roles,
        "num_samples": lambda recipe: any(
            v.num_samples is None and v.sigma for v in recipe.variants
        ),
        "certify": lambda recipe: any(v.sigma for v in recipe.variants),
    }
    figures = ", ".join(str(recipe.number) for recipe in wanted)
    for name in given:
        if not any(uses.get(name, bool)(recipe) for recipe in wanted):
            word = "figure" if len(wanted) == 1 else "figures"
            by = f"by {word} {figures}" if wanted else "as no figure is chosen"
            yield LeftOut(f"`{name}`: not used {by}", name in ("images", "targets"))


def of_images(names: Sequence[str], rows: int, used: int) -> Iterator[LeftOut]:
    """Images that have no row, or rows that have no image."""
    if names:
        yield LeftOut(
            f"{len(names)} of the images are left out: {_some(names)}; `rows={rows}` is as many as "
            "it takes",
            True,
        )
    if used < rows:
        yield LeftOut(f"{used} images for {rows} rows: it has {used} rows", False)


def of_targets(
    given: Sequence[str], chosen: Sequence[str], columns: int | None, classes: int
) -> Iterator[LeftOut]:
    """Targets that were given and not drawn, and columns that targets or classes overrule.

    Args:
        given: labels of the targets that were asked for.
        chosen: labels of those that are painted.
        columns: that were asked for.
        classes: of the network.
    """
    unused = [label for label in given if label not in chosen]
    if unused:
        told = f"{len(unused)} of the targets are left out: {_some(unused)}; a row has one"
        yield LeftOut(told, True)
    if columns is not None and given and columns != len(given):
        yield LeftOut(f"`columns={columns}`: the {len(given)} targets are the columns", False)
    elif columns is not None and columns > classes:
        yield LeftOut(f"`columns={columns}`: there are {classes} classes", False)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
