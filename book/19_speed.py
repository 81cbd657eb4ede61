# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Speed
#
# What does a training step cost, how much of that is unavoidable, and what did each change give? Every time in the tables of this page is read
# from the record that `python -m hamrepro bench` leaves for a machine. There each fast path runs by turns with a **slow
# reference** in one process, so that a busy neighbour slows both: the same mathematics in float32, maps in the usual layout,
# one matrix exponential for every offset, sprites composited with Pillow. The test suite compares the two in float64, value
# and gradient, and fails when one of three ratios (the flow, its blocks, the batch) falls by more than a fifth. A machine is named after its GPU, or else after its processor
# and its widest units;
# two cores were used, but one where a name says *one thread*.

# %% tags=["hide-input"]
import json

import pandas as pd
from IPython.display import Markdown

from hamrepro import bench, records, tables
from hamrepro.presets import PRESETS, configure
from hamrepro.training_benchmarks import per_frame

pd.set_option("display.width", 160, "display.max_columns", 12, "display.max_rows", 80)
RECORDS = {}
for path in sorted((records.RESULTS / "bench").glob("*.json")):
    threads = json.loads(path.read_text())["provenance"]["threads"]
    machine = path.stem.removeprefix("cpu-2-x-x86-64-") + ", one thread" * (threads == 1)
    RECORDS[machine] = bench.entries_of(path)

# %% tags=["hide-input"]
def told(row):
    """The median; how many times as long the slow reference took, and its quartiles; turns."""
    return row["median"] + (f"; {row['ratio']}, n {row['n']}" if row["ratio"] else "")


def measured(*parts):
    """What every machine's record has under names that begin like this, side by side."""
    prefix = parts[0] if len(parts) == 1 else ""
    cells = {machine: {name.removeprefix(prefix): told(row) for name, row in bench.rows(found).items()
                       if name.startswith(parts)} for machine, found in RECORDS.items()}  # fmt: skip
    missing = "Not run: no record of a machine yet. `python -m hamrepro bench` writes one, in minutes."
    kept = {machine: column for machine, column in cells.items() if column}
    return pd.DataFrame(kept).fillna("not run") if kept else Markdown(missing)


def entries(kind):
    """(machine, measurement) and its entry, of one kind, in every record."""
    return [((machine, name.partition("/")[2]), entry) for machine, found in RECORDS.items()
            for name, entry in found.items() if name.startswith(kind)]  # fmt: skip


# %% [markdown]
# ## The work in a frame
#
# Counting needs no machine. Nearly all of a step is in the two networks that touch pixels: the multiplications of one frame
# through both, forward and backward, and the numbers that are kept in between for the backward pass. A preset's step has batch
# × 8 frames, or fewer where it encodes a window and decodes a part ([D15](#d15), [D17](#d17)).

# %%
counts = {name: per_frame(network) for name, (network, _) in PRESETS.items()}
pd.DataFrame({name: {"GFLOP": f"{count['flop'] / 1e9:.2f}",
                     "million numbers kept": f"{count['kept'] / 1e6:.2f}",
                     "million weights": f"{count['weights'] / 1e6:.1f}"}
              for name, count in counts.items()}).T  # fmt: skip

# %% [markdown]
# ## The roof
#
# What a machine can do is measured, not read from a data sheet: products of square matrices, the convolution in the middle of
# the networks in both memory layouts, a copy. A step that runs at the rate of the convolutions is at the roof; what
# lies between is batch norms, activations and the small networks, which move memory and multiply little. Medians of a few turns, and their
# quartiles:

# %% tags=["hide-input"]
def with_quartiles(entry):
    value, *ends = (bench.shown(x, entry["unit"]) for x in (entry["value"], *entry["iqr"]))
    return f"{value} ({' to '.join(end.split()[0] for end in ends)}), n {entry['n']}"


roofs = {machine: {name.partition("/")[2]: with_quartiles(entry) for name, entry in found.items()
                   if name.startswith("roofline/")} for machine, found in RECORDS.items()}  # fmt: skip
pd.DataFrame(roofs) if roofs else measured("roofline/")

# %% [markdown]
# And the step, on each. What the H100's is made of, and why it stands so far below its roof, is in {doc}`17_scale`.

# %% tags=["hide-input"]
steps = {key: {
    "seconds": bench.shown(entry["value"], "s"), "frames / s": f"{entry['frames_per_second']:.0f}",
    "precision": entry["precision"], "share of products": f"{entry['share of product']:.0%}",
    "share of convolutions": f"{entry['share of convolution/channels-last']:.0%}",
    "slow reference": f"{entry['ratio']['value']:.1f} times as long"}
    for key, entry in entries("step/")}  # fmt: skip
