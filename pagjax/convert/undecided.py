"""What a file's tensors cannot tell: what is taken by default, what is said, what may be tried.

Nothing here is assumed in silence. Every choice that is not given by the user, by the file, or by
the known code of its publisher ends in a warning that names the default and the option.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert import layouts, torch_resnets
from pagjax.convert.layouts import Layout
from pagjax.convert.torch_resnets import Architecture
from pagjax.networks import NORMALIZERS, Normalizer
from pagjax.networks.normalizer import CLAMPED, for_colour, parse, spelled

STORED = "as stored in the file"
_STORED_OPTION = "stored"

# Whose code is known, and with it the structure.
_KNOWN_CODE = (layouts.COHEN, layouts.MADRY, layouts.TRANSFER, layouts.AKAMASTER)


DEFAULT = "default"


@dataclass(frozen=True)
class Normalizers:
    """Normalisers that may be meant.

    Attributes:
        values: by name; the first is the default.
        warnings: what is said if nobody decides.
        notes: what is said in any case.
    """

    values: dict[str, Normalizer]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def default(self) -> Normalizer:
        """What is taken if nobody decides."""
        return next(iter(self.values.values()))


@dataclass(frozen=True)
class Structures:
    """Shapes that a network may have.

    Attributes:
        values: choices by how they deviate from the default, which comes first and has no name.
        decided: for each choice its default ``"value"`` and ``"by"`` whom it was decided.
        warnings: what is said if nobody decides.
        notes: what is said in any case.
    """

    values: dict[str, dict[str, Any]]
    decided: dict[str, dict[str, Any]]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def normalizers(
    layout: Layout, architecture: Architecture, given: str | Normalizer | None
) -> Normalizers:
    """The normalisers that a network may have been trained with.

    Candidates that differ only in a clamp are left out, as pictures in [0, 1] cannot tell them
    apart, and so are those whose numbers are close.

    Args:
        layout: the recognised file.
        architecture: its network.
        given: a name, numbers as of `pagjax.networks.normalizer.parse`, ``"stored"`` or
            ``"stored-clamped"`` for the file's own, or a `Normalizer`; None where not given.

    Returns:
        `Normalizers` of `Normalizer`s.

    Raises:
        CheckpointError: if `given` is none of these, or the file's own cannot be used.
    """
    if given is not None:
        name, normalizer = _given(layout, given)
        kept = given in (_STORED_OPTION, _STORED_OPTION + CLAMPED)
        replaced = layout.normalizers and not kept
        notes = [f"the file's own normaliser was replaced by {name}"] if replaced else []
        return Normalizers({name: normalizer}, notes=tuple(notes))
    if layout.normalizers:
        stored = _stored(layout)
        if stored.clamp:
            told = "the file's normaliser is Madry Lab's: images are clamped to [0, 1] before it"
            return Normalizers({STORED: stored}, notes=(told,))
        return Normalizers(
            {STORED: stored},
            (
                "the file holds mean and sd, and does not tell whether images are clamped to "
                f"[0, 1] first: took no clamp; `normalizer={_STORED_OPTION}{CLAMPED}` clamps",
            ),
        )
    return _usual_normalizers(layout, architecture)


def _usual_normalizers(layout: Layout, architecture: Architecture) -> Normalizers:
    family = "imagenet" if architecture.config.stem == "imagenet" else "cifar10"
    if layout.ambiguous_normalizer:
        names = [family, f"{family}-centered"]
        return _named(
            names,
            f"the file does not say which normaliser it was trained with: took {names[0]}, right "
            f"for Cohen et al.; many SmoothAdv networks need `normalizer={names[1]}`, and a wrong "
            "one costs nearly all accuracy. `probe_folder=DIR` decides by labelled pictures.",
        )
    if layout.name == layouts.AKAMASTER:
        names = ["imagenet", "cifar10", "none"]
        return Normalizers(
            {name: NORMALIZERS[name] for name in names},
            notes=("normaliser imagenet, as in akamaster's code; the file does not tell",),
        )
    if layout.name in (layouts.MADRY, layouts.TRANSFER):
        return _named(
            [f"{family}-clamped"],
            f"no normaliser in the file: took {family}-clamped, as Madry Lab's code has it; "
            f"`normalizer={family}` does not clamp",
        )
    if family == "cifar10" and architecture.num_classes == 100:
        family = "cifar100"
    names = [family, f"{family}-centered", "half", "none"]
    if layout.name == layouts.WIDE:  # TRADES's code has none
        names = ["none", family, f"{family}-centered", "half"]
    return _named(
        names,
        f"no normaliser in the file: took {names[0]}, without a clamp; `normalizer` names others "
        "or takes mean and sd as MEAN/SD, and a wrong one costs accuracy. `probe_folder=DIR` tries "
        "some",
    )


def _named(names: list[str], warning: str) -> Normalizers:
    return Normalizers({name: parse(name) for name in names}, (warning,))


def _given(layout: Layout, given: str | Normalizer) -> tuple[str, Normalizer]:
    if given in (_STORED_OPTION, _STORED_OPTION + CLAMPED):
        if not layout.normalizers:
            raise CheckpointError(f"normaliser {given!r}: the file holds none")
        stored = _stored(layout)
        if given == _STORED_OPTION:
            return STORED, stored
        return f"{STORED}, clamped", Normalizer(stored.mean, stored.sd, clamp=True)
    try:
        if isinstance(given, Normalizer):
            return spelled(given), for_colour(given)
        return given, parse(given)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def _stored(layout: Layout) -> Normalizer:
    if len(layout.normalizers) > 1:
        places = ", ".join(stored.place or "the top" for stored in layout.normalizers[:4])
        raise CheckpointError(
            f"the file holds {len(layout.normalizers)} normalisers that differ (at {places}): name "
            "one with `normalizer`"
        )
    return layout.normalizers[0].normalizer()


def structures(layout: Layout, architecture: Architecture, given: Mapping[str, Any]) -> Structures:
    """The shapes that a network with these tensors may have.

    Args:
        layout: the recognised file.
        architecture: its network, from `torch_resnets.identify`.
        given: choices by the names of `torch_resnets.choices`.

    Returns:
        The `Structures`.

    Raises:
        CheckpointError: if a choice is none of this network's, or contradicts the file.
    """
    open_ = torch_resnets.choices(architecture)
    known_code = layout.name in _KNOWN_CODE
    decided: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        decided[name] = {"value": _allowed(name, value, open_, architecture), "by": "given"}
    for name, value in layout.structure.items():
        if name in open_:
            value = _allowed(name, value, open_, architecture)
            if name in decided and decided[name]["value"] != value:
                raise CheckpointError(
                    f"{name} {decided[name]['value']}: the module in the file has {value}"
                )
            decided[name] = {"value": value, "by": "the module in the file"}
    left = {name: values for name, values in open_.items() if name not in decided}
    settled = [name for name in left if known_code or _in_code(layout, architecture, name)]
    for name, values in left.items():
        by = f"code of {layout.name}" if name in settled else DEFAULT
        decided[name] = {"value": values[0], "by": by}
    varied = {name: values for name, values in left.items() if name not in settled}
    default = {name: choice["value"] for name, choice in decided.items()}
    shapes: dict[str, dict[str, Any]] = {}
    for combination in itertools.product(*varied.values()):
        change = dict(zip(varied, combination, strict=True))
        deviating = {name: value for name, value in change.items() if value != default[name]}
        shapes[", ".join(f"{k}={v}" for k, v in deviating.items())] = {**default, **change}
    notes = [f"as in the code of {layout.name}: {_said(settled, default)}"] if settled else []
    return Structures(shapes, decided, _warning(varied), tuple(notes))


def _in_code(layout: Layout, architecture: Architecture, name: str) -> bool:
    """Whether Hugging Face's code leaves a choice to nobody."""
    usual = layout.name == layouts.HUGGING_FACE and architecture.config.stem == "imagenet"
    return usual and name != "stride_on"


