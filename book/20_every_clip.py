# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Thirty-six clips nobody chose
#
# For those who suspect cherry-picking. The clips on this page follow the rule of all figures ({doc}`09_image_to_sequence`), with numbers of *page* and *count* that give clips no figure shows, and
# are shown as they come: 36 images, and 24 of the same clips again as 12 pairs, out of the 2,664 test clips of the real Sprites, since these are the paper's.

# %% tags=["parameters"]
preset = "laptop"
model = "halo-sp"
seed = 0

# %% tags=["hide-input"]
import warnings

import torch

from hamrepro import figures

warnings.filterwarnings("ignore", message="IProgress not found")  # no widgets here
torch.set_num_threads(1)

# %% [markdown]
# ## 36 images under every operator
#
# Three images a line; for each, frames 1, 4, 7 and 10, one row an operator: walk, spellcast, slash. Everything is generated from the one
# image, frame 1 included (HALO with $\mathbf H$, preset `laptop`, seed 0, test clips).

# %% mystnb={"image": {"alt": "Thirty-six images, each moved by three operators, every third frame", "classes": "pixelated"}} tags=["hide-input"]
figures.show("every-image", preset, model, seed, ("sprites",))

# %% [markdown]
# ## 12 swaps
#
# Per pair: $i$, $j$, $i$ moving like $j$, $j$ moving like $i$.

# %% mystnb={"image": {"alt": "Twelve pairs of clips and the same with their motions exchanged", "classes": "pixelated"}} tags=["hide-input"]
figures.show("every-pair", preset, model, seed, ("sprites",))
