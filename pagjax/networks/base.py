"""A base network as the rest of pagjax sees it: pure functions, labels and where it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from pagjax.core.checks import as_network_input, as_target
from pagjax.networks.convolutions.forms import Backend, Precision
from pagjax.networks.normalizer import Normalizer
from pagjax.networks.resnet import Outputs, ResNet, ResNetConfig, fuse
from pagjax.wording import shown

FORMAT = 1


@dataclass(frozen=True)
class Description:
    """All that a checkpoint says beside its arrays.

    Attributes:
        architecture: its name for people, such as ``"resnet50"``.
        config: its shape.
        num_classes: number of logits.
        normalizer: the first layer.
        image_size: height and width in pixels it was made for.
        labels: class names in order, or None where unknown.
        training_sigma: noise level it was trained under, in pixel units; None where unknown.
        origin: provenance, JSON values only: source file and SHA-256, layout, versions, a training
            command, accuracies.
        wordnet_ids: WordNet ids of the classes in order, such as ``"n01440764"``, or None.
    """

    architecture: str
    config: ResNetConfig
    num_classes: int
    normalizer: Normalizer
    image_size: tuple[int, int]
    labels: tuple[str, ...] | None = None
    training_sigma: float | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    wordnet_ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuses labels that do not fit the classes."""
        if self.labels is not None and len(self.labels) != self.num_classes:
            raise ValueError(
                f"{len(self.labels)} labels for {self.num_classes} classes: give one per class, "
                "in the order of the network's outputs"
            )
        if self.wordnet_ids is not None and len(set(self.wordnet_ids)) != self.num_classes:
            raise ValueError(
                f"{len(set(self.wordnet_ids))} WordNet ids for {self.num_classes} classes: give "
                "one per class"
            )

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `from_json` reads them back."""
        values = dataclasses.asdict(self)
        return {
            "format": FORMAT,
            **values,
            "config": self.config.to_json(),
            "origin": dict(self.origin),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """From `to_json`'s values, with lists where JSON has no tuples."""
        if values.get("format") != FORMAT:
            raise ValueError(
                f"checkpoint format {values.get('format')!r}: this pagjax reads format {FORMAT}; "
                "convert the network again, or use the pagjax that wrote it"
            )
        config, normalizer = values["config"], values["normalizer"]
        return cls(
            architecture=values["architecture"],
            config=ResNetConfig.from_json(config),
            num_classes=values["num_classes"],
            normalizer=Normalizer(
                tuple(normalizer["mean"]), tuple(normalizer["sd"]), normalizer["clamp"]
            ),
            image_size=(values["image_size"][0], values["image_size"][1]),
            labels=None if values["labels"] is None else tuple(values["labels"]),
            training_sigma=values["training_sigma"],
            origin=values["origin"],
            # Not in checkpoints of older versions.
            wordnet_ids=None if not values.get("wordnet_ids") else tuple(values["wordnet_ids"]),
        )

    def network(self) -> ResNet:
        """The Flax module, in its training form."""
        return ResNet(self.config, self.num_classes, self.normalizer)


@dataclass(frozen=True, repr=False)
class BaseNetwork:
    """A classifier of images in [0, 1], its normaliser inside.

    Attributes:
        logits_fn: images ``[n, h, w, 3]``, floats in [0, 1] or 8-bit pixels, to logits
            ``[n, classes]``; a pure function and a pytree over its weights, so that jit takes them
            as arguments. Other shapes and types, NaN, and pixels of 0 to 255 as floats are refused
            with a ValueError; within `jax.jit` pixels are not looked at, and NaN gives NaN.
        features_fn: likewise, to penultimate features ``[n, features]``.
        labels: class names in order; the indices as text where the checkpoint has none.
        image_shape: ``(height, width, channels)`` it was made for.
        training_sigma: noise level it was trained under in pixel units, None where unknown.
        description: what its checkpoint says beside the arrays.
        network: the Flax module in its training form.
        variables: its collections ``"params"`` and ``"batch_stats"``, for training on.
    """

    logits_fn: Partial
    features_fn: Partial
    labels: tuple[str, ...]
    image_shape: tuple[int, int, int]
    training_sigma: float | None
    description: Description
    network: ResNet
    variables: dict[str, Any]

    @property
    def metadata(self) -> dict[str, Any]:
        """The checkpoint's description as JSON values."""
        return self.description.to_json()

    def index(self, name: str | int) -> int:
        """The index of a class by its name, as people write it.

        Args:
            name: a label, or one of its synonyms between commas; case, spaces, hyphens and
                underscores do not matter. Indices stay as they are.

        Raises:
            ValueError: if no class is called so, or several are; the message names near ones.
            TypeError: for what is neither a name nor an index.
        """
        return as_target(name, len(self.labels), self.logits_fn)

    def __repr__(self) -> str:
        """What it is, in a few lines."""
        height, width, channels = self.image_shape
        sigma = self.training_sigma
        noise = "noise in training not known" if sigma is None else f"trained under sigma {sigma:g}"
        count = sum(leaf.size for leaf in jax.tree.leaves(self.variables.get("params", {})))
        return (
            f"BaseNetwork({self.description.architecture}, {noise})\n"
            f"  {len(self.labels)} classes: {shown.some_of(self.labels)}\n"
            f"  images of {height}x{width}x{channels}, {count:,} parameters"
        )


