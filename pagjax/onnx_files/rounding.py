"""What half precision of the kernels does to a network's answers and gradients."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from pagjax.networks.base import BaseNetwork
from pagjax.networks.resnet import BATCH_NORM_EPSILON, ResNet, fuse
from pagjax.onnx_files.network import folded

# Between neighbouring numbers of half precision lies 2^-10 of their size. That is 1e-4 to 1e-3 of
# the logits; of a gradient it is more, where a rectifier near its kink falls to the other side.
MOST_OF_LOGITS, MOST_OF_GRADIENT = 5e-3, 5e-2
_IMAGES, _DRAWS = 2, 2


class Rounding(NamedTuple):
    """Largest l2 errors over a few images, relative to what is rounded.

    Attributes:
        logits: of the logits about their mean.
        gradient: of the gradient of one logit by the image.
    """

    logits: float
    gradient: float

    @property
    def small(self) -> bool:
        """Whether both are within `MOST_OF_LOGITS` and `MOST_OF_GRADIENT`."""
        return self.logits <= MOST_OF_LOGITS and self.gradient <= MOST_OF_GRADIENT


def of(network: BaseNetwork) -> Rounding:
    """Measures it, on images of noise and of slopes under the network's own noise."""
    height, width, channels = network.image_shape
    random = np.random.default_rng(0)
    slopes = np.linspace(0, 1, height)[:, None, None] * np.ones((1, width, channels))
    images = np.stack([random.random((height, width, channels)), slopes]).astype(np.float32)
    sigma = network.training_sigma or 0.0
    noise = sigma * random.standard_normal((_DRAWS, *images.shape[1:])).astype(np.float32)
    module, variables = fuse(network.network, network.variables)
    narrow = fuse(network.network, _narrowed(network))[1]
    errors = []
    for index in range(_IMAGES):
        exact, near = (_answers(module, own, images[index] + noise) for own in (variables, narrow))
        errors.append([_relative(a, b) for a, b in zip(near, exact, strict=True)])
    logits, gradient = np.max(errors, axis=0)
    return Rounding(float(logits), float(gradient))


@partial(jax.jit, static_argnums=0)  # networks of one shape compile once
def _answers(module: ResNet, variables: Any, images: Array) -> tuple[Array, Array]:
    def best(image: Array) -> tuple[Array, Array]:
        logits = module.apply(variables, images + image).logits  # type: ignore[union-attr]
        return logits.mean(axis=0).max(), logits - logits.mean(axis=1, keepdims=True)

    gradient, logits = jax.grad(best, has_aux=True)(jnp.zeros_like(images[0]))
    return logits, gradient


def _relative(near: Array, exact: Array) -> float:
    wanted = np.asarray(exact, np.float64)
    error = np.linalg.norm(np.asarray(near, np.float64) - wanted)
    return float(error) / max(float(np.linalg.norm(wanted)), 1e-30)


def _narrowed(network: BaseNetwork) -> dict[str, Any]:
    """Variables whose kernels, norms folded in, have passed through half precision."""
    found = folded(network)

    def walk(params: Any, layers: Any) -> tuple[Any, Any]:
        new: dict[str, Any] = {}
        statistics: dict[str, Any] = {}
        for name, own in params.items():
            if name == "head":
                new[name] = own
            elif "conv" in own:
                kernel, bias = layers[name]
                with np.errstate(over="ignore"):  # too large ones become infinite and are told
                    new[name] = {"conv": {"kernel": kernel.astype(np.float16).astype(np.float32)}}
                if "norm" in own:
                    one = np.ones_like(bias)
                    new[name]["norm"] = {"scale": one, "bias": bias}
                    statistics[name] = {
                        "norm": {"mean": 0 * one, "var": one - np.float32(BATCH_NORM_EPSILON)}
                    }
            elif "norm" in own:
                gain, bias = layers[name]
                one = np.ones_like(bias)
                new[name] = {"norm": {"scale": gain, "bias": bias}}
                statistics[name] = {
                    "norm": {"mean": 0 * one, "var": one - np.float32(BATCH_NORM_EPSILON)}
                }
            else:
                new[name], statistics[name] = walk(own, layers[name])
        return new, statistics

    params, statistics = walk(network.variables["params"], found)
    return {"params": params, "batch_stats": statistics}
