# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # GPUs, clusters, and a thousand of them
#
# The paper's own sizes are a GPU's work. This chapter goes through what training there comes down to, in the order in which it
# matters: precision, layout, memory, throughput, resuming, several GPUs, many runs. Every cell runs on a CPU; what
# only a GPU can tell is read from the record of one, and says *not run* where there is none. The last section does the
# sums for a thousand GPUs and a billion clips.

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch import nn

from hamrepro import bench, records
from hamrepro.batches import order
from hamrepro.presets import PRESETS, configure
from hamrepro.distributed import Processes
from hamrepro.models import build
from hamrepro.randomness import generator
from hamrepro.sweep import jobs
from hamrepro.training_benchmarks import per_frame

pd.set_option("display.width", 160, "display.max_columns", 12)
torch.set_num_threads(1)
RECORDS = {path.stem: bench.entries_of(path) for path in sorted((records.RESULTS / "bench").glob("*.json"))}
network, training = PRESETS["paper"]

# %% [markdown]
# ## Precision
#
# bfloat16 has float32's range and 8 bits of precision: products and convolutions may use it, long sums and exponentials may not.
# Under `autocast` products run low wherever they stand, unless they are told otherwise: the content's network, the exponentials
# of $\mathbf H$, the divergences and the likelihood are computed in float32; position and momentum are computed low and handed on in float32. No loss scaling is needed. What comes out of each part:

# %%
small = build(configure("smoke", "sprites-procedural", "halo-sp"), 0).eval()
clips, action = torch.zeros(2, 8, 3, 64, 64), torch.tensor([0, 1])
with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
    features = small.features(clips)
    posterior = small.infer(features, action, torch.zeros(2, dtype=torch.int64))
    positions = small.positions(posterior.mean_state(), action, posterior.reference, 8)
    before_tanh = nn.Sequential(*list(small.decoder)[:-1])
    maps = before_tanh(torch.cat([posterior.content.mean, positions[:, 0]], -1))
    frames = small.decode(posterior.content.mean, positions)
parts = {"features h": features, "content, mean": posterior.content.mean, "positions after the flow": positions,
         "decoder, before tanh": maps, "frames": frames}  # fmt: skip
pd.Series({name: str(part.dtype).split(".")[1] for name, part in parts.items()}, name="type").to_frame()

# %% [markdown]
# Which precision pays is not a matter of taste: it is measured for two seconds at the start of a run on a CPU, on the real
# networks, and taken for granted on a GPU that has it. The decision is in the run's `environment.json`, and a resumed run
# keeps it.
#
# ## Layout
#
# Convolutions want the channels of a pixel side by side (`channels_last`), and a map stays in that layout through a whole
# network once it enters in it. So two places decide: where frames enter the encoder and where a vector becomes a map in
# the decoder. A layer that breaks the chain costs a copy of every map after it; here none does.

# %% tags=["hide-input"]
def layouts(model):
    seen = {}

    def look(name):
        return lambda layer, given, out: seen.__setitem__(
            name, out.is_contiguous(memory_format=torch.channels_last) and not out.is_contiguous())  # fmt: skip

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(look(name)) for name, layer in layers]
    with torch.no_grad():
        model.generate(clips, action, 8)
    [hook.remove() for hook in hooks]
    return pd.Series(seen, name="channels last").to_frame()


layouts(small)

# %% [markdown]
# ## Memory
#
# Weights, two moments of Adam, gradients, and the maps that the backward pass needs. The last are the larger part, and they
# alone grow with the batch. The data set, in layers, hardly counts.

# %%
count = per_frame(network)
frames, weights = training.batch * 8, count["weights"]
sizes = {"weights of encoder and decoder, float32": 4 * weights, "their gradients": 4 * weights,
         "two moments of Adam": 8 * weights,
         f"maps of {training.batch} clips, bfloat16": 2 * frames * count["kept"],
         "layers of the data set": 25 * 72 * 64 * 64 * 4}  # fmt: skip
