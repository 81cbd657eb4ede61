# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What costs how long
#
# Every recorded training with the time it took, on the machine it ran on. The numbers are those of the records
# (`data/results/`) and of the cards of the shipped weights; nothing is timed on this page. *Table 1* is the time to score all
# test clips (2,664 of Sprites, 234 of faces) under both readings, empty where a {term}`fixed share` of them was scored, or nothing: MoCoGAN has no encoder. On a CPU a training of preset `laptop` uses one thread: as many side by side as there are
# cores get 1.1 to 1.4 times as much done as one on all of them ({doc}`19_speed`). Minutes are the clock's: some runs shared their core with other work, and the processors were of three kinds ({doc}`19_speed`), which these records do not
# tell apart. So the same steps took one seed two and a half times as long as another; what a step costs on an idle machine is in {doc}`19_speed`. A run of several cycles counts the clips and minutes of all of them, and names the machine of the last: on faces the first cycle, four of the minutes, was an H100's,
# which five trainings shared, MoCoGAN's among them. *Threads* and *precision* are those on the card of the weights, empty where none are shipped.

# %% tags=["hide-input"]
import pandas as pd

from hamrepro import costs

pd.set_option("display.max_columns", 12, "display.max_rows", 200)

# %%
costs.trainings()

# %% [markdown]
# What a machine costs in memory, and what fits where, follows from {doc}`04_networks`: three quarters of preset `paper` are two
# linear layers. Preset `laptop` is made for two cores and no accelerator ({doc}`05_training`).
