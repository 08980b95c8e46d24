# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # CTNet: day by day
#
# Both domains grow every day. CTNet keeps a tower that the source trains beside the tower of
# the target, and carries knowledge over at every depth, so that each day needs only its new
# rows. Every day is scored by the model of the day before, and only then trained on.
#
# Source: CTNet, Liu et al., 2022 (arXiv 2208.05728).

# %%
# In an environment without tf_ctr: run this cell without the mark.
# # !pip install --quiet "tf_ctr[report,serving]"

# %%
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer of TensorFlow's own messages
os.chdir(tempfile.mkdtemp())  # what this notebook writes goes into a new folder
import tf_ctr
from tf_ctr import plots
from tf_ctr.continual import MatrixCallback, Period, run, train_source
from tf_ctr.datasets import synthetic

domains = synthetic.generate(source_rows=30_000, target_rows=6_000, num_days=8)
schema = tf_ctr.Schema(
    [tf_ctr.Categorical(name) for name in ("user_id", "item_id", "category")],
    label="click",
    group="user_id",
)
schema.fit([domains.source.train, domains.target.train])


def by_day(frame):
    return [Period(int(day), rows) for day, rows in frame.groupby("day")]


def network():
    return tf_ctr.backbones.dnn(schema, embedding_dim=8, hidden_units=(32,))


# %% [markdown]
# ## The source, then the target
#
# Source and target have schedules of their own. Each target day takes the newest source model
# that is finished. A line is printed per day.

# %%
train_source(by_day(domains.source.train), "runs/source", network(), schema)
days = by_day(domains.target.train)
ctnet = run(
    days,
    "runs/ctnet",
    target=network(),
    schema=schema,
    source="runs/source",
    slices=["user_id"],
    callbacks=[MatrixCallback(days)],
)

# %% [markdown]
# ## Against training on the target by itself
#
# A day has 750 rows here, so a difference of some hundredths is noise. In our experiments CTNet is
# above training on the target by itself on all four data sets.

# %%
base = run(days, "runs/base", target=network(), schema=schema, method="target_only")
plots.prequential({"CTNet": ctnet.frame, "Target-only": base.frame})

# %%
ctnet.gains(base).round(4)

# %% [markdown]
# ## Who gains? Users that are new, and users that were there before

# %%
plots.prequential(ctnet.slices)

# %% [markdown]
# ## What is remembered?
#
# A row is a model, a column a day that it is tested on. On and below the diagonal the model
# has seen the day; to the right of it, the days are still to come.

# %%
plots.forgetting(ctnet.matrix())

# %% [markdown]
# ## Tomorrow
#
# The same call with one more day trains only that day. Finished days are skipped, and a run
# that was killed resumes.

# %%
again = run(
    days,
    "runs/ctnet",
    target=network(),
    schema=schema,
    source="runs/source",
    slices=["user_id"],
)
again.frame[["number", "rows", "auc", "gauc"]].round(4)

# %% [markdown]
# ## What is next
#
# - [Train day by day](https://tf-ctr.github.io/tf_ctr/guides/daily/): guards, exports, pruning.
# - *04*: E-CDCTR, for months of natural data and few ads.
# - [CTNet](https://tf-ctr.github.io/tf_ctr/methods/ctnet/): equations, and what we measured.