pd.Series({name: bench.shown(float(size), "B") for name, size in sizes.items()}, name="preset paper").to_frame()

# %% [markdown]
# ## Throughput and roof
#
# Batches are composited on the device from layers that are on it, clips are chosen by a rule and not by a loader, and no
# value of the loop is read back but every 25 steps, when the terms of the bound are logged and looked at for NaN. A
# GPU should then be limited by its convolutions. *Kernels* is the share of a step in which it computes at all.

# %%
def throughput(entry):
    return {"frames / s": f"{entry['frames_per_second']:.0f}", "a step": bench.shown(entry["value"], "s"),
            "share of products": f"{entry['share of product']:.0%}",
            "kernels": f"{entry['kernels'] / entry['value']:.0%}" if "kernels" in entry else "",
            "slow reference": f"{entry['ratio']['value']:.1f} times as long"}  # fmt: skip


paper = {machine: throughput(entry) for machine, found in RECORDS.items()
         for name, entry in found.items() if name.startswith("step/paper ")}  # fmt: skip
pd.DataFrame(paper or {"a GPU": {"frames / s": "not run", "a step": "not run"}}).T

# %% [markdown]
# On the one GPU measured so far, an H100, the step misses both marks set for it, six times the slow reference's speed and two fifths of
# the measured rate of products. There are three reasons, of which the record holds the first. A quarter of the step the GPU **waits to be told what to do**: a step
# is close to a thousand calls, most of them small, and each takes a processor ten to twenty microseconds to make. While it computes, about a third of its time goes to **batch
# norms and activations** (these numbers were read off a profile that was not kept), which move memory and multiply little; a compiler that joins them is the next thing to try. And the **slow reference is not slow**
# there: torch lets a GPU's float32 convolutions run in TF32, and one call takes the exponentials of all offsets at once.
#
# The flow is where the second surprise was. On a processor one exponential and products are far quicker than an exponential for every offset
# ({doc}`19_speed`); on the H100, where it is the number of calls that costs, they took 1.6 to 2.6 times as long (3 turns; all sizes in {doc}`19_speed`):

# %% tags=["hide-input"]
flows = {(machine, name.removeprefix("flow/")): {
    "n": entry["n"], "ours": bench.shown(entry["value"], "s"),
    "an exponential an offset": bench.shown(entry["reference"]["value"], "s"),
    "ratio (quartiles)": "{:.2f} ({:.2f} to {:.2f})".format(entry["ratio"]["value"], *entry["ratio"]["iqr"])}
    for machine, found in RECORDS.items() for name, entry in found.items()
    if name.startswith("flow/d=12 K=6 T=8/")}  # fmt: skip
pd.DataFrame(flows).T

# %% [markdown]
# Since then the flow makes half as many calls, with the same result, and off the processor it no longer chooses at every squaring
# whether to keep it, but computes the exponential in double precision with a fixed number of them. The rows of the processors with AVX2 and with AMX are of the new one,
# those of AVX512 and of the H100 of the old; no GPU was at hand to measure it again.
#
# ```sh
# python -m hamrepro bench --preset paper --device cuda
# python -m hamrepro train --preset paper --dataset sprites --model halo-sp --device cuda --stop-after 9m
# ```
#
# The second command is the whole of training on borrowed time: it stops by the clock, or when the machine's owner sends SIGTERM,
# saves, ends with status 75, and given again it goes on with the same bytes ({doc}`05_training`). On the H100, too: a training of 30 steps
# (preset `smoke`, bfloat16), stopped eight times, ended with the weights and moments of one that ran through, bit for bit (tried once, not recorded). A test of four steps of
# a tiny model asks the same wherever torch sees a GPU.
#
# ## The paper's networks in minutes
#
# Preset `paper` takes 300,000 steps ([D6](#d6)), some three hours of an H100 at the rate above. Preset `fast` trains the networks of `paper`, layer for layer, with the
# recipe of `laptop`: Muon, one cycle of the learning rate, windows for the encoder and three decoded frames ({doc}`05_training`). The bound of its first cycle on
# an H100, beside that of `laptop` on one core:

