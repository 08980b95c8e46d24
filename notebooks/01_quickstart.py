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
# # Quickstart: a first transfer, with the routes of AutoFT
#
# A shop has two domains: a large one with many impressions and a small one with few. Some
# users and items are in both. We describe the features once, train on the large domain, carry
# the model over to the small one in two ways, look at the routes that AutoFT chose, and export.
#
# The data is of a generator that knows the true click probability of every impression, so we
# know the best possible AUC.

# %%
# In an environment without tf_ctr: run this cell without the mark.
# # !pip install --quiet "tf_ctr[report,serving]"

# %%
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer of TensorFlow's own messages
os.chdir(tempfile.mkdtemp())  # what this notebook writes goes into a new folder
import keras
import pandas as pd

import tf_ctr
from tf_ctr import backbones, data, evaluation, plots, training, transfer
from tf_ctr.datasets import synthetic

keras.utils.set_random_seed(0)
domains = synthetic.generate(source_rows=60_000, target_rows=8_000, num_days=8)
domains.summary().round(3)

# %% [markdown]
# ## Describe the features once
#
# The schema learns vocabularies from the training rows of both domains. Row 0 of a table is
# for missing values, row 1 for ids that training never saw.

# %%
schema = tf_ctr.Schema(
    [
        tf_ctr.Categorical("user_id"),
        tf_ctr.Categorical("item_id"),
        tf_ctr.Categorical("category"),
        tf_ctr.Categorical("city"),
        tf_ctr.Numeric("price"),
    ],
    label="click",
    group="user_id",
)
schema.fit([domains.source.train, domains.target.train])
schema.summary()

# %% [markdown]
# Which share of the ids of the target's test day do the vocabularies lack?

# %%
schema.unseen_share(domains.target.test).round(3)

# %% [markdown]
# ## Train on the source, then on the target: by itself, and in two ways from the source


# %%
def fit(model, domain, run_dir):
    """Trains with early stopping on the validation AUC."""
    valid = data.from_frame(domain.validation, schema, 1024)
    callbacks = training.callbacks(run_dir, valid, patience=2)
    history = training.compile(model).fit(
        data.from_frame(domain.train, schema, 512, shuffle=True),
        validation_data=valid,
        epochs=8,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    print(f"{run_dir}: {len(history.epoch)} epochs")
    return history, callbacks


source = backbones.dcn(schema, embedding_dim=8, hidden_units=(64, 32))
fit(source, domains.source, "runs/source")
models = {
    "Target-only": backbones.dcn(schema, embedding_dim=8, hidden_units=(64, 32)),
    "Fine-Tune": transfer.fine_tune(source),
    "AutoFT": transfer.autoft(source, seed=0),
}
runs = {name: fit(model, domains.target, f"runs/{name}") for name, model in models.items()}

# %%
plots.learning_curves({name: history for name, (history, _) in runs.items()})

# %% [markdown]
# Test once. The last row is the AUC of the true click probability, which no model can be
# expected to beat.

# %%
rows = {
    name: evaluation.evaluate(model, domains.target.test, schema)
    for name, model in {"Source-only": source, **models}.items()
}
rows["Best possible"] = synthetic.best_possible(domains.target.test)
pd.DataFrame(rows).T[["auc", "log_loss", "gauc"]].astype(float).round(4)

# %% [markdown]
# One seed says little about small differences: see the notebook on comparing methods. In our
# experiments AutoFT equals Fine-Tune at twice its cost; start with Fine-Tune.
#
# ## Which route do the instances take?
#
# AutoFT holds each table and each layer twice: the copy that the source trained, frozen, and
# a copy that the target trains. A router chooses one for every instance. A dark bar is the
# share of instances that take the frozen copy. A field whose bar is dark is one whose
# knowledge carries over; a pale one takes the copy that the target trained.

# %%
shares = transfer.route_shares(
    models["AutoFT"], data.from_frame(domains.target.validation, schema, 1024)
)
plots.routes(shares)

# %% [markdown]
# How the shares move from epoch to epoch, as the temperature falls.

# %%
logger = next(c for c in runs["AutoFT"][1] if isinstance(c, training.RouteLogger))
plots.route_history(logger.history)

# %% [markdown]
# ## Export, and score raw rows
#
# The version takes raw values, strings included. Before it appears in the folder, its scores
# are compared with those of training.

# %%
version = tf_ctr.export.export(
    models["Fine-Tune"], schema, "savedmodels/click", domains.target.test.head(64)
)

# %% [markdown]
# ## What is next
#
# - *02*: your own rows, from CSV to a SavedModel.
# - *06*: compare methods honestly, before you choose one.
# - [Which method when](https://tf-ctr.github.io/tf_ctr/which_method/)
