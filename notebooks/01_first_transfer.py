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
# # A first transfer
#
# A shop has two domains: a large one with many impressions and a small one with few.
# Some users and items appear in both. We describe the features once, train on the large
# domain, transfer the model to the small one, look at what it kept, and export a model
# that scores raw rows.
#
# The data comes from a generator that knows the true click probability of every
# impression. So we know the best possible AUC, and can see how much of the gap each
# method closes.

# %%
import os
import pathlib
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import matplotlib.pyplot as plt
import pandas as pd
import tensorflow as tf

import tf_ctr
from tf_ctr import backbones, data, evaluation, export, training, transfer
from tf_ctr.datasets import synthetic

tf.get_logger().setLevel("ERROR")
keras.utils.set_random_seed(0)
work = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# ## Two domains

# %%
domains = synthetic.generate(seed=0)
domains.summary().round(3)

# %%
domains.target.train.head(5)

# %% [markdown]
# The target has a tenth of the rows and a lower click rate. A few items get most of the
# impressions. About the other items, the target on its own teaches little.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
for name, domain in [("source", domains.source), ("target", domains.target)]:
    every = pd.concat([domain.train, domain.validation, domain.test])
    every.groupby("day")["click"].mean().plot(ax=left, label=name, marker="o", ms=3)
    counts = domain.train["item_id"].value_counts()
    right.loglog(range(1, len(counts) + 1), counts.to_numpy(), label=name)
left.set(title="Click rate", xlabel="day")
right.set(title="Impressions per item", xlabel="rank of the item")
left.legend()
right.legend()
figure.tight_layout()

# %% [markdown]
# ## Describe the features once
#
# The schema learns vocabularies from the training rows of both domains. Row 0 of a
# table is for missing values, row 1 for ids that training never saw.

# %%
schema = tf_ctr.Schema(
    [
        tf_ctr.Categorical("user_id"),
        tf_ctr.Categorical("item_id"),
        tf_ctr.Categorical("category"),
        tf_ctr.Categorical("city"),
        tf_ctr.Categorical("tags", multivalent=True),
        tf_ctr.Numeric("price"),
        tf_ctr.Sequence("history", of="item_id", max_length=20),
    ],
    label="click",
    group="user_id",
)
schema.fit([domains.source.train, domains.target.train])
schema.summary()

# %% [markdown]
# Which share of the target's test day is missing from the vocabularies?

# %%
schema.unseen_share(domains.target.test).round(4)

# %% [markdown]
# ## Train on the source, then four ways to the target


# %%
def fit(model, domain, name):
    """Trains with early stopping on the validation AUC; returns Keras's history."""
    train = data.from_frame(domain.train, schema, 1024, shuffle=True)
    validation = data.from_frame(domain.validation, schema, 1024)
    chosen = training.callbacks(work / name, validation, patience=2)
    training.compile(model)
    history = model.fit(
        train,
        validation_data=validation,
        epochs=20,
        callbacks=chosen,
        shuffle=False,
        verbose=0,
    )
    return pd.DataFrame(history.history), chosen


def dcn():
    """The same DCN for every row."""
    return backbones.dcn(schema, embedding_dim=16, hidden_units=(128, 64))


source = dcn()
fit(source, domains.source, "source")

models = {"Source-only": source, "Target-only": dcn()}
models["Fine-Tune"] = transfer.fine_tune(source)
models["AutoFT"] = transfer.autoft(source, seed=0)

histories, callbacks = {}, {}
for name in ("Target-only", "Fine-Tune", "AutoFT"):
    histories[name], callbacks[name] = fit(models[name], domains.target, name)

# %% [markdown]
# Fine-Tune and AutoFT start from the source model's weights. AutoFT samples its routes
# during training; its policies need an epoch or two to settle.

# %%
figure, axis = plt.subplots(figsize=(6, 3))
for name, history in histories.items():
    epochs = range(1, len(history) + 1)
    axis.plot(epochs, history["val_auc"], label=name, marker="o", ms=3)
axis.set(title="Target validation AUC", xlabel="epoch")
axis.legend()
figure.tight_layout()

# %% [markdown]
# The test day is scored once. The last row is the AUC of the true click probability,
# which no model can be expected to beat.

# %%
rows = {
    name: evaluation.evaluate(model, domains.target.test, schema)
    for name, model in models.items()
}
rows["Best possible"] = synthetic.best_possible(domains.target.test)
results = pd.DataFrame(rows).T[["auc", "log_loss", "gauc"]]
results.astype(float).round(4)

# %% [markdown]
# One seed says little about small differences: `python -m pipelines.quickstart --seeds
# 3` gives means and spread.
#
# ## Which route do the instances take?
#
# AutoFT holds each table and each layer twice, frozen and fine-tuned, and chooses one
# copy for every instance. Below is the share of validation instances that take the
# frozen copy. Here the domains differ so much that most sites learn to take the
# fine-tuned one.

# %%
logger = next(c for c in callbacks["AutoFT"] if isinstance(c, training.RouteLogger))
shares = transfer.route_shares(
    models["AutoFT"], data.from_frame(domains.target.validation, schema, 1024)
)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
shares = shares.sort_index(ascending=False)
shares.plot.barh(ax=left, title="Share on the frozen branch", xlim=(0, 1))
history = logger.history[shares.index[::-1]]
history.plot(ax=right, title="by epoch", ylim=(-0.02, 1.02), colormap="tab20")
right.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
right.set_xlabel("epoch")
figure.tight_layout()

# %% [markdown]
# TensorBoard shows the same curves under `frozen_share/`, beside losses, AUC, learning
# rate and temperature: `tensorboard --logdir <run folder>`.
#
# ## Export, and score raw rows
#
# The SavedModel takes raw values as they are in the log, strings included. Before the
# version appears in the folder, its scores are compared with those of training.

# %%
version = export.export(
    models["AutoFT"], schema, work / "click", sample=domains.target.test.head(256)
)
served = tf.saved_model.load(str(version)).signatures["serving_default"]
raw = domains.target.test.head(5)
columns = {name: tf.constant(c) for name, c in schema.raw_columns(raw).items()}
raw[["user_id", "item_id", "category", "price", "click"]].assign(
    served=served(**columns)["click"].numpy(),
    trained=evaluation.predict(models["AutoFT"], raw, schema),
    truth=raw["click_probability"],
)
