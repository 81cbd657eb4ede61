# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The networks, read off the running model
#
# The tables on this page are not typed in. The model of preset `paper` is built, a frame is sent through it, and every
# layer reports what it is, what it returns and how many numbers it owns. If the code changes, the tables change. No table of results in this book has a row of these networks: those are of preset `laptop`, the same layers
# with 4.4 million numbers instead of 113 million ({doc}`05_training`).

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown
from torch import nn

from hamrepro.config import ModelConfig
from hamrepro.docstrings import source
from hamrepro.halo import Halo

pd.set_option("display.width", 140, "display.max_columns", 12, "display.max_colwidth", 60)

# %% [markdown]
# ## Reading a network
#
# A hook on every layer that has no children is enough. Batch norms and activations are folded into the row of the layer
# they follow, as the paper prints them. 

# %%
def sizes(layer):
    if isinstance(layer, nn.Linear):
        return f"in {layer.in_features}, out {layer.out_features}"
    if isinstance(layer, nn.LSTM):
        return f"in {layer.input_size}, out {layer.hidden_size}"
    kernel, extra = "×".join(map(str, layer.kernel_size)), getattr(layer, "output_padding", (0,))
    text = f"{layer.out_channels} of {kernel}, stride {layer.stride[0]}, padding {layer.padding[0]}"
    return text + (f" + {extra[0]}" if any(extra) else "")


# %%
def read(network, *inputs):
    rows, main = [], (nn.Linear, nn.LSTM, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)

    def note(layer, _, output):
        name, numbers = type(layer).__name__, sum(p.numel() for p in layer.parameters())
        if isinstance(layer, main):
            shape = (output[0] if isinstance(output, tuple) else output).shape[1:]
            rows.append({"layer": name, "kernels, sizes": sizes(layer), "then": [],
                         "returns": "×".join(map(str, shape)), "numbers": numbers})  # fmt: skip
        elif name in ("BatchNorm1d", "BatchNorm2d", "LeakyReLU", "Tanh"):
            rows[-1]["then"].append("BN" if "BatchNorm" in name else name)
            rows[-1]["numbers"] += numbers

    for layer in network.modules():
        layer.register_forward_hook(note)
    network(*inputs)
    table = pd.DataFrame(rows).set_index("layer").rename_axis(None)
    return table.assign(then=table["then"].map(" → ".join), numbers=table["numbers"].map("{:,}".format))

# %%
config = ModelConfig()
model = Halo(config)
positions = config.actions * config.half_dimension
frames, features = torch.zeros(2, 3, 64, 64), torch.zeros(2, config.features)
clip, window = torch.zeros(2, 8, config.features), torch.zeros(2, 4, config.features)
latent, action = torch.zeros(2, config.content + positions), torch.zeros(2, dtype=torch.long)
named = {"features h": config.features, "content |Z|": config.content, "actions K": config.actions,
         "half-dimension d": config.half_dimension, "positions |Q| = K d": positions}  # fmt: skip
pd.Series(named, name="preset paper, Sprites").to_frame()

# %% [markdown]
# ## The encoder
#
# (paper-table-3)=
# **Table 3.** Encoder: a frame of 64×64 pixels to $\mathbf h_t$. Five convolutions, three of them halving the side, then
# three linear layers. The paper leaves the size of $\mathbf h$ open; the release has 2,048 ([D3](#d3)).

# %%
read(model.encoder, frames)

# %% [markdown]
# ## The decoder
#
# The printed decoder does not give a frame. Four transposed convolutions with kernel 5, stride 2 and padding 2 take a side
# $n$ to $2n - 1$, and the last layer has 256 kernels. With one row of output padding $n$ becomes $2n$, and from a start of
# 4×4 four of them end exactly at 64:

# %%
def side(start, steps, output_padding):
    sides = [start]
    for _ in range(steps):
        sides.append((sides[-1] - 1) * 2 - 2 * 2 + 5 + output_padding)
    return " → ".join(map(str, sides))


pd.DataFrame({"side of the picture": {
    "as printed, from 4×4": side(4, 4, 0), "as printed, from 8×8": side(8, 4, 0),
    "output padding 1, from 4×4 (preset paper)": side(4, 4, 1),
    "output padding 1, from 8×8, three layers (preset official)": side(8, 3, 1)}})  # fmt: skip

# %% [markdown]
# (paper-table-4)=
# **Table 4.** Decoder: content and position to the mean of a frame. Differences from the print ([D3](#d3)): output padding,
# 3 channels at the end, and an input of $|\mathbf Z| + K d$.

# %%
read(model.decoder, latent)

# %% [markdown]
# ## Content and motion
#
# (paper-table-5)=
# **Table 5.** The three inference heads. Content reads the whole clip, position one frame and the action, momentum the last
# four frames and the action. The last two linear layers of each are the mean and the logarithm of $\sigma$ of Eqs. (15)
# and (16). Position and momentum are computed for all $K$ subspaces; the one of the given action is kept ([D7](#d7) for the
# window of the temporal convolution; the print has padding 3, that is zeros before frame 1, where here the window repeats frame 1 and needs none).

# %%
heads = {"content": read(model.content, clip),
         "position": read(model.position, features, action),
         "momentum": read(model.momentum, window, action)}  # fmt: skip
pd.concat(heads)

# %% [markdown]
# ## Where the numbers are
#
# Three quarters of the model are two linear layers, the one that turns 16,384 features into 4,096 and the one that turns 4,096
# into the decoder's first picture. The part the paper is about, the operators, is 234 numbers: three symmetric matrices of
# 78.

# %%
parts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
d = config.half_dimension
parts["operators"] = config.actions * (2 * d**2 + d)  # independent ones: M is symmetric
counts = pd.Series(parts)
pd.DataFrame({"numbers": counts.map("{:,}".format),
              "share": (100 * counts / counts.sum()).map("{:.2g} %".format)})  # fmt: skip

# %% [markdown]
# ## What runs between them
#
# This is all else the model does. The code is the library's own, read from its files as the page is made, without
# docstrings ({doc}`15_reference` has them). A clip becomes posteriors, Eqs. (11) and (12): content from all features, the
# position from the frame of reference, the momentum from the window that ends there.

# %%
Markdown("\n\n".join(map(source, ("halo.Halo.infer", "halo.Halo._posterior"))))

# %% [markdown]
# One state becomes the states of every frame, Eqs. (8) and (13). All powers $e^{o\mathbf H}$ come from one exponential, and each
# clip picks those of its action and of its distance $o$ to the reference. Eq. (9) then puts the position into the
# block of its action and leaves zeros elsewhere.

# %%
Markdown("\n\n".join(map(source, ("dynamics.LinearDynamics.flow", "halo.Halo.positions", "dynamics.embed"))))

# %% [markdown]
# Content and position become frames, Eq. (6), and the bound is added up, Eq. (17).

# %%
Markdown("\n\n".join(map(source, ("halo.Halo.decode", "elbo.Elbo.of", "gaussian.Gaussian.kl"))))

# %% [markdown]
# And the experiment of Table 1 is three of these in a row: read a clip at its first frame, flow, draw.

# %%
Markdown(source("halo.Halo.generate"))
