# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Bring your own classifier, and your own images
#
# pagjax asks for one thing: a function from images `[n, height, width, channels]` in [0, 1] to
# logits `[n, classes]`. Below it comes from a plain function, from Flax NNX and from Equinox. The
# classifiers are untrained, so the pictures say nothing; what counts is that the same three lines
# serve all of them.

# %%
import equinox as eqx
import jax
import jax.numpy as jnp
from flax import nnx
from jax.tree_util import Partial

import pagjax

images = jax.random.uniform(jax.random.key(1), (2, 16, 16, 3))
targets = jnp.array([3, 7])
settings = {"sigma": 0.25, "epsilon": 2.0, "step_size": 0.2, "num_steps": 20, "num_samples": 4}


def paint(logits_fn):
    """The smoothed target logit before and after."""
    key = jax.random.key(0)
    found = pagjax.targeted_pgd(logits_fn, images, targets, key, **settings)
    for name, pictures in (("start", images), ("result", found.images)):
        logits = pagjax.smoothed_logits(logits_fn, pictures, key, sigma=0.25, num_samples=100)
        print(name, [round(float(logits[i, t]), 3) for i, t in enumerate(targets)])
    return found.images


# %% [markdown]
# ## A plain function
#
# Wrapped in a `Partial`, the weights are arguments of the compiled program: other weights of the
# same shapes compile nothing again.


# %%
def linear(weights, x):
    """A linear classifier."""
    return x.reshape(len(x), -1) @ weights


weights = jax.random.normal(jax.random.key(2), (16 * 16 * 3, 10)) / 30
paint(Partial(linear, weights))

# %% [markdown]
# ## Flax NNX
#
# Split the module into its graph and its state; the state is the pytree.


# %%
class Small(nnx.Module):
    """A convolution and a linear layer."""

    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.head = nnx.Linear(8, 10, rngs=rngs)

    def __call__(self, x):
        """Images to logits."""
        return self.head(nnx.relu(self.conv(x)).mean((1, 2)))


graph, state = nnx.split(Small(nnx.Rngs(0)))
paint(Partial(lambda state, x: nnx.merge(graph, state)(x), state))

# %% [markdown]
# ## Equinox
#
# An Equinox module takes one image with its channels first; `vmap` and `moveaxis` do the rest.


# %%
class Tiny(eqx.Module):
    """A convolution and a linear layer."""

    conv: eqx.nn.Conv2d
    head: eqx.nn.Linear

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(3, 8, 3, stride=2, key=key)
        self.head = eqx.nn.Linear(8, 10, key=key)

    def __call__(self, image):
        """One image ``[channels, height, width]`` to logits."""
        return self.head(jax.nn.relu(self.conv(image)).mean((1, 2)))


arrays, static = eqx.partition(Tiny(jax.random.key(3)), eqx.is_array)


def equinox_logits(arrays, x):
    """A batch with its channels last, as pagjax gives it."""
    return jax.vmap(eqx.combine(arrays, static))(jnp.moveaxis(x, -1, 1))


paint(Partial(equinox_logits, arrays))

# %% [markdown]
# ## Your own images
#
# `pagjax.images.read(path, (height, width))` reads any file that Pillow can, in [0, 1], cut to
# size. Networks with a normaliser of their own should take [0, 1] at their door and normalise
# inside, so that sigma and epsilon keep their meaning.
