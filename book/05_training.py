# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Training
#
# The paper's recipe is one line: Adam, learning rate $2 \times 10^{-4}$, 24 clips a step, on GeForce RTX 2080 GPUs. How many, how long, at which betas
# and with which schedule it does not say ([D6](#d6)). This chapter states what is run here, shows a whole training live, and
# accounts for the ones whose results are shown in the rest of the book.

# %% tags=["parameters"]
preset = "laptop"
dataset = "sprites"
model = "halo-sp"
seed = 0
recompute = False  # True: train, or go on with a training, then evaluate and write the record

# %% tags=["hide-input"]
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown

from hamrepro import judging, records
from hamrepro.batches import draw_batch
from hamrepro.checkpoint import load_latest
from hamrepro.datasets import load
from hamrepro.models import build
from hamrepro.presets import PRESETS, configure
from hamrepro.randomness import generator
from hamrepro.train import train

plt.style.use("hamrepro.book")
torch.set_num_threads(1)
pd.set_option("display.width", 160, "display.max_columns", 12)

# %% [markdown]
# ## Five presets
#
# `paper` is the printed recipe, `official` the same with the release's betas, its KL of all frames and the shape of its decoder, `laptop` the best that was
# found for two to four hours of one CPU core beside other work (its six recorded runs of HALO on Sprites took 100 to 253 minutes), `fast` the recipe of `laptop` on the networks of `paper`, for a GPU
# ({doc}`17_scale`), and `smoke` half a minute to see that everything works. Every model of a
# table, baseline or not, is trained with the same preset: same trunk and, but for MoCoGAN, batch and optimiser. Numbers of steps differ, and the baselines see three to five times fewer clips than HALO
# with all its cycles ({doc}`11_baselines`). What a field means stands in `hamrepro.config` ({doc}`15_reference`).

# %%
# Of HALO in `laptop` this is the first cycle; the others are described with the runs below.
recipes = {name: asdict(training) for name, (network, training) in PRESETS.items()}
pd.DataFrame(recipes).drop(["checkpoint_every", "continues"]).fillna("-").astype(str)

# %%
networks = {name: asdict(network) for name, (network, training) in PRESETS.items()}
pd.DataFrame(networks).astype(str)

# %% [markdown]
# Three of `laptop`'s choices deserve a word.
#
# - **Muon** {cite:p}`jordan2024muon` for the matrices of the networks: each update is orthogonalised, so that all directions of
#   a weight learn at the same speed. $\mathbf H$, the layers that touch pixels, norms and biases stay with Adam
#   {cite:p}`kingma2015adam`.
# - **A few frames are decoded** at a step, drawn at random, and their likelihood is scaled up: the same bound in expectation
#   for a fraction of the work of the most expensive network, so that a step can hold more clips ([D15](#d15)).
# - **Half of the windows start anywhere in the cycle** ([D13](#d13)), and half of the contents are read from a single frame
#   ([D17](#d17)), because these are what Table 1 will ask for.
#
# ## One step
#
# Nothing here is random but by a rule: clips, windows, reference frames and posterior noise are drawn from generators that are
# a function of (seed, stream, step). A step needs no history, so a run that was killed goes on as if nothing had
# happened.

# %%
config = configure("smoke", "sprites-procedural", "halo-sp")
clip_set = load("sprites-procedural", "train")
batch = draw_batch(clip_set, config.training, seed=0, step=0, device=torch.device("cpu"))
network = build(config, seed=0)
terms = network.loss(batch.clips, batch.action, lambda stream: generator(0, stream, 0))
bound = terms["reconstruction"] - terms["kl_position"] - terms["kl_momentum"] - terms["kl_content"]
pd.Series({"clips (B, T, 3, 64, 64)": str(tuple(batch.clips.shape)),
           "actions u (B,)": str(tuple(batch.action.shape)),
           "the loss is minus the bound": bool(torch.isclose(terms["loss"], -bound))},
          name="one step").to_frame()  # fmt: skip

