# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The trace
#
# Where in the code is Eq. (13)? Every docstring of the library that implements a part of the paper says so
# (`Paper: Eq. (13)`), and this page is read off those docstrings: 25 equations, 8 definitions, 5 tables and 9 figures, each
# with the objects that carry it, a test that uses them, and the place in this book where it is stated or shown. Nothing on the
# page is typed in. A test fails where a part has no object, no test or no place, and where a docstring names a part the paper
# does not have.

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import HTML

from hamrepro import trace

# %%
whole = trace.trace()
counts = {kind: whole[whole.index.str.startswith(kind)] for kind in trace.COUNTS}
pd.DataFrame({kind: {"in the paper": trace.COUNTS[kind], "in code": int(part["objects"].map(bool).sum()),
                     "tested": int(part["tests"].map(bool).sum())}
              for kind, part in counts.items()}).T  # fmt: skip

# %% [markdown]
# The first name of a row is the most specific one, that is, the object that claims the fewest parts. The test is the first of
# those that use it; how many there are stands beside it.

# %% tags=["nbval-ignore-output"]
HTML(trace.page())

# %% [markdown]
# ## Decisions
#
# The same in the other direction, for the decisions of {doc}`12_deviations`. Each is named by the docstrings of the
# objects it shaped, and a number that the chapter does not have fails a test.

# %% tags=["nbval-ignore-output"]
HTML(trace.decisions())