def base_network(
    description: Description,
    variables: Mapping[str, Any],
    precision: Precision = "float32",
    backend: Backend | None = None,
) -> BaseNetwork:
    """A base network from its description and the trained variables.

    Args:
        description: see `Description`.
        variables: collections ``"params"`` and ``"batch_stats"``; half precision is widened to
            float32, float64 stays.
        precision: of the operands of the convolutions' products. Networks with bfloat16 ones are
            other functions, whose logits differ in the third digit.
        backend: whose forms of layers to use, whatever the devices are, see
            `pagjax.networks.fuse`. They differ in speed, not in answers.

    Returns:
        A `BaseNetwork` in its inference form.

    Raises:
        ValueError: naming the array, where one is not finite or a variance is negative; for an
            unknown precision or backend.
    """
    check_variables(variables)
    widened: dict[str, Any] = jax.tree.map(_widen, dict(variables))
    network = description.network()
    fused, folded = fuse(network, widened, precision, backend)
    labels = description.labels or tuple(str(i) for i in range(description.num_classes))
    channels = len(description.normalizer.mean)
    return BaseNetwork(
        logits_fn=Partial(_Output(fused, "logits", channels, labels), folded),
        features_fn=Partial(_Output(fused, "features", channels, labels), folded),
        labels=labels,
        image_shape=(*description.image_size, 3),
        training_sigma=description.training_sigma,
        description=description,
        network=network,
        variables=widened,
    )


@dataclass(frozen=True)
class _Output:
    """One output of a network as a function that compares equal when the network does.

    Attributes:
        network: in its inference form.
        name: of the output.
        channels, labels: what checks ask for, see `pagjax.core.checks`; labels compile nothing.
    """

    network: ResNet
    name: str
    channels: int = 3
    labels: tuple[str, ...] | None = field(default=None, compare=False)

    def __call__(self, variables: Mapping[str, Any], images: Array) -> Array:
        images = as_network_input(images, self, _computing_type(variables))
        return _compiled(self, variables, images)

    def noisy(self, variables: Mapping[str, Any], images: Array, noise: Array) -> Array:
        """The output at ``images + noise``, see `pagjax.core.checks.noisy_logits`."""
        dtype = _computing_type(variables)
        images = as_network_input(images, self, dtype)
        return _compiled(self, variables, images, noise.astype(dtype))


def check_variables(variables: Mapping[str, Any]) -> None:
    """Refuses arrays that are no numbers of a network: NaN, infinite, or a negative variance.

    A compiled network may answer them with finite, constant logits.

    Raises:
        ValueError: naming the array.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(dict(variables)):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        values = np.asarray(leaf)
        if not jnp.issubdtype(values.dtype, jnp.floating):
            raise ValueError(f"{name} is of type {values.dtype}: weights are floating-point")
        if not np.isfinite(
            values.astype(np.float32 if values.itemsize < 4 else values.dtype)
        ).all():
            raise ValueError(f"{name} holds NaN or infinite values: the network is damaged")
        if name.endswith("/var") and (values < 0).any():
            raise ValueError(f"{name} holds a variance of {values.min():.4g}: must be at least 0")


def _computing_type(variables: Mapping[str, Any]) -> Any:
    """The widest type of the weights: narrow ones are of products alone."""
    return max((leaf.dtype for leaf in jax.tree.leaves(variables)), key=lambda d: d.itemsize)


# Called by itself a network compiles in one piece, not operation by operation; within a larger
# program it leaves no trace.
@partial(jax.jit, static_argnums=0, inline=True)
def _compiled(
    output: _Output, variables: Mapping[str, Any], images: Array, noise: Array | None = None
) -> Array:
    outputs: Outputs = output.network.apply(  # type: ignore[assignment]
        variables, images, noise=noise
    )
    return outputs._asdict()[output.name]


def _widen(value: Any) -> Array:
    value = jnp.asarray(value)
    narrow = jnp.issubdtype(value.dtype, jnp.floating) and value.dtype.itemsize < 4
    return value.astype(jnp.float32) if narrow else value
