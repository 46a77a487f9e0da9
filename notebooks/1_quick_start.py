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
# # Quick start
#
# [![Open in Colab][badge]][colab]
#
# [badge]: https://colab.research.google.com/assets/colab-badge.svg
# [colab]: https://colab.research.google.com/github/pagjax/pagjax/blob/main/notebooks/1_quick_start.ipynb
#
# Load a network for ten ImageNet classes, smooth it, follow the gradient of a target class, look.
# All lengths (`sigma`, `epsilon`, `step_size`) are l2 lengths of images with pixels in [0, 1].

# %% tags=["remove-cell"]
# Where pagjax is missing, as in Colab, this installs it.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("pagjax") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "pagjax[notebooks]"], check=True)

# %%
from dataclasses import replace

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import pagjax
from pagjax import images, samples

network = pagjax.load("imagenette-gaussian-0.50")
sigma = network.training_sigma
print(network.labels, network.image_shape, "trained under sigma", sigma)

# %% [markdown]
# Photographs that scikit-image carries, at the network's 128 pixels, cut so that each shows its
# subject.

# %%
size = network.image_shape[:2]
names = ("clock", "coffee", "cat")
given = [f"sample:{name}" for name in names]
start = np.stack([images.read(samples.path(n), size, crop=samples.crop(n)) for n in given])
key = jax.random.key(0)

# %% [markdown]
# The smoothed network is the mean over noise draws. Its probabilities at the photographs:

# %%
probabilities = pagjax.smoothed_probabilities(
    network.logits_fn, start, key, sigma=sigma, num_samples=100
)
for name, row in zip(names, np.asarray(probabilities), strict=True):
    top = row.argsort()[::-1][:3]
    print(name, {network.labels[index]: round(float(row[index]), 2) for index in top})

# %% [markdown]
# Now climb the smoothed score of a target class inside an l2 ball around each photograph. The
# preset `fast` takes a twentieth of the gradients of `paper`, which has the paper's settings.

# %%
targets = jnp.array(
    [network.labels.index(name) for name in ("golf ball", "church", "English springer")]
)
recipe = pagjax.presets.recipe("fast", size[0], sigma=sigma)
print(f"radius {recipe.epsilon:.1f}, {recipe.num_steps} steps of {recipe.num_samples} draws")


def paint(begun, projection=pagjax.projections.ball_then_box):
    """The loop towards the targets from any starts."""
    return pagjax.targeted_pgd(
        network.logits_fn,
        begun,
        targets,
        key,
        replace(recipe, projection=projection),
    )


def draw(above, below, said):
    """Two rows of pictures."""
    _, axes = plt.subplots(2, len(names), figsize=(7, 5), layout="constrained")
    for column, target in enumerate(np.asarray(targets)):
        axes[0, column].imshow(above[column], interpolation="nearest")
        axes[1, column].imshow(np.asarray(below[column]), interpolation="nearest")
        axes[0, column].set_title(names[column])
        axes[1, column].set_title(f"{said} {network.labels[target]}")
    for axis in axes.flat:
        axis.axis("off")


found = paint(start)
draw(start, found.images, "to")

# %% [markdown]
# The objective along the way, with its Monte Carlo standard error.

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for column, name in enumerate(names):
    objective = np.asarray(found.trace.objective[column])
    error = np.asarray(found.trace.standard_error[column])
    steps = np.arange(len(objective))
    axis.plot(steps, objective, label=name)
    axis.fill_between(steps, objective - error, objective + error, alpha=0.3)
axis.set(xlabel="step", ylabel="mean target logit")
_ = axis.legend()

# %% [markdown]
# ## The same gradient as an explanation
#
# SmoothGrad (Smilkov et al. 2017) is the gradient that the loop follows: what paints a class also
# says where the network sees it.

# %%
from pagjax.attribution import heatmap, smoothgrad

own = np.asarray(probabilities).argmax(axis=1)
seen = heatmap(smoothgrad(network.logits_fn, jnp.asarray(start), own, key, sigma=sigma))
figure, axes = plt.subplots(1, len(names), figsize=(7, 2.6), layout="constrained")
for axis, name, index, picture in zip(axes, names, own, np.asarray(seen), strict=True):
    axis.imshow(picture, cmap="gray")
    axis.set_title(f"{name} as {network.labels[index]}")
    axis.axis("off")

# %% [markdown]
# ## Inpainting with the same loop
#
# A projection that moves nothing outside a mask. Here the middle of each photograph is grey, and
# the loop fills it in for a class.

# %%
from pagjax.projections import only_inside

mask = np.zeros((*size, 1), bool)
mask[32:96, 32:96] = True
holed = np.where(mask, 0.5, start).astype(np.float32)
filled = paint(holed, only_inside(jnp.asarray(mask)))
draw(holed, filled.images, "filled as")

# %% [markdown]
# ## Super-resolution, likewise
#
# A projection that keeps the mean of every block of pixels. Each photograph is brought down to 16
# pixels; the loop paints detail of a class that averages out to those 16 pixels again. The detail
# is invented: it is what this network thinks the class looks like, not what the photograph showed.

# %%
from pagjax.projections import same_block_means

small = start.reshape(len(names), 16, 8, 16, 8, 3).mean(axis=(2, 4))
coarse = small.repeat(8, axis=1).repeat(8, axis=2)
sharp = paint(coarse, same_block_means(8)).images
draw(coarse, sharp, "finer, as")
error = np.asarray(sharp).reshape(len(names), 16, 8, 16, 8, 3).mean(axis=(2, 4)) - small
print("the 16 pixels are kept to", float(np.abs(error).max()))
