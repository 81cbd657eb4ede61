# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Unconditional generation
#
# No clip at all: $\mathbf z \sim \mathcal N(\mathbf 0, \mathbf I)$, $\mathbf s_1 \sim \mathcal N(\mathbf 0, \mathbf I)$, and an action $k$, Eqs. (1)–(6) read from top to bottom. "Unconditional"
# is the paper's word. The action is still given: it decides in which subspace the state lives and which operator moves it.

# %% tags=["parameters"]
preset = "laptop"
dataset = "sprites"
model = "halo-sp"
seed = 0
recompute = False  # True: train, or go on with a training, then evaluate and write the record

# %% tags=["hide-input"]
import warnings

import pandas as pd
import torch

from hamrepro import figures, judging, tables

warnings.filterwarnings("ignore", message="IProgress not found")  # no widgets here
torch.set_num_threads(1)
pd.set_option("display.width", 160, "display.max_columns", 20)

# %%
if recompute:
    judging.recompute(preset, dataset, model, seed)

# %% [markdown]
# ## Figure 4, right
#
# (paper-figure-4-right)=
# **Figure 4 (b), (d).** Six draws of the prior, frames 1 to 8 and below them 9 to 16, actions by turns: walk, spellcast, slash, and again. They are the
# first six of the random stream, whatever they look like (HALO with $\mathbf H$, preset
# `laptop`, seed 0). (In the paper's caption both right-hand panels are called (b) and (c).)

# %% mystnb={"image": {"alt": "Six clips drawn from the prior, sixteen frames each", "classes": "pixelated strip"}}
figures.show("figure-4-prior", preset, model, seed)

# %% mystnb={"image": {"alt": "The same six draws moving", "width": "588px", "classes": "pixelated"}} tags=["nbval-ignore-output"]
figures.show("figure-4-prior", preset, model, seed, figures.LIVE[:1], kind="gif")

# %% [markdown]
# The same noise once more, through a prior fitted to what the encoder gives for training clips ({ref}`D23 <d23>`; here for 600 of them). This is no figure of the paper. Walking legs and arms are drawn more clearly than above, so that much was the prior's; mixed colours stay,
# and whose they are this does not tell, since the fitted prior of $\mathbf z$ is still one Gaussian (six draws, by eye):

# %% mystnb={"image": {"alt": "Six clips from the fitted prior, sixteen frames each", "classes": "pixelated strip"}}
figures.show("figure-4-fitted", preset, model, seed)

# %% [markdown]
# ## What to expect of them
#
# A draw of $\mathbf z$ is a character nobody has drawn. Sprites have four attributes of six values, 1,296 characters in all, and 256 Gaussian
# numbers have no reason to fall on one of them: the prior is continuous, the data are not. Colours that lie between two skins and hair
# between two styles are what a smooth decoder makes of that. The bound keeps the posterior of each clip near the prior, not the
# average of all posteriors on it; how far apart those are is measured in {doc}`07_disentanglement`, *How good is the prior?*
#
# The state has the same gap, and one more. Where $\mathbf H$ is not skew, a draw that was standard normal at frame 1 is not so at frame 8.
#
# ## Scored: protocol A-category
#
# The judge is shown clips like these and asked for the action that was given. There is no content clip, so there are no attributes to
# keep, and no view that would be right: HALO is read 3-way. MoCoGAN, which can be asked in no other way, has the nine action-views as
# categories and is read 9-way; HALO with nine operators is told the action-view, as MoCoGAN is, so that its $H(y)$ answers no question. ± is the standard deviation over seeds, their number in brackets; one draw each. The figures are of seed 0, the best of the three
# with $\mathbf H$ (3-way 0.961, 0.946, 0.835); nearly all of the spread is seed 2, whose $H(y)$ is 1.801. Models whose prior takes no request have entropies only.

# %%
rows = {}
for name in tables.UNDER_B:
    row = rows[tables.LABELS[name]] = {"told": tables.SUPERVISION[name], "n": 0}
    for head, key in {"H(y|x), 9-way": "h_y_given_x/A-category/9way", "H(y), 9-way": "h_y/A-category/9way",
                      "IS, 9-way": "is/A-category/9way", "3-way": "accuracy/A-category/3way",
                      "9-way": "accuracy/A-category/9way"}.items():  # fmt: skip
        cell = tables.Cell(preset, "sprites", name, key, "shown")
        row[head] = cell.text(clips=False)
        row["n"] = max(cell.n, row["n"])
    row["n"] = row["n"] or "·"
tables.briefly(pd.DataFrame(rows).T)

# %% [markdown]
# Here $H(y)$ is a real question for HALO: the three actions are asked for equally often, but from which side the character is seen is the
# prior's choice. $\ln 9 = 2.197$ says evenly from all three. $n$ is the number of clips of one draw; MoCoGAN, which needs no clip to begin with, was drawn twice.
#
# ### Faces

# %%
rows = {}
for data in ("mug", "faces-procedural"):
    for name in ("halo-sp", "halo-u", "mocogan"):
        asked = {"6-way": "accuracy", "H(y|x)": "h_y_given_x", "H(y)": "h_y"}
        cells = {head: tables.Cell(preset, data, name, f"{key}/A-category/6way", "shown")
                 for head, key in asked.items()}  # fmt: skip
        rows[tables.DATASETS[data], tables.LABELS[name]] = {head: cell.text() for head, cell in cells.items()}
tables.briefly(pd.DataFrame(rows).T)

# %% [markdown]
# Chance is 0.167. On the stand-in HALO was asked for 18 clips only: its intervals reach from a fifth (skew-$\mathbf H$: a tenth) to a half, and say little more than that it often does something other than what was
# asked. MoCoGAN was asked for 144, five times. On takes, which have no cycle, states from the prior were never met in training ([D19](#d19)). {doc}`07_disentanglement`, *Or fit the prior to
# the encoder*, asks for the same actions with states that were.
