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
# # Bring your own classifier, and your own photographs
#
# [![Open in Colab][badge]][colab]
#
# [badge]: https://colab.research.google.com/assets/colab-badge.svg
# [colab]: https://colab.research.google.com/github/pagjax/pagjax/blob/main/notebooks/3_your_own_classifier.ipynb
#
# pagjax asks for one thing: a function from images `[n, height, width, channels]` in [0, 1] to
# logits `[n, classes]`. Below, the same small network is written four times: as a plain function,
# in Flax Linen, in Flax NNX and in Equinox. Each is trained on your photographs for some seconds,
# painted with, and certified, by the same lines.

# %% tags=["remove-cell"]
# Where pagjax is missing, as in Colab, this installs it.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("pagjax") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "pagjax[notebooks]"], check=True)

# %%
import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from jax.tree_util import Partial

import pagjax
from pagjax import images, samples
from pagjax.certification import ABSTAIN, certify

SIDE, SIGMA = 32, 0.25

# %% [markdown]
# ## Your photographs
#
# One photograph is a class: the network is to say which of them a piece of 32 pixels comes from.
# Put paths of your own here. `images.read` takes any file that Pillow reads, turns it as its EXIF
# data say, cuts it to size, and gives pixels in [0, 1].

# %%
PHOTOGRAPHS = {
    "grass": samples.path("sample:grass"),
    "bricks": samples.path("sample:bricks"),
    "tissue": samples.path("sample:tissue"),
    "galaxies": samples.path("sample:galaxies"),
}
LABELS = list(PHOTOGRAPHS)
pictures = np.stack([images.read(path, (128, 128)) for path in PHOTOGRAPHS.values()])


def pieces(pictures, number, seed):
    """Random pieces of the photographs and the classes that they are of."""
    random = np.random.default_rng(seed)
    classes = np.arange(number) % len(pictures)
    corners = random.integers(0, np.array(pictures.shape[1:3]) - SIDE + 1, (number, 2))
    places = zip(classes, corners, strict=True)
    return np.stack([pictures[c][y : y + SIDE, x : x + SIDE] for c, (y, x) in places]), classes


# The left three quarters are for training, the rest, which no training piece shows, for tests.
train_images, train_classes = pieces(pictures[:, :, :96], 2048, seed=0)
test_images, test_classes = pieces(pictures[:, :, 96:], 64, seed=1)

figure, axes = plt.subplots(1, len(LABELS), figsize=(7, 2), layout="constrained")
for axis, label, picture in zip(axes, LABELS, pictures, strict=True):
    axis.imshow(picture)
    axis.set_title(label)
    axis.axis("off")

# %% [markdown]
# ## A plain function
#
# A convolution, means over blocks of 4x4, a second convolution, a mean over the picture, a linear
# layer. Pixels are centred inside, so that sigma and epsilon keep their meaning as lengths in
# [0, 1] pixel units.


# %%
def scaled(key, *shape):
    """He et al.'s initial weights."""
    return jax.random.normal(key, shape) * np.sqrt(2 / np.prod(shape[:-1]))


def convolved(x, kernel):
    """Stride 1, padded with zeros."""
    form = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=form)


