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
# # Certify along the way
#
# [![Open in Colab][badge]][colab]
#
# [badge]: https://colab.research.google.com/assets/colab-badge.svg
# [colab]: https://colab.research.google.com/github/pagjax/pagjax/blob/main/notebooks/4_certify_and_synthesise.ipynb
#
# A smoothed classifier comes with a proof: around an image there is an l2 ball in which its
# prediction cannot change (Cohen, Rosenfeld and Kolter 2019). On the way from a photograph to the
# target class the certified class changes hands, and the ball shrinks to nothing and grows again.

# %% tags=["remove-cell"]
# Where pagjax is missing, as in Colab, this installs it.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("pagjax") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "pagjax[notebooks]"], check=True)

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.animation import FuncAnimation

import pagjax
from pagjax import images, samples
from pagjax.certification import ABSTAIN, certify

SIGMA = 0.25
network = pagjax.load("cifar10-gaussian-0.25")
start = images.read(samples.path("sample:cat"), network.image_shape[:2])[None]
target = network.labels.index("ship")
key = jax.random.key(0)

# %% [markdown]
# The loop can be left and entered again: `state` continues it, bit for bit.

# %%
recipe = pagjax.Recipe(
    sigma=SIGMA, epsilon=40 * 32 / 224, step_size=0.2, num_steps=6, num_samples=8
)
state, way = None, [start[0]]
for _ in range(8):
    found = pagjax.targeted_pgd(
        network.logits_fn,
        start,
        jnp.array([target]),
        key,
        recipe,
        state=state,
    )
    state = found.state
    way.append(np.asarray(found.images[0]))

# %% [markdown]
# A certificate for every picture. With probability at least 1 - alpha over the draws it is right.

# %%
certificates = [
    certify(
        network.logits_fn,
        jnp.asarray(picture),
        jax.random.fold_in(key, number),
        sigma=SIGMA,
        num_selection=100,
        num_estimation=1000,
        alpha=0.001,
        chunk_size=100,
    )
    for number, picture in enumerate(way)
]
told = []
for found in certificates:
    name = "abstains" if found.prediction == ABSTAIN else network.labels[found.prediction]
    told.append(f"{name}, radius {found.radius:.2f}")
    print(told[-1])

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot([6 * step for step in range(len(way))], [found.radius for found in certificates], "o-")
_ = axis.set(xlabel="step", ylabel="certified l2 radius")
# %% [markdown]
# Move the slider along the trajectory.

# %%
figure, axis = plt.subplots(figsize=(3, 3.3), layout="constrained")
picture = axis.imshow(way[0])
axis.axis("off")


def show(number):
    """One picture of the way."""
    picture.set_data(np.clip(way[number], 0, 1))
    axis.set_title(told[number], size=9)
    return (picture,)


player = FuncAnimation(figure, show, frames=len(way), interval=400)
slider = HTML(player.to_jshtml())
plt.close(figure)
slider
