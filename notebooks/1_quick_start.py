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
# Load a small network, smooth it, follow the gradient of a target class, look.
# All lengths (`sigma`, `epsilon`, `step_size`) are l2 lengths of images with pixels in [0, 1].

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import pagjax
from pagjax import images, samples

network = pagjax.load("cifar10-gaussian-0.25")
print(network.labels, network.image_shape, "trained under sigma", network.training_sigma)

# %% [markdown]
# A photograph that scikit-image carries, at the network's 32 pixels.

# %%
size = network.image_shape[:2]
names = ("cat", "coffee", "astronaut")
start = np.stack([images.read(samples.path(f"sample:{name}"), size) for name in names])
key = jax.random.key(0)

# %% [markdown]
# The smoothed network is the mean over noise draws. Its probabilities at the photographs:

# %%
probabilities = pagjax.smoothed_probabilities(
    network.logits_fn, start, key, sigma=0.25, num_samples=100
)
for name, row in zip(names, np.asarray(probabilities), strict=True):
    top = row.argsort()[::-1][:3]
    print(name, {network.labels[index]: round(float(row[index]), 2) for index in top})

# %% [markdown]
# Now climb the smoothed score of a target class inside an l2 ball around each photograph. This is a
# twelfth of the paper's gradients; `python -m pagjax.synthesize` runs the paper's settings.

# %%
targets = jnp.array([network.labels.index(name) for name in ("ship", "bird", "automobile")])
found = pagjax.targeted_pgd(
    network.logits_fn,
    start,
    targets,
    key,
    sigma=0.25,
    epsilon=40 * 32 / 224,
    step_size=0.2,
    num_steps=60,
    num_samples=8,
)

# %%
figure, axes = plt.subplots(2, len(names), figsize=(7, 5), layout="constrained")
for column, target in enumerate(np.asarray(targets)):
    axes[0, column].imshow(start[column])
    axes[1, column].imshow(np.asarray(found.images[column]))
    axes[0, column].set_title(names[column])
    axes[1, column].set_title(f"to {network.labels[target]}")
for axis in axes.flat:
    axis.axis("off")

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
axis.legend()