pd.DataFrame(steps).T if steps else measured("step/")

# %% [markdown]
# ## The speed run
#
# One change after another, all of them timed by turns, on steps of so many clips (a preset's own are 48; some records are of 8). The reference encodes and decodes every frame, as the paper does; that of the table above
# is given the same part of the frames as the step beside it, which is why it looks less slow there. *Predicted* is what the change should give, from counted operations and
# the measured roof alone: the ratio of the convolution's two layouts, of its two precisions, of the multiplications left when a
# window is encoded and three frames are decoded; for the exponentials, their share of the step that still has them; for the
# memory that is kept, the share of time spent in the kernel. Where a change gives less than predicted, the rest of the step
# has begun to show: that is Amdahl's law, and the reason to stop.

# %%
runs = {key: {
    "clips": entry.get("clips", 8), "a step": with_quartiles(entry),
    "predicted": f"{entry['predicted']:.2f}" if entry["predicted"] else "",
    "gave": f"{entry['gain']:.2f}" if entry["gain"] else "", "so far": f"{entry['so_far']:.1f}"}
    for key, entry in entries("levers/")}  # fmt: skip
pd.DataFrame(runs).T if runs else measured("levers/")

# %% [markdown]
# What bfloat16 can give is the processor's to say. One whose widest units are AVX2 (`avx2` in its name) has none: products in it run at a hundredth
# of float32's rate, and the run's calibration takes float32. What is left to gain there is the part of the frames. One with AVX512's (`avx512`)
# multiplies it a little over twice as fast as float32, and bfloat16 is the largest gain of its run. On either the step stands at about seven tenths of the
# measured roof of products, six of that of convolutions on the second, so no other change could make it even twice as fast. One with units made for products of matrices (`amx`) has a roof several
# times as high, of which the step reaches a fifth in products and a tenth in convolutions (its work includes Muon's products; the rows of 24 and of 48 clips were set against roofs measured at different times, and that of convolutions differed twofold): what a product costs is then little beside batch norms and activations, which wait for memory, and Muon's products.
#
# *Four times* was the mark set for two cores and preset `laptop`, whose steps have 48 clips. The processor with AMX is past it, at six times. On steps of 8 clips, of which the other two records are, it was at 3.2 (a record since replaced), since Muon's products cost the same
# whatever the batch and the reference has to pay them as well; what those two would do with 48 was not run. What memory that is kept gave there, 1.3 at 48 clips, is within the spread of five turns; at 8 clips on the others it gave nothing.
#
# The first kind also brought a fault to light. `torch.optim.Muon` orthogonalises in bfloat16 whatever the run computes in. The largest
# matrix of preset `laptop`, 512×4,096, costs 23 GFLOP a step, which at that rate is half a minute. Here Muon multiplies in the precision of
# the run.
#
# From here on a cell has the median time and, where something was timed beside it, how many times as long that took, with quartiles and the number of turns.
#
# Other changes, each alone: the step with the change, and how many times as long it takes without. An unread loss
# costs nothing to have and is always on; fused updates are on where there is a GPU, and gave nothing here; a transposed convolution can be written as a plain one with four times the
# channels, at 36 multiplications for 25; a compiler fuses what lies between the convolutions, and takes its time before
# the first step. *A training on every core* is not about one step: as many trainings as cores, of one thread each, against one
# on all of them. Muon and the learning rate's cycle make steps not quicker but fewer, or so we believe: no run
# with Adam is recorded.

# %%
measured("others/")

# %% [markdown]
# ## The flow
#
# A clip needs $e^{o\mathbf H}$ for every offset $o = -(T-1), \dots, T-1$ from its reference frame. The obvious way computes
# $2T - 1$ exponentials for each operator, and differentiating one means exponentiating a matrix twice as large.
# Here there is **one** exponential, of $\mathbf H$ itself; products by doubling give the rest,
# $e^{(n+j)\mathbf H} = e^{n\mathbf H} e^{j\mathbf H}$, and the past costs nothing, because the inverse of a symplectic matrix is
# its own entries rearranged:
#
# $$e^{-o\mathbf H} = -\mathbf J \left(e^{o\mathbf H}\right)^\top \mathbf J.$$
#
# The exponential is the Taylor polynomial of $\mathbf H / 2^s$, squared $s$ times. Being products, it is differentiated as
# products. The matrices are so small that a call costs more than its multiplications; powers are kept side by side, in one matrix of many columns, so that one
# product makes several. On a GPU calls are dearer still, and the record of one, made before this was seen, shows the obvious way ahead ({doc}`17_scale`).

