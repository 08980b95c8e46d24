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
# # Larger than the memory
#
# A log is a folder of Parquet files, by day. Nothing here reads it into memory: the schema, the
# batches and the metrics stream over the files. At the end, each of two workers gets a half.

# %%
# In an environment without tf_ctr: run this cell without the mark.
# # !pip install --quiet "tf_ctr[report,serving]"

# %%
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer of TensorFlow's own messages
os.chdir(tempfile.mkdtemp())  # what this notebook writes goes into a new folder
import pathlib

import numpy as np
import pandas as pd

import tf_ctr
from tf_ctr import data, evaluation

# %% [markdown]
# ## A log of three days
#
# It stands for yours, which may as well lie in a bucket: `"s3://lake/log"`.

# %%
rng = np.random.default_rng(0)
rates = rng.beta(1, 4, 50)  # how often each item is clicked
for day in (1, 2, 3):
    folder = pathlib.Path("log", f"day={day}")
    folder.mkdir(parents=True)
    for part in range(2):
        items = rng.integers(0, 50, 4_000)
        frame = pd.DataFrame(
            {
                "user-id": [f"u{i}" for i in rng.integers(0, 400, 4_000)],
                "item": items,
                "price": rng.lognormal(3, 1, 4_000).round(2),
                "click": (rng.random(4_000) < rates[items]).astype(int),
            }
        )
        frame.to_parquet(folder / f"part-{part}.parquet", row_group_size=1_000)

# %% [markdown]
# ## The schema reads the files
#
# A column of any name gets a field by `column=`. The folders' names are columns, too.

# %%
schema = tf_ctr.Schema(
    [
        tf_ctr.Categorical("user", column="user-id"),
        tf_ctr.Categorical("item"),
        tf_ctr.Numeric("price"),
    ],
    label="click",
    group="user",
).fit("log", verbose=1)
schema.summary()

# %% [markdown]
# ## Batches stream
#
# Rows are shuffled within a window of blocks, so the order of the files does not matter much.

# %%
past = data.from_rows(["log/day=1", "log/day=2"], schema, 512, shuffle=True)
model = tf_ctr.training.compile(tf_ctr.backbones.dcn(schema, 8, (16,)), 3e-3)
history = model.fit(past, epochs=2, shuffle=False, verbose=2)

# %% [markdown]
# ## Exact metrics of any number of rows
#
# Memory holds a score, a label and a group of each row: 20 bytes.

# %%
{
    name: round(value, 4)
    for name, value in evaluation.evaluate(model, "log/day=3", schema).items()
}

# %% [markdown]
# ## Two workers
#
# Each worker reads its own row groups, and as many batches as every other.

# %%
for worker in (0, 1):
    shard = data.from_rows("log", schema, 512, shard=(worker, 2))
    rows = sum(len(labels) for _, labels in shard)
    print(f"worker {worker}: {rows:,} rows in {len(list(shard))} batches")

# %% [markdown]
# On two machines, the same program runs on each. Without `TF_CONFIG` it is one process, as
# here, and nothing changes:

# %%
with tf_ctr.training.workers() as strategy:
    model = tf_ctr.training.compile(tf_ctr.backbones.dcn(schema, 8, (16,)), 3e-3)
model.fit(past, epochs=1, shuffle=False, verbose=2).history["loss"][0] < 1

# %% [markdown]
# ## What is next
#
# - [Logs in files](https://tf-ctr.github.io/tf_ctr/guides/files/): buckets, CSV, resuming, errors.
# - `tf_ctr.continual.Period(day, "log/day=3")`: day by day from files, as in *03*.
