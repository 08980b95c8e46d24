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
# # Your own data: from CSV files to a SavedModel
#
# Two logs, one row per impression, in CSV files. We cut them by time, describe the columns,
# train, carry over, look at calibration, and export. To use your own files, change the names of
# the files and of the columns.

# %%
# In an environment without tf_ctr: run this cell without the mark.
# # !pip install --quiet "tf_ctr[report,serving]"

# %%
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer of TensorFlow's own messages
os.chdir(tempfile.mkdtemp())  # what this notebook writes goes into a new folder
import pandas as pd

import tf_ctr
from tf_ctr import data, evaluation, plots
from tf_ctr.datasets import synthetic

# %% [markdown]
# ## Two logs
#
# These stand for yours.

# %%
domains = synthetic.generate(source_rows=30_000, target_rows=6_000, num_days=8)
columns = ["day", "user_id", "item_id", "city", "price", "click"]
for name, domain in (("shop", domains.source), ("outlet", domains.target)):
    whole = pd.concat([domain.train, domain.validation, domain.test])
    whole[columns].to_csv(f"{name}.csv", index=False)

shop, outlet = pd.read_csv("shop.csv"), pd.read_csv("outlet.csv")
outlet.head(3)

# %% [markdown]
# ## Cut by time
#
# A model serves rows that are newer than all it was trained on, so the newest rows are the
# test, and those before them choose the epoch.

# %%
last = outlet["day"].max()


def split(log):
    return (
        log[log["day"] < last - 1],
        log[log["day"] == last - 1],
        log[log["day"] == last],
    )


shop_train, shop_valid, _ = split(shop)
train, valid, test = split(outlet)
pd.DataFrame(
    {"rows": [len(train), len(valid), len(test)],
     "click rate": [part["click"].mean() for part in (train, valid, test)]},
    index=["train", "validation", "test"],
).round(3)

# %% [markdown]
# ## Describe the columns
#
# Ids are `Categorical`, amounts are `Numeric`. `group` is the column within which items are
# ranked; GAUC is the mean AUC within it.

# %%
schema = tf_ctr.Schema(
    [
        tf_ctr.Categorical("user_id"),
        tf_ctr.Categorical("item_id"),
        tf_ctr.Categorical("city"),
        tf_ctr.Numeric("price"),
    ],
    label="click",
    group="user_id",
).fit([shop_train, train])
schema.unseen_share(test).round(3)

# %% [markdown]
# ## Train on the shop, tune on the outlet


# %%
def fit(model, rows, validation, run_dir):
    batches = data.from_frame(validation, schema)
    history = tf_ctr.training.compile(model).fit(
        data.from_frame(rows, schema, 512, shuffle=True),
        validation_data=batches,
        epochs=6,
        callbacks=tf_ctr.training.callbacks(run_dir, batches, patience=2),
        shuffle=False,
        verbose=0,
    )
    print(f"{run_dir}: best validation AUC {max(history.history['val_auc']):.4f}")
    return model


network = {"embedding_dim": 8, "hidden_units": (32,)}
source = fit(tf_ctr.backbones.dcn(schema, **network), shop_train, shop_valid, "runs/shop")
tuned = fit(tf_ctr.transfer.fine_tune(source), train, valid, "runs/outlet")

# %% [markdown]
# ## Are the probabilities right?
#
# A point per tenth of the test rows. On the line, the predicted probability is the click rate;
# a bar that reaches the line may be off by chance.

# %%
scores = evaluation.predict(tuned, test, schema)
plots.reliability(test["click"], scores)

# %% [markdown]
# ## Export
#
# The version takes raw values. Its folder also holds the schema, sample requests and the
# configuration of TF Serving.

# %%
version = tf_ctr.export.export(tuned, schema, "savedmodels/outlet", test.head(64))

# %%
import tensorflow as tf

served = tf.saved_model.load(str(version)).signatures["serving_default"]
raw = {name: tf.constant(c) for name, c in schema.raw_columns(test.head(3)).items()}
pd.DataFrame({"served": served(**raw)["click"].numpy(), "trained": scores[:3]})

# %% [markdown]
# ## A page for others

# %%
tf_ctr.training.log_test("runs/outlet", evaluation.evaluate(tuned, test, schema))
tf_ctr.report("runs/outlet", "outlet.html", model=tuned, schema=schema, test=test)

# %% [markdown]
# ## What is next
#
# - [Other columns per domain, histories, no shared ids](https://tf-ctr.github.io/tf_ctr/guides/frames/)
# - *08*: logs that are larger than the memory.
# - *07*: serve the version, promote the next one, roll back.