# %% [markdown]
# ## A whole training, live
#
# Preset `smoke` on the stand-in, from nothing, seen on one fixed batch. The left plot is minus the bound, of which training minimises an estimate ([D15](#d15), [D17](#d17), [D18](#d18)); the right one is
# the number to watch, the largest real part among the eigenvalues of each operator ({doc}`03_symplectic`): zero means that the flow of that action neither
# grows nor shrinks. Thirty steps are enough to run every line and for no more: the curve is flat from step 10 on because the pictures are black by then, and black frames cost some 9,100 nats on this batch.

# %%
def terms_of(network):
    with torch.no_grad():  # on a copy: looking changes no running statistics
        twin = deepcopy(network)
        terms = twin.loss(batch.clips, batch.action, lambda stream: generator(0, stream, 0))
    return {name: float(term) for name, term in terms.items()} | network.diagnostics()


def watch(step, network):
    if step % 5 == 0:
        log.append({"step": step, **terms_of(network)})


folder, log = Path(mkdtemp()) / "run", [{"step": 0, **terms_of(network)}]
trained, done = train(config, 0, clip_set, folder, on_step=watch)
log = pd.DataFrame(log)

# %% mystnb={"image": {"alt": "Loss and growth rates of a live training"}} tags=["nbval-ignore-output"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.6))
left.plot(log["step"], log["loss"] / 1000, ".-", label="minus the bound")
left.plot(log["step"], -log["reconstruction"] / 1000, ".--", label="reconstruction alone")
left.set(xlabel="step", ylabel="thousand nats per clip", ylim=(0, None))
left.legend()
rates = log.filter(like="growth_rate")
right.plot(log["step"], rates, ".-", label=[f"action {k + 1}" for k in range(rates.shape[1])])
right.set(xlabel="step", ylabel="max Re λ, per frame", ylim=(-0.01, 0.1))
right.legend();

# %% [markdown]
# And the claim about killed runs, tried: the same training, stopped after its first step, then continued in another call.
# Weights and both optimisers' moments are the same bytes. The test suite does this with real kills at random instants, in float32
# and bfloat16.

# %%
torn = Path(mkdtemp()) / "run"
_, finished = train(config, 0, clip_set, torn, stop_after=0.0)
_, finished_later = train(config, 0, clip_set, torn)
whole, pieces = (load_latest(path, config.sha256) for path in (folder, torn))
pairs = zip(whole[:2], pieces[:2], strict=True)
same = [all(torch.equal(a[name], b[name]) for name in a) for a, b in pairs]
same = dict(zip(("same weights", "same optimiser"), same, strict=True))
pd.Series({"finished at once": finished, "finished after going on": finished_later,
           **same}, name="two calls").to_frame()  # fmt: skip

# %% [markdown]
# ## The runs behind this book
#
# What follows is read from the records. `recompute=True` trains the model named in the parameters, or goes on with it, ships its
# weights as float16, evaluates exactly those, and writes the record and the curve.

# %%
if recompute:
    judging.recompute(preset, dataset, model, seed)

# %%
rows = {}
for path in sorted(records.RESULTS.glob(f"{preset}/*/halo-*/seed*.json")):
    data, name, number = path.parts[-3], path.parts[-2], int(path.stem[4:])
    origin = records.read(preset, data, name, number)["provenance"]
    rows[f"{data} / {name} / {number}"] = {
        "minutes": f"{origin['train_seconds'] / 60:.0f}",
        "clips seen": f"{origin['clips_seen']:,}",
        "trained on": origin["hardware"]}  # fmt: skip
pd.DataFrame(rows).T if rows else Markdown(f"No record of preset {preset}.")