# %% tags=["hide-input"]
plt.style.use("hamrepro.book")
figure, axis = plt.subplots(figsize=(6.5, 3))
ends = {}
for preset, place in (("laptop", "one core of a CPU"), ("fast", "an H100")):
    curve = pd.read_csv(records.DATA / "curves" / f"{preset}-sprites-halo-sp+first-cycle-seed0.csv")
    axis.plot(curve["seconds"], curve["loss"], label=f"{preset}, {place}")
    last = curve.iloc[-1]
    ends[preset] = {"machine": place, "steps": int(last["step"]), "seconds": f"{last['seconds']:.0f}",
                    "the loss, nats a clip": f"{last['loss']:.0f}",
                    "of it reconstruction": f"{-last['reconstruction']:.0f}"}  # fmt: skip
axis.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="loss, nats a clip")
axis.legend()
pd.DataFrame(ends).T

# %% [markdown]
# *HALO, H, first cycle on Sprites, seed 0, mean of the last 25 steps; one run each. The loss is minus the bound once the weight of its KL terms has risen to 1, at three fifths of the steps.* The larger networks end in a thirtieth of the time with little more than a third of
# the error. All three cycles took 129 seconds. **They are not scored**: the time on the machine ended before the scoring did, and weights of a quarter of a
# gigabyte are too large to ship. So no table of this book has a row of `fast`; the commands that make one are
#
# ```sh
# python -m hamrepro train --preset fast --model halo-sp --device cuda
# python -m hamrepro ship --preset fast --model halo-sp
# python -m hamrepro evaluate --preset fast --model halo-sp --device cuda
# ```
#
# ## Several GPUs
#
# ```sh
# torchrun --nproc-per-node 8 -m hamrepro train --preset paper --dataset sprites --model halo-sp --device cuda
# ```
#
# The batch stays 24 clips: eight processes take three each. What is seen does not depend on their number. Each draws what
# the whole batch needs, from the generator that is a function of (seed, stream, step), and keeps its own rows:

# %%
group, seed, step = 8, 0, 7
index = order(9000, training.batch, seed, step)
noise = torch.randn(training.batch, 3, generator=generator(seed, "posterior", step))
shares = {}
for rank in range(group):
    process = Processes(rank, group)
    share = index[process.rows(training.batch)]
    shares[f"process {rank}"] = {"clips": " ".join(map(str, share.tolist())),
                                 "first draw": f"{noise[process.rows(training.batch)][0, 0]:+.4f}"}  # fmt: skip
pd.DataFrame(shares).T

# %% [markdown]
# Gradients are averaged by torch's `DistributedDataParallel`. In preset `paper` the **batch norms** are the one place where clips of a batch meet,
# and so the one choice to make. (Of what later cycles of `laptop` and `fast` add, the discrepancy and the adversary see each process's own clips; models that compare clips throughout, as C-DSVAE, are refused.) Statistics of each process's own three clips would make the number of processes
# part of the model. Here the moments are averaged over all processes, in the forward pass and, by the chain rule, in the
# backward pass. The test suite trains twenty steps on one process and on two: the same clips, and every term of the bound
# equal to one part in a million, in double precision, where rounding has no time to grow. Sums in another order are not the
# same *bytes*, so a run is resumed by as many processes as began it, and refused otherwise.
#
# ## Many runs
#
# Most of an experiment is not one large run but many small ones: seeds, models, data sets. These go to a cluster as jobs,
# through submitit; each job is what one would do by hand, in the same folders:

# %%
todo = jobs("laptop", ["sprites"], ["halo-sp", "halo-u"], range(3), records.ROOT / "runs")
pd.DataFrame([{"data": job.dataset, "model": job.model, "seed": job.seed} for job in todo])

