# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own clips
#
# Nothing in the method knows sprites or faces. It asks for clips, and for a label that says which clips share a motion. This
# chapter takes a folder of clips from disk to a model that exchanges their motions, first by Python, then by three lines of
# shell. The folder is drawn on this page, so that everything can be run as it stands; put yours in its place.
#
# ## The folder
#
# One folder a label. In it, one clip each: an animation (GIF, WebP, animated PNG), or a folder of numbered frames (PNG, JPEG).
#
# ```text
# shapes/
#   bounce/  00.gif  01.gif  ...          an animation is a clip
#   pulse/   first take/  0001.png  ...   so is a folder of frames
# ```
#
# Any size, any length from two frames, any number of labels from one; names in any script. A label is a *motion*: what is seen,
# the content, should vary within it, and the same contents should appear under several labels, or the model cannot know what to
# keep apart.

# %% tags=["hide-input"]
import colorsys
from collections import Counter
from math import pi, sin
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
import torch
from IPython.display import Markdown, display
from PIL import Image as Picture
from PIL import ImageDraw

from hamrepro import figures, records
from hamrepro.animation import animate
from hamrepro.presets import PRESETS, configure
from hamrepro.datasets import actions, load
from hamrepro.errors import DataError
from hamrepro.strips import strip
from hamrepro.train import run_folder, train

torch.set_num_threads(1)
home = Path(mkdtemp())

# %% [markdown]
# The example: polygons of twenty colours that bounce, pulse or slide on grey, one period in twelve frames.


# %%
def frame(motion, number, time):
    wave = sin(2 * pi * (time + number) / 12)
    x = 48 + 20 * wave * (motion == "slide")
    y = 48 + 20 * wave * (motion == "bounce")
    radius = 24 + 12 * wave * (motion == "pulse")
    colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number / 20, 0.8, 1))
    picture = Picture.new("RGB", (96, 96), "gray")
    ImageDraw.Draw(picture).regular_polygon((x, y, radius), 3 + number % 4, fill=colour)
    return picture


for motion in ("bounce", "pulse", "slide"):
    (home / "shapes" / motion).mkdir(parents=True)
    for number in range(20):
        first, *others = (frame(motion, number, time) for time in range(16))
        path = home / "shapes" / motion / f"{number:02d}.gif"
        first.save(path, save_all=True, append_images=others, duration=80)

# %% [markdown]
# ## Read and checked
#
# A folder is a data set like any other; its name is `own:` and its path. Everything is read and checked before anything else
# happens. Every frame is laid over black where it is transparent, cut to its central square and resized to 64×64: smoothly
# where it was larger, with hard edges where it was smaller. The frames of a GIF count alike, however long each is shown.
#
# The split is a rule, not a draw: within a label, in order of names, every fifth clip is `test`, and of ten clips the ninth is
# `validation`. Training windows are 8 frames long (or as long as the shortest clip) and begin anywhere in a clip; a clip is not
# taken for a cycle, since nobody said it is one.

# %%
dataset = f"own:{home / 'shapes'}"
counts = {}
for split in ("fit", "validation", "test"):
    clips = load(dataset, split)
    names = [clips.classes["action"][label] for label in clips.targets["action"]]
    counts[split] = Counter(names)
pd.DataFrame(counts)

# %% [markdown]
# The first fault is said by name, with how many more there are, and what would be right:

# %%
(home / "spoilt" / "bounce" / "take 1").mkdir(parents=True)
frame("bounce", 0, 0).save(home / "spoilt" / "bounce" / "take 1" / "0001.png")
(home / "spoilt" / "bounce" / "take 2.mp4").touch()
try:
    load(f"own:{home / 'spoilt'}", "train")
except DataError as error:
    print(str(error).replace(f"{home}/", ""))

# %% [markdown]
# ## Trained
#
# The settings come from a preset; only $K$, the number of operators, is the folder's own: one for each label. Here it is preset
# `smoke`, and **`smoke` is a demonstration**: a tiny network and a few seconds, to see that every part works with these very
# files before hours are spent on them. It is too short to learn a picture.

