"""What shapes of residual networks there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from pagjax.wording.names import one_of

Stem = Literal["imagenet", "cifar", "space_to_depth", "space_to_depth_4"]
BlockKind = Literal["basic", "bottleneck"]
Shortcut = Literal["projection", "projection_of_input", "padding", "padding_end"]
StrideOn = Literal["3x3", "1x1"]

_MOST_STAGES, _MOST_BLOCKS, _MOST_FEATURES = 8, 1000, 2**17


@dataclass(frozen=True)
class ResNetConfig:
    """A residual network's shape; what is left None becomes the usual.

    Attributes:
        stem: ``"imagenet"`` is a 7x7 convolution, ``"cifar"`` a 3x3 one; ``"space_to_depth"`` lays
            2x2 blocks into channels before a 3x3 one, and ``"space_to_depth_4"`` 4x4 blocks.
        block: ``"basic"`` is two 3x3 convolutions; ``"bottleneck"`` is 1x1, 3x3, 1x1 with four
            times `width` features at its end.
        stage_sizes: blocks in each stage; every stage but the first halves the resolution.
        width: features of the first stage's blocks, doubled by every further stage.
        shortcut: ``"projection"`` is a 1x1 convolution where shapes change (option B of He et al.
            2016), with batch norm unless `preactivation`; there it sees what the block's first
            convolution sees, and with ``"projection_of_input"`` the block's input as it is.
            ``"padding"`` takes every second pixel and pads channels with zeros on both sides
            (option A), ``"padding_end"`` after the last channel.
        stem_width: features of the first convolution; usually `width`.
        stem_stride: 1 or 2; usually 2 for ``"imagenet"`` and 1 for others.
        max_pool: whether 3x3 max-pooling of stride 2 follows; usually for ``"imagenet"`` alone.
        inner_width: features of the first stage's 3x3 convolutions in bottlenecks, doubled by
            every further stage; usually `width`, more in wide ResNets.
        stride_on: which convolution of a bottleneck halves the resolution: the ``"3x3"``
            (torchvision's v1.5) or the first ``"1x1"`` (He et al. 2015, Caffe).
        preactivation: whether batch norm and rectifier come before each convolution (He et al.
            2016b; WideResNet), and neither after the stem nor after a block.
        final_norm: whether a batch norm and a rectifier follow the last block; usually, and only,
            with `preactivation`.
        antialias: whether strides in blocks, the shortcuts' too, see a blurred input (Zhang 2019),
            see `pagjax.networks.convolutions.antialiasing`.

    Raises:
        ValueError: for values that are none of these, or do not go together.

    Example:
        >>> wide_28_10 = ResNetConfig(
        ...     "cifar", "basic", (4, 4, 4), 160, stem_width=16, preactivation=True)
        >>> wide_28_10.stem_stride, wide_28_10.max_pool, wide_28_10.final_norm
        (1, False, True)
    """

    stem: Stem
    block: BlockKind
    stage_sizes: tuple[int, ...]
    width: int
    shortcut: Shortcut = "projection"
    stem_width: int | None = None
    stem_stride: int | None = None
    max_pool: bool | None = None
    inner_width: int | None = None
    stride_on: StrideOn = "3x3"
    preactivation: bool = False
    final_norm: bool | None = None
    antialias: bool = False

    def __post_init__(self) -> None:
        """Fills in the usual, so that equal networks have equal shapes, and refuses the rest."""
        usual = {
            "stem_width": self.width,
            "stem_stride": 2 if self.stem == "imagenet" else 1,
            "max_pool": self.stem == "imagenet",
            "inner_width": self.width,
            "final_norm": self.preactivation,
        }
        for name, value in usual.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        _check_values(self)
        _check_together(self)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; what came later is left out where it says nothing, see `from_json`."""
        values = asdict(self)
        return values if self.antialias else {k: v for k, v in values.items() if k != "antialias"}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ResNetConfig:
        """From `to_json`'s values, with lists where JSON has no tuples.

        Fields that are missing are the usual ones, so descriptions of any age can be read.

        Raises:
            ValueError: if a field is unknown or its value is none of this class's.
        """
        known = {field.name for field in fields(cls)}
        unknown, missing = sorted(set(values) - known), sorted(set(_NEEDED) - set(values))
        if unknown or missing:
            raise ValueError(f"a network's shape with unknown {unknown} and without {missing}")
        stages = values["stage_sizes"]
        if isinstance(stages, list):
            stages = tuple(stages)
        return cls(**{**values, "stage_sizes": stages})


_NEEDED = ("stem", "block", "stage_sizes", "width")


def _check_values(config: ResNetConfig) -> None:
    literals = {
        "stem": get_args(Stem),
        "block": get_args(BlockKind),
        "shortcut": get_args(Shortcut),
        "stride_on": get_args(StrideOn),
    }
    for name, allowed in literals.items():
        value = getattr(config, name)
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"{name} {value!r}: {one_of(str(value), allowed)}")
    for name in ("max_pool", "preactivation", "final_norm", "antialias"):
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{name} {getattr(config, name)!r}: must be true or false")
    stages = config.stage_sizes
    if not isinstance(stages, tuple) or not 1 <= len(stages) <= _MOST_STAGES:
        raise ValueError(f"stage_sizes {stages!r}: give 1 to {_MOST_STAGES} counts of blocks")
    if not all(_is_whole(count, 1, _MOST_BLOCKS) for count in stages) or sum(stages) > _MOST_BLOCKS:
        raise ValueError(f"stage_sizes {stages!r}: whole numbers from 1, {_MOST_BLOCKS} in all")
    most = _MOST_FEATURES // (4 * 2 ** (len(stages) - 1))
    for name, limit in (("width", most), ("stem_width", most), ("inner_width", most)):
        if not _is_whole(getattr(config, name), 1, limit):
            raise ValueError(
                f"{name} {getattr(config, name)!r}: must be a whole number from 1 to {limit}"
            )
    if not _is_whole(config.stem_stride, 1, 2):
        raise ValueError(f"stem_stride {config.stem_stride!r}: must be 1 or 2")


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_together(config: ResNetConfig) -> None:
    if config.block == "basic" and (config.inner_width, config.stride_on) != (config.width, "3x3"):
        raise ValueError("inner_width and stride_on are a bottleneck's, and the blocks are basic")
    if config.final_norm and not config.preactivation:
        raise ValueError("final_norm without preactivation: the last block ends in a rectifier")
    if config.preactivation and config.shortcut.startswith("padding"):
        raise ValueError(f"shortcut {config.shortcut!r}: with preactivation choose a projection")
    first = config.width * (4 if config.block == "bottleneck" else 1)
    if config.shortcut.startswith("padding") and (config.stem_width or 0) > first:
        raise ValueError(f"stem_width {config.stem_width}: padding cannot make it {first}")
    if not config.preactivation and config.shortcut == "projection_of_input":
        raise ValueError("shortcut 'projection_of_input': only with preactivation")
