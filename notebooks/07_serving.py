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
# # Serving: export, promote, roll back
#
# A version is a folder with a number. TF Serving answers by label: `stable` is the version that
# users get. `promote` moves the label to a version that is good enough on labelled rows, and
# `rollback` moves it back. Nothing here needs a running server.

# %%
# In an environment without tf_ctr: run this cell without the mark.
# # !pip install --quiet "tf_ctr[report,serving]"

# %%
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer of TensorFlow's own messages
os.chdir(tempfile.mkdtemp())  # what this notebook writes goes into a new folder
import keras

import tf_ctr
from tf_ctr import data
from tf_ctr.datasets import synthetic
from tf_ctr.serving import check, compare_ways, diff, promote, rollback, status

keras.utils.set_random_seed(0)
domains = synthetic.generate(source_rows=20_000, target_rows=4_000, num_days=6)
rows, test = domains.source.train, domains.source.test
schema = tf_ctr.Schema(
    [tf_ctr.Categorical("user_id"), tf_ctr.Categorical("item_id"), tf_ctr.Numeric("price")],
    label="click",
    group="user_id",
).fit(rows)


def trained(epochs):
    model = tf_ctr.training.compile(tf_ctr.backbones.dcn(schema, 8, (16,)), 3e-3)
    batches = data.from_frame(rows, schema, 512, shuffle=True)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    return model


# %% [markdown]
# ## Two versions

# %%
for epochs in (2, 1):
    tf_ctr.export.export(
        trained(epochs), schema, "savedmodels/click", test.head(64), fresh_process=False
    )

# %% [markdown]
# Will TF Serving load it, and answer every request? Does it give the scores of training?

# %%
findings = check("savedmodels/click/1", trust=True)
print(*findings or ["no finding"], sep="\n")
print(compare_ways("savedmodels/click/1", test.head(100), ways=["this process"], trust=True))

# %% [markdown]
# ## What changed?

# %%
print(diff("savedmodels/click/1", "savedmodels/click/2", test, trust=True))

# %% [markdown]
# ## Promote
#
# The first version got the label when it was exported. The second must not be worse than it
# by more than the limits; the gate says what it compared.

# %%
print(status("savedmodels/click"))

# %%
print(promote("savedmodels/click", test, version=2, trust=True))

# %% [markdown]
# Where a worse version is to be served all the same, the limits say so:

# %%
from tf_ctr.serving.labels.gate import Limits

generous = Limits(auc_loss=0.5, calibration_error=9.0, latency_ratio=99.0)
print(promote("savedmodels/click", test, version=2, limits=generous, trust=True))

# %% [markdown]
# ## Roll back

# %%
print(rollback("savedmodels/click"))

# %%
print(status("savedmodels/click"))

# %% [markdown]
# ## Start a server
#
# `export` writes the files that TF Serving reads, and this command:

# %%
print(tf_ctr.export.docker_command("savedmodels/click"))

# %% [markdown]
# ## What is next
#
# - [Serving](https://tf-ctr.github.io/tf_ctr/guides/serving/): clients, batching, Kubernetes, what a client of your own must know.
# - `tf_ctr status savedmodels/click --server localhost:8500` asks a running server.
