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
# [![Open in Colab][badge]][colab]
#
# [badge]: https://colab.research.google.com/assets/colab-badge.svg
# [colab]: https://colab.research.google.com/github/pagjax/pagjax/blob/main/notebooks/2_the_papers_story.ipynb
#
# Kaur, Cohen and Lipton (2019) observed that large targeted perturbations of *smoothed* networks
# look like the target class, as those of adversarially trained networks do, and those of ordinary
# networks do not. Here are small forms of their figures; `pagjax figures all` draws them
# whole, with all numbers, on one page. To take minutes, this notebook draws two starts a figure and
# takes 40 steps where the preset `fast` takes 140.
#
# Which judge is asked decides what is found. Believe the robust judge, a network trained on l2
# attacks that made none of the pictures. A vanilla judge is a warning beside it: adversarial grain
# carries over between vanilla networks, so it sees the target where nobody else does. The same
# judge of blurred pictures is a check.

# %% tags=["remove-cell"]
# Where pagjax is missing, as in Colab, this installs it.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("pagjax") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "pagjax[notebooks]"], check=True)

# %%
import csv
import tempfile
from pathlib import Path

from IPython.display import Image, Markdown, display

from pagjax.figures.cast import Cast
from pagjax.figures.make import Choice, make_figure
from pagjax.figures.recipes import recipes

OUT = Path(tempfile.mkdtemp())
CHOICE = Choice(rows=2, columns=4, preset="fast", num_steps=40)
# Ten ImageNet classes at 128 pixels; Cast(["cifar10"]) with recipes(main=0.25, compared=0.25) plays
# the small networks of 32 pixels.
RECIPES, CAST = recipes(), Cast()
JUDGES = CAST.judges()
for which, judge in JUDGES.items():
    print(f"{which} judge: {judge.name}")


def show(number):
    """Draws a figure, if the networks that it takes are here."""
    recipe = RECIPES[number]
    missing = CAST.missing(recipe)
    if missing:
        print(f"figure {number} waits for {', '.join(missing.values())}")
        return
    folder = make_figure(recipe, CAST.makers(recipe), JUDGES, CHOICE, OUT, command="this notebook")
    display(Image(folder / "figure.png"))
    display(Markdown(table(folder / "means.csv")))


def table(file):
    """What the judges say, and the share of high frequencies, variant by variant."""
    shown = {
        "variant": "",
        "probability": "its own p",
        "judge_robust_probability": "robust judge",
        "judge_vanilla_probability": "vanilla judge (warning)",
        "judge_vanilla_blurred_probability": "vanilla, blurred",
        "high_frequencies": "high frequencies",
    }
    rows = list(csv.DictReader(file.read_text().splitlines()))
    lines = [list(shown.values()), ["---"] * len(shown)]
    for row in rows:
        told = [row.get(name) or "-" for name in shown]
        lines.append(
            [told[0], *(text if text == "-" else f"{float(text):.2f}" for text in told[1:])]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# %% [markdown]
# ## Three ways of training: figures 1 and 12
#
# The same starts and targets for a network trained on clean images, one trained on l2 attacks, and
# one trained and evaluated under Gaussian noise. The paper sees the target in the pictures of the
# two robust ones.

# %%
show(1)

# %% [markdown]
# ## Any start, any target: figures 2, 5 and 6

# %%
show(2)

# %% [markdown]
# ## Class-conditional synthesis from draws of a Gaussian: figures 3, 7 and 8

# %%
show(3)

# %% [markdown]
# ## The noise level: figures 4, 9, 10 and 11
#
# The paper sees grain without noise, scattered features at small sigma, one object at large sigma.

# %%
show(4)

# %% [markdown]
# ## Two objectives: figure 13

# %%
show(13)

# %% [markdown]
# ## The number of noise draws: figure 14
#
# The paper sees little change beyond N = 20.

# %%
show(14)

# %% [markdown]
# ## Gaussian augmentation and SmoothAdv: figures 15, 16 and 17

# %%
show(15)

# %% [markdown]
# Figures 5 to 12, 16 and 17 are the same with other starts, and are as easily drawn: change the
# number below.

# %%
show(12)