# %% [markdown]
# ```sh
# python -m hamrepro sweep --preset paper --dataset sprites --model halo-sp --model halo-u \
#     --seeds 3 --device cuda --hours 2
# python -m hamrepro sweep --preset laptop --cluster local --parallel 2
# ```
#
# A training saves and ends two and a half minutes before its job's limit, or when it is cancelled (SIGTERM); the same command
# goes on with it. A job that SLURM warns with USR2, which submitit asks for 90 s before the limit, goes back to the queue and resumes
# from its last checkpoint. One that is done is skipped. The command waits for all, prints what became of each and the tables of
# {doc}`06_generation`, and ends with status 0 where every job is done, 1 where one failed, else 75.
#
# This was tried on a real SLURM, 22.05.8 as Debian 12 packages it, of one node with munge and without accounting: jobs cancelled
# in training, warned, and killed. The first two ended with the bytes of a run that nothing disturbed; the third was reported
# as failed. The test suite starts such a node and does the same where SLURM's programs are installed.
#
# (billion)=
# ## A thousand GPUs and a billion clips
#
# Paper and pencil, to see what would bend first. The assumptions are on top, in the code: a GPU with 989 TFLOP/s of bfloat16
# on its data sheet, used at two fifths of that (the mark of the section on throughput, two fifths of the *measured* rate, is lower, and the H100 missed it: the second column has its step as measured), and 50 GB/s of network for each.
# Measured constants come from the records. Minutes are those of arithmetic alone, as if every exchange were hidden behind it; latency counts for the batch norms (30 µs an exchange, a tree) and not for the gradients, where a flat ring of 1,000 would add
# 1,998 of its hops.

# %%
GPUS, CLIPS, PEAK, USED, NETWORK, LATENCY = 1000, 1e9, 989e12, 0.4, 50e9, 30e-6
together = GPUS * training.batch
paces = {"at two fifths of the peak": training.batch * 8 * count["flop"] / (PEAK * USED)}
paces |= {f"as measured, {machine}": entry["value"] for machine, found in RECORDS.items()
          for name, entry in found.items() if name == f"step/paper halo-sp B={training.batch}"}  # fmt: skip
norms = sum(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in small.modules())
orders = [found.get("growth/an order, with characters") for found in RECORDS.values()]
shuffles = [CLIPS * entry["seconds"][-1] / (9 * entry["sizes"][-1]) for entry in orders if entry]
sums = {"clips a step, altogether": f"{together:,}",
        "their frames, uint8": f"{CLIPS * 8 * 3 * 64 * 64 / 1e12:.0f} TB",
        f"moments of {norms} batch norms, four exchanges each": bench.shown(4 * norms * LATENCY, "s"),
        "gradients, a ring of all-reduce": bench.shown(2 * 4 * weights / NETWORK, "s"),
        "the order of a billion clips": bench.shown(max(shuffles, default=None), "s")}  # fmt: skip
paced = {pace: {"a step of 24 clips on each GPU": bench.shown(step, "s"),
                "once through a billion clips": f"{CLIPS / together * step / 60:.0f} minutes"} | sums
         for pace, step in paces.items()}  # fmt: skip
pd.DataFrame(paced)

# %% [markdown]
# Read from the bottom. The **order of the clips** bends first: a step draws its epoch's whole shuffle and keeps 24 numbers of it.
# That is nothing for 9,000 clips and grows at least in proportion to them (that is how the row above is reckoned, from nine million clips on the slowest of the processors; measured exponents are 1.1 to 1.3); for a billion it takes far longer than the step it is for. A permutation that can be evaluated at
# one place, a Feistel cipher on the numbers of the clips, is the cure. The **gradients** are next: they take longer than the arithmetic of a step
# as quick as assumed, and half as long as that of the step measured, since most of the weights are in two large linear layers and few of the multiplications are, so they must be
# sent while the backward pass still runs, in bfloat16, or less often. The **batch norms** follow, as waiting: not their
# bytes but their number. Then there is a question that no engine answers: whether 24,000 clips a step teach a thousand times as
# much as 24. The **data** bend last. Clips made of layers are composited where they are needed, a billion of them as easily as
# 11,664; real footage would be read once from disks, at a rate that a thousand machines have.
