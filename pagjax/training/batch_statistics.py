"""Batch statistics of weights that no training step saw, such as averaged ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding

from pagjax.io.data.labelled_images import LabelledImages
from pagjax.networks.resnet import ResNet
from pagjax.training.data import batches, on_devices
from pagjax.training.material import NOTHING, Material
from pagjax.training.settings import Settings
from pagjax.training.step import Batch, Variables, plan_of

# The network's own running statistics have forgotten the old ones after the first few batches.
_BATCHES, _FORGETTING = 180, 60


def measured_anew(
    settings: Settings,
    network: ResNet,
    data: LabelledImages,
    variables: Variables,
    split: NamedSharding,
    rows: slice,
    material: Material = NOTHING,
    shares: np.ndarray | None = None,
) -> Variables:
    """The same weights, with batch statistics measured on what the procedure trains on.

    Args:
        settings: of the run.
        network: the Flax module.
        data: training images.
        variables: collections ``"params"`` and ``"batch_stats"``.
        split: how a batch lies on the devices.
        rows: of a batch that this process's devices hold.
        material: what the procedure needs beside the images.
        shares: how likely each image is to be the next, where they differ.
    """

    @jax.jit
    def measure(variables: Variables, key: Array, *batch: Array) -> Variables:
        plan = plan_of(settings, network, variables, key, Batch(*batch), bayes=material.bayes)
        _, changed = network.apply(variables, plan.images, train=True, mutable=["batch_stats"])
        return {**variables, "batch_stats": changed["batch_stats"]}

    seed = settings.seed + 1  # another order and other noise than training's
    total = jax.tree.map(jnp.zeros_like, variables["batch_stats"])
    stream = batches(
        data,
        settings.batch_size,
        seed,
        0,
        _BATCHES,
        rows,
        soft_labels=material.soft_labels,
        shares=shares,
    )
    for number, batch in enumerate(stream):
        placed = on_devices(batch, split)
        variables = measure(variables, jax.random.fold_in(jax.random.key(seed), number), *placed)
        if number >= _FORGETTING:
            total = jax.tree.map(jnp.add, total, variables["batch_stats"])
    mean = jax.tree.map(lambda leaf: leaf / (_BATCHES - _FORGETTING), total)
    return {**variables, "batch_stats": mean}