def _warning(varied: Mapping[str, tuple[Any, ...]]) -> tuple[str, ...]:
    if not varied:
        return ()
    parts = [
        f"{_words(name, values[0])} ({' or '.join(f'`{name}={value}`' for value in values[1:])})"
        for name, values in varied.items()
    ]
    return (
        f"the tensors do not tell all of the structure: took {'; '.join(parts)}. With a wrong one "
        "it is another function; `probe_folder=DIR` decides by labelled pictures",
    )


def _said(names: list[str], values: Mapping[str, Any]) -> str:
    return ", ".join(_words(name, values[name]) for name in names)


def _words(name: str, value: Any) -> str:
    match name:
        case "stem_stride":
            return f"a stem of stride {value}"
        case "max_pool":
            return f"{'a' if value else 'no'} max-pool after the stem"
        case "stride_on":
            return f"a bottleneck's stride on its {value} convolution"
    return f"{name.replace('_', ' ')} {value}"


def _allowed(
    name: str, value: Any, open_: Mapping[str, tuple[Any, ...]], architecture: Architecture
) -> Any:
    if name not in open_:
        left = f"only {', '.join(open_)}" if open_ else "nothing"
        raise CheckpointError(f"{name} {value}: a {architecture.name} leaves {left} open")
    for allowed in open_[name]:
        if type(allowed) is type(value) and allowed == value:
            return allowed
    shown = " or ".join(str(allowed) for allowed in open_[name])
    raise CheckpointError(f"{name} {value!r}: must be {shown} in a {architecture.name}")
