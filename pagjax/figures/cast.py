"""Which network plays which part: makers by role, and judges that made nothing they judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pagjax import checkpoints
from pagjax.checkpoints import shipped
from pagjax.checkpoints.identity import weights_digest
from pagjax.comparison import jury
from pagjax.figures.recipes import (
    ADVERSARIAL,
    VANILLA,
    Figure,
    family,
    gaussian,
    recipes,
    smoothadv,
)
from pagjax.jobs.errors import JobError
from pagjax.networks.base import BaseNetwork
from pagjax.wording.names import hint, one_of
from pagjax.wording.numbers import MOST_SIGMA, length

__all__ = ("Cast",)

_ROLES = {ADVERSARIAL: "adversarial-l2"}  # where a shipped name ends otherwise than its role
JUDGE, VANILLA_JUDGE = "judge-adversarial-l2", "vanilla"
NOISY_JUDGE, NOISY_STAND_IN = "judge-gaussian", gaussian(0.5)


@dataclass(frozen=True)
class Named:
    """A network and what it is called."""

    name: str
    network: BaseNetwork


class Cast:
    """Networks by role and by name, each loaded once.

    Args:
        given: ``ROLE=NAME_OR_PATH`` each, and at most one family of shipped networks, which plays
            the roles that are not given, see `pagjax.figures.recipes.FAMILIES`.

    Raises:
        JobError: for an entry that is neither, an unknown role, or one that is given twice.

    Example:
        >>> Cast(["vanilla=my-folder"]).of_role("vanilla"), Cast(["cifar10"]).of_role("vanilla")
        ('my-folder', 'cifar10-vanilla')
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        """See the class."""
        try:
            self.family = family(given)
        except ValueError as error:
            raise JobError(str(error)) from error
        self._given: dict[str, str] = {}
        for text in given:
            role, equals, name = (part.strip() for part in text.partition("="))
            if not equals:
                continue  # the family
            if not (role and name):
                raise JobError(f"`networks={text}`: write ROLE=NAME_OR_PATH")
            role = _role(role)
            if role in self._given:
                raise JobError(f"`networks`: {role} is given twice, {self._given[role]} and {name}")
            self._given[role] = name
        self._loaded: dict[str, Named] = {}

    @property
    def roles(self) -> tuple[str, ...]:
        """Those whose network was given."""
        return tuple(self._given)

    def check(self) -> list[str]:
        """Refuses given networks that are not there; says which play several roles.

        Raises:
            JobError: with the closest of the shipped ones.
        """
        parts: dict[Path, list[str]] = {}
        for role, name in self._given.items():
            if not self.has(name):
                raise JobError(
                    f"`networks={role}={name}`: no folder, and no shipped network; "
                    f"{hint(name, shipped.names(), most=20)}"
                )
            parts.setdefault(Path(name).resolve(), []).append(role)
        return [
            f"{self._given[roles[0]]} plays {' and '.join(roles)}: the same network twice"
            for roles in parts.values()
            if len(roles) > 1
        ]

    def of_role(self, role: str) -> str:
        """The name or path of the network that plays a role."""
        return self._given.get(role, f"{self.family}-{_ROLES.get(role, role)}")

    def has(self, name: str) -> bool:
        """Whether there is such a network."""
        return Path(name).is_dir() or name in shipped.names()

    def missing(self, recipe: Figure) -> dict[str, str]:
        """Roles of a figure that nobody can play, and the network each waits for."""
        names = {role: self.of_role(role) for role in recipe.roles}
        return {role: name for role, name in names.items() if not self.has(name)}

    def named(self, name: str) -> Named:
        """The network of a name or path, loaded."""
        if name not in self._loaded:
            self._loaded[name] = Named(Path(name).name, checkpoints.load(name))
        return self._loaded[name]

    def makers(self, recipe: Figure) -> dict[str, Named]:
        """The networks of a figure by role."""
        return {role: self.named(self.of_role(role)) for role in recipe.roles}

    def judges(self, robust: Sequence[str] = (), vanilla: str | None = None) -> dict[str, Named]:
        """The judges that are there: ``"robust"``, ``"robust_2"`` and so on, and ``"vanilla"``.

        The shipped robust ones are an adversarially trained network of another architecture, in
        whose place the family's adversarially trained one stands where it is missing, and one
        trained with Gaussian noise: a judge of its own where one is shipped, else the family's
        network at sigma 0.50. A figure asks none about pictures to which it is partial.

        Args:
            robust: names or paths, the headline's judge first; empty for the shipped ones.
            vanilla: name or path of the judge that serves as a warning; None for the shipped one.

        Raises:
            JobError: for a judge that was asked for and is not there, or is given twice.
        """
        for name in (*robust, *([] if vanilla is None else [vanilla])):
            if not self.has(name):
                known = one_of(name, shipped.names())
                raise JobError(f"judge {name}: no folder, and no shipped network; {known}")
        asked = robust or [name for name in self._shipped_judges() if self.has(name)]
        found = [self.named(name) for name in dict.fromkeys(asked)]
        if len(robust) > 1 and (
            len(found) < len(robust)
            or len({weights_digest(judge.network) for judge in found}) < len(robust)
        ):
            told = " and ".join(robust)
            raise JobError(f"`judge={told}`: one network twice; a panel hears each once")
        seated = dict(zip(jury.kinds(len(found)), found, strict=True))
        last = vanilla or f"{self.family}-{VANILLA_JUDGE}"
        return seated | ({jury.VANILLA: self.named(last)} if self.has(last) else {})

    def told(self, judges: Mapping[str, Named]) -> list[str]:
        """Who judges, a line a kind of judge."""
        robust = [judge.name for which, judge in judges.items() if which != jury.VANILLA]
        vanilla = [judges[jury.VANILLA].name] if jury.VANILLA in judges else []
        none = "none; its numbers are left out"
        return [
            f"{kind} judge{'s' * (len(names) > 1)}: {', '.join(names) or none}"
            for kind, names in ((jury.ROBUST, robust), (jury.VANILLA, vanilla))
        ]

    def _shipped_judges(self) -> list[str]:
        own = f"{self.family}-{JUDGE}"
        noisy = [
            name for name in shipped.names() if name.startswith(f"{self.family}-{NOISY_JUDGE}")
        ]
        return [
            own if self.has(own) else self.of_role(ADVERSARIAL),
            noisy[0] if noisy else f"{self.family}-{NOISY_STAND_IN}",
        ]


def _role(text: str) -> str:
    """A role as the figures call it; noise levels in any spelling.

    Raises:
        JobError: for an unknown one, with the closest.

    Example:
        >>> _role("Gaussian-0.5")
        'gaussian-0.50'
    """
    kind, dash, level = text.casefold().rpartition("-")
    if not dash and level in (VANILLA, ADVERSARIAL):
        return level
    if kind in ("gaussian", "smoothadv"):
        try:
            sigma = length(level, most=MOST_SIGMA, above=True)
        except ValueError as error:
            raise JobError(f"`networks={text}=`: {error}") from None
        return gaussian(sigma) if kind == "gaussian" else smoothadv(sigma)
    every = [role for recipe in recipes().values() for role in recipe.roles]
    raise JobError(
        f"`networks={text}=`: no figure has this role; {one_of(text, dict.fromkeys(every))}"
    )
