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
# # The paper's story, figure by figure
#
# Kaur, Cohen and Lipton (2019) observed that large targeted perturbations of *smoothed* networks
# look like the target class, as those of adversarially trained networks do, and those of ordinary
# networks do not. Here are small forms of their figures; `python -m pagjax.figures all` draws them
# whole, with all numbers, on one page.

# %%
import tempfile
from pathlib import Path

from IPython.display import Image, display

from pagjax import checkpoints
from pagjax.checkpoints import shipped
from pagjax.figures.make import Choice, Named, make_figure
from pagjax.figures.recipes import recipes

OUT = Path(tempfile.mkdtemp())
CHOICE = Choice(rows=2, columns=4, preset="fast")
NETWORKS = {"vanilla": "cifar10-vanilla", "adversarial": "cifar10-adversarial-l2"}
JUDGE = "cifar10-judge-adversarial-l2"
judges = {"robust": Named(JUDGE, checkpoints.load(JUDGE))} if JUDGE in shipped.names() else {}


def show(number):
    """Draws a figure, if the networks that it takes are here."""
    recipe = recipes()[number]
    names = {role: NETWORKS.get(role, f"cifar10-{role}") for role in recipe.roles}
    missing = [name for name in names.values() if name not in shipped.names()]
    if missing:
        print(f"figure {number} needs {', '.join(missing)}")
        return
    networks = {role: Named(name, checkpoints.load(name)) for role, name in names.items()}
    folder = make_figure(recipe, networks, judges, CHOICE, OUT, command="this notebook")
    display(Image(folder / "figure.png"))
    print((folder / "means.csv").read_text())


# %% [markdown]
# ## Figure 1: three ways of training
#
# The same starts and targets for a network trained on clean images, one trained on l2 attacks, and
# one trained and evaluated under Gaussian noise. Watch the share of high frequencies and the judge.

# %%
show(1)

# %% [markdown]
# ## Figure 2: any start, any target

# %%
show(2)

# %% [markdown]
# ## Figure 3: class-conditional synthesis from draws of a Gaussian

# %%
show(3)

# %% [markdown]
# ## Figure 4: the noise level

# %%
show(4)

# %% [markdown]
# ## Figure 13: two objectives

# %%
show(13)

# %% [markdown]
# ## Figure 15: Gaussian augmentation and SmoothAdv

# %%
show(15)
