# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Reference
#
# Every public name of the library with its signature and its docstring, read off its text, from what stands on its own to
# what uses it. Shapes use one alphabet ({doc}`glossary`).

# %% tags=["hide-input"]
from IPython.display import HTML

from hamrepro.docstrings import modules, reference

pages = {
    "settings": "config bounds errors randomness",
    "mathematics": "symplectic lie_groups gaussian metrics",
    "networks": "networks dynamics free_dynamics tuning",
    "models": "elbo linear_gaussian halo baselines models",
    "data": "datasets batches sheets layers sprites mug faces",
    "training": "train optimiser precision checkpoint",
    "evaluation": "judges protocols disentanglement evaluate records",
}
rest = [name for name in modules() if name not in " ".join(pages.values()).split()]

# %% [markdown]
# ## Settings, errors, randomness

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["settings"].split()))

# %% [markdown]
# ## Mathematics

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["mathematics"].split()))

# %% [markdown]
# ## Networks and dynamics

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["networks"].split()))

# %% [markdown]
# ## Models

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["models"].split()))

# %% [markdown]
# ## Data

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["data"].split()))

# %% [markdown]
# ## Training

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["training"].split()))

# %% [markdown]
# ## Evaluation and records

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*pages["evaluation"].split()))

# %% [markdown]
# ## Everything else
#
# What draws, renders, ships and counts, the command line, and the parts that few will call themselves.

# %% tags=["hide-input", "nbval-ignore-output"]
HTML(reference(*rest))