# %%
clips = load(dataset, "train")
config = configure("smoke", dataset, "halo-sp", actions(dataset))
folder = run_folder(home / "runs", config, seed=0)
network, finished = train(config, 0, clips, folder)
network.eval()
pd.Series({"data set": config.dataset, "K": config.network.actions, "steps": config.training.steps,
           "all steps done": finished}, name="run").astype(str).to_frame()  # fmt: skip

# %% [markdown]
# ## Swapped
#
# Two pairs of test clips. In each, the third row is the first one's content with the motion of the second, the fourth the
# reverse. After a training of seconds they are grey, with nothing on it yet, which is what to expect of `smoke`: what has been shown is that
# the folder is read, the labels reach the operators, and the pictures come out.

# %% mystnb={"image": {"alt": "Two pairs of clips of coloured polygons and the same pairs with their motions exchanged, which so short a training leaves grey", "classes": "pixelated"}} tags=["nbval-ignore-output"]
test = load(dataset, "test")
rows = figures.swapping(network, test, figures.chosen(test, 4))
strip(rows, gaps=[3])

# %% [markdown]
# `animate` writes the same as GIFs, and single frames of test clips moved by every operator in turn, sixteen frames each, one
# column for each label.

# %%
paths = animate(network, test, folder / "animations")
[path.name for path in paths]

# %% [markdown]
# ## By the command line
#
# The same in three lines. The first reads and checks everything; the second is resumable; the third writes `swap.gif` and
# `operators.gif` into the run's folder, `runs/laptop/own:shapes/halo-sp/seed0/animations/`.
#
# ```sh
# python -m hamrepro data check own:shapes
# python -m hamrepro train --preset laptop --dataset own:shapes --stop-after 2h
# python -m hamrepro animate --preset laptop --dataset own:shapes
# ```
#
# A run belongs to the data it began with. Add a clip, and neither training nor animation goes on with the old run: rename the folder, or give another
# `--runs`. Every other model takes the same option: `--model halo-u` for skew-$\mathbf H$, `dsvae`, `s3vae`, ... for the
# baselines (`mocogan` wants eight frames or more, and has nothing to animate: it does not look at clips when it draws).
#
# ## What it costs
#
# Every clip is 64×64 by the time it is trained on, so a step costs about what one of the first cycle costs on Sprites: the networks are the same but for $d = 12$, and the number of labels hardly counts. A folder gets the first cycle alone: the later
# ones of Sprites need clips that are cycles ([D19](#d19)), and those of faces were made for faces ([D25](#d25)). That cycle as recorded, the clock's minutes beside other work; a run of several cycles counts them all, and those of faces began on a GPU:

# %%
rows = {}
for path in sorted(records.RESULTS.glob("laptop/*/halo-*/seed0.json")):
    data, name = path.parts[-3:-1]
    if name.partition("+")[2] not in ("", "first-cycle"):
        continue
    origin = records.read("laptop", data, name, 0)["provenance"]
    rows[f"{data} / {name}"] = {
        "clips seen": f"{origin['clips_seen']:,}",
        "minutes": round(origin["train_seconds"] / 60), "trained on": origin["hardware"]}  # fmt: skip
display(pd.DataFrame(rows).T if rows else Markdown("No record of preset laptop."))
asked = PRESETS["laptop"][1]
Markdown(f"Your folder gets {asked.steps:,} steps, {asked.steps * asked.batch:,} clips. A frame takes 12 kB.")

# %% [markdown]
# A few clips can be learnt by heart: look at the test clips, not at the loss. And look at the clips themselves: eight frames
# must show a good part of the motion. Of a film, take every second or third frame:
#
# ```sh
# mkdir -p shapes/walk/take1
# ffmpeg -i walk.mp4 -vf "select=not(mod(n\,3))" -fps_mode vfr shapes/walk/take1/%04d.png
# ```
