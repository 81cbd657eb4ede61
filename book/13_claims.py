# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the paper claims, and what became of it
#
# Twenty claims of the abstract, the contributions, the results and the conclusion, in the paper's words. Each has a test that
# could have failed (`data/claims.json`); the evidence is read from the records or computed from the operators as the page is
# made, and the verdict follows from the checks by one rule:
#
# | verdict | when |
# |---|---|
# | reproduced | every check of the claim was made and holds |
# | partly | some hold; others fail, or could not be made yet |
# | not reproduced | no check that was made holds |
# | not run | no check was made, and one could be |
# | not testable here | no check can be made: the data need a licence |
#
# Three bounds recur. *Seen by the judge* means at least 95 % of the accuracy that the same judge reaches on real clips. A
# number of a table counts where it is as good as printed, or short of it by no more than the paper's own ±. What is exact on
# paper may be off by 0.1 % in float32, the arithmetic of training.
#
# The model judged is that of preset `laptop`, whose later cycles train on more than Eq. (17): states from the prior, further periods, a discrepancy and an adversary ({doc}`12_deviations`, D19 to D21 and D24). Before them
# some checks would fail, those that ask for the requested action under A and in swaps: after the first cycle alone $\mathbf H$ shows it in 0.709 of the draws of A and 0.854 of the swaps (234 and 288 clips, seed 0;
# {doc}`07_disentanglement`). There *reproduced* means the paper's model with these additions.
#
# Every other bound stands with its test. Where not all test clips were scored a {term}`fixed share` counts, and $n$ says how many; where
# there is one seed, the verdict is on one training.
#
# These bounds are ours, and they were not set blind: the first records of HALO on Sprites (seed 0) were known when they were
# written. One was changed afterwards: that of the symplectic form was $10^{-5}$, which the shipped operators met and an untrained one
# missed by rounding, and became the 0.1 % of the others. Six tests were sharpened later, when they were seen to ask less than the words say: of *control*, *swapping*, *from a given image*, *computational cost*, *comparable to S3VAE* and
# *long term trajectories*. One sentence of the limitations, on irregular sampling and changes of
# tempo, was tried and left out: that $e^{t\mathbf H}$ can be evaluated between frames says nothing of an encoder trained on whole ones.

# %% tags=["parameters"]
preset = "laptop"
dataset = "sprites"

# %% tags=["hide-input"]
from html import escape

import pandas as pd
from IPython.display import HTML

from hamrepro import claims, evidence, tables

# %%
ledger = claims.ledger(evidence.Evidence(preset, dataset))
counts = ledger["verdict"].value_counts()
pd.DataFrame({"claims": counts.reindex(evidence.VERDICTS).fillna(0).astype(int)}).rename_axis(None)

# %% [markdown]
# Claim by claim. ✓ holds, ✗ fails, · could not be looked at. In brackets the number of seeds; a stand-in's numbers count for
# nothing here.

# %% tags=["hide-input"]
MARKS = {True: "✓", False: "✗", None: "·"}


def lines(checks):
    return "<br>".join(dict.fromkeys(f"{MARKS[check.holds]} {escape(check.evidence)}" for check in checks))


def rows():
    for _, claim in ledger.iterrows():
        yield {"claim": f"“{escape(claim.quote)}”<br><small>{escape(claim['where'])}</small>",
               "test": escape(claim.test), "evidence": lines(claim.evidence),
               "verdict": f"<b>{claim.verdict}</b>"}  # fmt: skip


# %%
table = pd.DataFrame(rows())
HTML(table.to_html(index=False, escape=False, border=0, classes="dataframe ledger", justify="left"))

# %% [markdown]
# ## Near misses
#
# The ledger counts the recipe of the preset, every seed, and a mean that falls short by a hair falls short. Some of its checks ask how well a run draws and how well it keeps
# content and motion apart, which is a matter of steps and, more, of the decoder's channels ({doc}`06_generation`, {doc}`07_disentanglement`). Beside the recipe three runs that count nowhere above, one seed each:
# `+long+second-cycle`, with a first cycle three times as long that has D21 from its start; `+wide`, the recipe's steps with a decoder of more channels; `+one-cycle`, with that decoder, fewer steps and D27:

# %%
checks = {"swaps, all right": "accuracy/C/both", "SSIM, strict": "ssim/strict/1-16",
          "A, 3-way": "accuracy/A/3way", "A, skin": "accuracy/A/skin"}  # fmt: skip
rows = {}
for name in ("halo-sp", "halo-sp+long+second-cycle", "halo-sp+wide", "halo-sp+one-cycle"):
    rows[name] = {head: tables.Cell(preset, dataset, name, key).text() for head, key in checks.items()}
pd.DataFrame(rows).T

# %% [markdown]
# ## What to make of it
#
# The statements about the *operators* hold by construction, up to rounding (which a growing mode multiplies: over 1,000 frames the energy of $\mathbf H$ drifts by 0.8 % with one seed of three, beyond the bound of 0.1 %), and are checked because construction can be got wrong; the
# release is an example ({doc}`12_deviations`). What construction gives is less than the words suggest. A symplectic flow
# conserves an energy and a volume, and neither keeps a clip near the clips that were trained on: that takes a spectrum on
# the imaginary axis, and frequencies that are right to many digits ({doc}`03_symplectic`, {doc}`06_generation`). So *long term trajectories* is judged at 16 frames, the length of Table 1; at
# frames 993 to 1,000 neither family keeps 95 % of its SSIM (*long-term separability*).
#
# Where the statements about *disentanglement* hold, the label goes far to make them so (on Sprites DSVAE swaps without one, {doc}`22_ablation`; on faces it hardly does, {doc}`07_disentanglement`). The model is told the action, at training and at
# test time, and keeps a subspace for each; that a subspace then controls its action is checked above and is no discovery. The
# paper says so itself, under limitations.