def plain(weights, x):
    """Images to logits."""
    x = jax.nn.relu(convolved(x - 0.5, weights["first"]) + weights["first_bias"])
    n, height, width, channels = x.shape
    x = x.reshape(n, height // 4, 4, width // 4, 4, channels).mean((2, 4))
    x = jax.nn.relu(convolved(x, weights["second"]) + weights["second_bias"])
    return x.mean((1, 2)) @ weights["last"]


first, second, last = jax.random.split(jax.random.key(1), 3)
plain_weights = {
    "first": scaled(first, 5, 5, 3, 16),
    "first_bias": jnp.zeros(16),
    "second": scaled(second, 3, 3, 16, 32),
    "second_bias": jnp.zeros(32),
    "last": scaled(last, 32, len(LABELS)),
}

# %% [markdown]
# ## Flax Linen
#
# A Linen module is a plain function already: `apply` takes the weights and the images.


# %%
class LinenNetwork(nn.Module):
    """The same layers."""

    @nn.compact
    def __call__(self, x):
        """Images to logits."""
        x = nn.relu(nn.Conv(16, (5, 5))(x - 0.5))
        x = nn.avg_pool(x, (4, 4), strides=(4, 4))
        x = nn.relu(nn.Conv(32, (3, 3))(x))
        return nn.Dense(len(LABELS))(x.mean((1, 2)))


linen = LinenNetwork()
linen_weights = linen.init(jax.random.key(1), jnp.zeros((1, SIDE, SIDE, 3)))

# %% [markdown]
# ## Flax NNX
#
# Split the module into its graph and its state; the state is the weights.


# %%
class NNXNetwork(nnx.Module):
    """The same layers."""

    def __init__(self, rngs):
        self.first = nnx.Conv(3, 16, (5, 5), rngs=rngs)
        self.second = nnx.Conv(16, 32, (3, 3), rngs=rngs)
        self.last = nnx.Linear(32, len(LABELS), rngs=rngs)

    def __call__(self, x):
        """Images to logits."""
        x = nnx.relu(self.first(x - 0.5))
        x = nnx.avg_pool(x, (4, 4), strides=(4, 4))
        x = nnx.relu(self.second(x))
        return self.last(x.mean((1, 2)))


graph, nnx_weights = nnx.split(NNXNetwork(nnx.Rngs(1)))


def of_nnx(state, x):
    """Images to logits."""
    return nnx.merge(graph, state)(x)


# %% [markdown]
# ## Equinox
#
# An Equinox module takes one image with its channels first; `vmap` and `moveaxis` do the rest.


# %%
class EquinoxNetwork(eqx.Module):
    """The same layers."""

    first: eqx.nn.Conv2d
    pool: eqx.nn.AvgPool2d
    second: eqx.nn.Conv2d
    last: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        self.first = eqx.nn.Conv2d(3, 16, 5, padding="SAME", key=keys[0])
        self.pool = eqx.nn.AvgPool2d(4, 4)
        self.second = eqx.nn.Conv2d(16, 32, 3, padding="SAME", key=keys[1])
        self.last = eqx.nn.Linear(32, len(LABELS), key=keys[2])

    def __call__(self, image):
        """One image ``[channels, height, width]`` to logits."""
        x = self.pool(jax.nn.relu(self.first(image - 0.5)))
        x = jax.nn.relu(self.second(x))
        return self.last(x.mean((1, 2)))


equinox_weights, static = eqx.partition(EquinoxNetwork(jax.random.key(1)), eqx.is_array)


def of_equinox(arrays, x):
    """Images to logits."""
    return jax.vmap(eqx.combine(arrays, static))(jnp.moveaxis(x, -1, 1))


# %% [markdown]
# ## Training, the same for all
#
# All four are now a function of weights and images. Fresh Gaussian noise at every step, as in
# Cohen, Rosenfeld and Kolter (2019), is what makes a network worth smoothing.

# %%
NUM_STEPS = 200


def train(function, weights):
    """The weights after some steps of Adam on noisy pieces."""
    optimiser = optax.adam(5e-3)

    def loss(weights, x, classes, key):
        """Cross-entropy on noisy images."""
        noisy = x + SIGMA * jax.random.normal(key, x.shape)
        logits = function(weights, noisy)
        return optax.softmax_cross_entropy_with_integer_labels(logits, classes).mean()

    @jax.jit
    def step(weights, state, key):
        """One step on 32 pieces."""
        chosen, noise = jax.random.split(key)
        rows = jax.random.randint(chosen, (32,), 0, len(train_images))
        x, classes = jnp.asarray(train_images)[rows], jnp.asarray(train_classes)[rows]
        gradient = jax.grad(loss)(weights, x, classes, noise)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(weights, updates), state

    state = optimiser.init(weights)
    for key in jax.random.split(jax.random.key(2), NUM_STEPS):
        weights, state = step(weights, state, key)
    return weights


# %% [markdown]
# Wrapped in a `Partial`, the weights are arguments of the compiled program: other weights of the
# same shapes compile nothing again.

# %%
NETWORKS = {
    "plain": Partial(plain, train(plain, plain_weights)),
    "Linen": Partial(linen.apply, train(linen.apply, linen_weights)),
    "NNX": Partial(of_nnx, train(of_nnx, nnx_weights)),
    "Equinox": Partial(of_equinox, train(of_equinox, equinox_weights)),
}
key = jax.random.key(3)
for name, logits_fn in NETWORKS.items():
    votes = pagjax.smoothed_votes(logits_fn, test_images, key, sigma=SIGMA, num_samples=50)
    right = np.asarray(votes).argmax(axis=1) == test_classes
    print(f"{name}: smoothed, {right.mean():.0%} of {len(right)} test pieces right")

# %% [markdown]
# ## Painting
#
# From one test piece of each photograph towards the next photograph, inside an l2 ball of radius
# 6. Networks as small as these go by colour first, so that is what changes most.

# %%
recipe = pagjax.Recipe(sigma=SIGMA, epsilon=6.0, step_size=0.3, num_steps=30, num_samples=10)
start = test_images[: len(LABELS)]
targets = (test_classes[: len(LABELS)] + 1) % len(LABELS)
found = {
    name: pagjax.targeted_pgd(logits_fn, start, targets, key, recipe)
    for name, logits_fn in NETWORKS.items()
}

rows = {"start": start, **{name: np.asarray(result.images) for name, result in found.items()}}
figure, axes = plt.subplots(len(rows), len(LABELS), figsize=(6, 7.5), layout="constrained")
for line, (name, shown) in zip(axes, rows.items(), strict=True):
    for axis, picture in zip(line, shown, strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
for axis, target in zip(axes[0], targets, strict=True):
    axis.set_title(f"to {LABELS[target]}")

# %% [markdown]
# ## A certificate
#
# For each network, what is proven about the first piece before and after: within this l2 radius
# the smoothed network's answer does not change, with probability 0.999 over the draws.


# %%
def told(certificate):
    """A certificate in words."""
    if certificate.prediction == ABSTAIN:
        return "abstains"
    return f"{LABELS[certificate.prediction]} within {certificate.radius:.2f}"


for name, logits_fn in NETWORKS.items():
    before, after = (
        certify(logits_fn, picture, key, sigma=SIGMA, num_estimation=2000)
        for picture in (start[0], found[name].images[0])
    )
    print(f"{name}: {told(before)}; after painting {told(after)}")

# %% [markdown]
# That is all that pagjax needs to know of a network. The commands (`pagjax synthesize`
# and the others) take networks that are checkpoints, converted or trained by pagjax; functions of
# your own go through the Python interface, as here.