# %% [markdown]
# Preset `laptop` trains HALO on Sprites in three cycles: 3,000 steps of the bound (estimated as [D15](#d15), [D17](#d17) and [D18](#d18) say), 1,800 more in which half of the states come from
# the prior (deviation {ref}`D19 <d19>`), and 500 against an adversary that reads the action off the content ({ref}`D24 <d24>`). One command does all three. The weights for procedural Sprites that are shipped had
# two, of 1,000 and 300 steps; takes of faces have three of another kind, of 3,600, 1,000 and 1,200, and after them the batch norms' statistics from 100 batches ({ref}`D25 <d25>`, {ref}`D26 <d26>`).
# Minutes are those of the clock, and most of these runs shared two cores with other work: {doc}`16_costs` and {doc}`19_speed` say what a step costs.
#
# Where the nats go, and what the operators do meanwhile, the cycles end to end. On the left the terms of the bound, for the model named in the
# parameters. Every latent number starts at σ = e⁻⁴, that is at 3.5 nats ([D16](#d16)): 896 for content, 21 each for position and momentum. While the weight
# of the KL rises to 1 (until step 1,800, [D18](#d18)) content falls to a twentieth of that; motion stays cheap, since a whole clip moves on one state of twelve numbers. On the right the largest growth rate of the runs of this seed, both families. A skew
# $\mathbf H$ cannot leave zero. A free one begins at zero too, with a positive definite $\mathbf M$, and stays there until its
# margin is used up: this is Krein's theorem, in training ({doc}`03_symplectic`). Where the second cycle begins (step 3,000), with
# draws from the prior and with far periods, the error, the content's KL and the growth of $\mathbf H$ jump: half of the clips must now be drawn from a state that never saw them. (The KL of
# motion falls: of those clips there is none.) The growth takes half of the cycle to come down to where it was. The third begins at step 4,800.

# %%
def all_cycles(path):
    whole = pd.read_csv(path)
    for variant in ("+second-cycle", "+first-cycle"):
        before = path.with_name(path.name.replace("-seed", f"{variant}-seed"))
        if not before.exists():
            break
        earlier = pd.read_csv(before)
        whole = pd.concat([earlier, whole.assign(step=whole["step"] + earlier["step"].max())])
    return whole


# %% mystnb={"image": {"alt": "Terms of the bound and growth rates of the recorded runs"}} tags=["nbval-ignore-output"]
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3))
for path in sorted((records.DATA / "curves").glob(f"{preset}-{dataset}-halo-*-seed{seed}.csv")):
    curve, name = all_cycles(path), path.stem.removeprefix(f"{preset}-{dataset}-")
    if "+" in name:  # variants have chapters of their own
        continue
    if name == f"{model}-seed{seed}":
        terms = curve.filter(like="kl_").assign(reconstruction=-curve["reconstruction"])
        left.plot(curve["step"], terms, label=[term.replace("kl_", "KL, ") for term in terms])
    colour = "C1" if "halo-u" in name else "C0"
    right.plot(curve["step"], curve.filter(like="growth_rate").max(axis=1), color=colour, label=name)
left.set(yscale="log", xlabel="step", ylabel="nats per clip", title=f"{model}, seed {seed}")
right.set(xlabel="step", ylabel="max Re λ of any action, per frame", title="both families")
for axis in (left, right):
    if axis.lines:
        axis.legend(fontsize=7)

# %% [markdown]
# ## CPU and GPU
#
# On a CPU the two levers are bfloat16 with channels-last convolutions, where a two-second measurement at the start says
# that it pays (the decision is kept in the run's `environment.json`), and **one thread per run**: two seeds side by side, one
# thread each, are 1.1 to 1.4 times as fast as one after the other with two threads ({doc}`19_speed`), and where anything else uses a core, far more. On a GPU the whole data set
# is 29 MB of layers on the device; batches are composited there, and nothing waits for a loader. The same command runs on
# both:
#
# ```sh
# python -m hamrepro train --preset laptop --dataset sprites --model halo-sp --seed 0
# python -m hamrepro train --preset paper --dataset sprites --model halo-sp --seed 0 \
#     --device cuda --stop-after 9m
# ```