# %%
measured("flow/")

# %% [markdown]
# The paper's other claim of cost is its block structure: $K$ operators of $2d \times 2d$ in the place of one of $2Kd \times 2Kd$,
# less work by $K^2$; here what is timed beside them is the one matrix. At the sizes of Sprites, nine times fewer operations save up to a fifth of the time, and on a GPU none: matrices of
# 36 rows are so small that a call costs more than its multiplications. With six actions of twice the size blocks are three to four and a half times as fast on a processor, and still hardly faster on the GPU.

# %%
measured("blocks/")

# %% [markdown]
# How far do the products carry? 10,000 frames of one clip's states, in single precision; the error is the largest against double
# precision, relative to the largest state: 0.2 % for skew-$\mathbf H$ and 0.7 % for $\mathbf H$, the same on every machine.

# %%
far = {key: {"seconds": bench.shown(entry["value"], "s"), "n": entry["n"],
             "error": f"{entry['error']:.1e}"} for key, entry in entries("rollout/")}  # fmt: skip
pd.DataFrame(far).T if far else measured("rollout/")

# %% [markdown]
# ## Data, evaluation, checkpoints, memory
#
# The data are 29 MB of layers, and a batch is composited when it is wanted. An array that holds every clip as float32 gives a
# batch by copying, in half of the time or less on the machines measured; but it takes gigabytes and must
# be made first. A checkpoint is dearer than `torch.save` by its hashes and by waiting for the disk, and survives a kill for it.

# %%
measured("batch/", "data/", "evaluation/", "sampling/", "checkpoint/", "memory/")

# %% [markdown]
# ## How cost grows
#
# The exponent of a power law through times at growing sizes: 1 is proportional, 0 is free. Small sizes grow more slowly than
# the law says, since a call has a price of its own. Times are in the order of the sizes.

# %%
growth = {key: {
    "sizes": ", ".join(f"{size:,}" for size in entry["sizes"]), "exponent": f"{entry['value']:.2f}",
    "times": ", ".join(bench.shown(seconds, "s") for seconds in entry["seconds"])}
    for key, entry in entries("growth/")}  # fmt: skip
pd.DataFrame(growth).T if growth else measured("growth/")

# %% [markdown]
# ## Time to quality
#
# Steps per second mean little if more of them are needed. `python -m hamrepro quality` trains on 900 characters until the frames of 50 clips,
# one each of 50 others, reach a target, with several seeds, and counts the seconds of training alone; looking at the model is not counted.
# The test characters are never looked at.

# %%
def together(values, wanted):
    return ", ".join("–" if value is None else wanted(value) for value in values)


def seconds(value):
    return bench.shown(value, "s")


quality = {key: {
    "median": seconds(entry["value"]) if entry["value"] else entry["why"],
    "runs": entry["n"], "steps of a run": entry["steps"],
    "reached at step": together([run["steps"] for run in entry["runs"]], str),
    "after": together([run["seconds"] for run in entry["runs"]], seconds),
    "best": together([run["best"] for run in entry["runs"]], "{:.3f}".format)}
    for key, entry in entries("quality/")}  # fmt: skip
pd.DataFrame(quality) if quality else Markdown("Not run yet: `python -m hamrepro quality`.")

# %% [markdown]
# The mark set for two idle cores is 0.95 in eight minutes. **Two cores with AMX are there in six and a half**, with a cycle of 1,100 steps, of which
# they need some 800. On the kind without bfloat16 a cycle that fits into the eight minutes, 240 steps, ends far below it. What longer ones
# gave, on whichever processor (3,000 steps in bfloat16; of the 750 the record does not say), on the fixed share of the test clips:

# %%
longer = {f"{configure('laptop', 'sprites', name).training.steps:,} steps":
          tables.Cell("laptop", "sprites", name, "ssim/clip/1-8", "subset").text()
          for name in ("halo-sp+brief", "halo-sp+first-cycle")}  # fmt: skip
pd.Series(longer, name="SSIM, frames 1–8").to_frame()

# %% [markdown]
# 750 steps of 48 clips, those of `+brief`, took half an hour of one core, and it is not only the steps that differ: from the same seed 750 of them
# gave 0.938 in bfloat16 and 0.931 in float32, on 200 clips of validation characters (one run each, not recorded). Smaller batches are no way around it: half as many clips a step, and five steps for three,
# came to the same quality in somewhat more time (one run, not recorded), since Muon's products cost the same whatever the batch.
