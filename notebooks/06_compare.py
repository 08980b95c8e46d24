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
# # Compare and tune methods honestly
#
# Every method gets the same number of settings to try. The validation rows choose, with the
# first seed; the other seeds use what was chosen; the test rows are scored once, at the end.
# Differences are taken seed by seed, and come with an interval.

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
from tf_ctr import data, evaluation, plots
from tf_ctr.datasets import synthetic

domains = synthetic.generate(source_rows=24_000, target_rows=6_000, num_days=8)
schema = tf_ctr.Schema(
    [tf_ctr.Categorical(name) for name in ("user_id", "item_id", "category", "city")],
    label="click",
    group="user_id",
)
schema.fit([domains.source.train, domains.target.train])
network = {"embedding_dim": 8, "hidden_units": (32,)}
RATES, SEEDS = (3e-3, 1e-3), (0, 1, 2)

# %% [markdown]
# ## One way to train all of them


# %%
def fit(model, domain, rate):
    valid = data.from_frame(domain.validation, schema, 1024)
    history = tf_ctr.training.compile(model, rate).fit(
        data.from_frame(domain.train, schema, 512, shuffle=True, seed=0),
        validation_data=valid,
        epochs=4,
        callbacks=tf_ctr.training.callbacks(None, valid, patience=1),
        shuffle=False,
        verbose=0,
    )
    return max(history.history["val_auc"])


def source_model(seed):
    keras.utils.set_random_seed(seed)
    model = tf_ctr.backbones.dcn(schema, **network)
    fit(model, domains.source, 1e-3)
    return model


METHODS = {
    "Target-only": lambda source: tf_ctr.backbones.dcn(schema, **network),
    "Fine-Tune": lambda source: tf_ctr.transfer.fine_tune(source),
    "L2-SP": lambda source: tf_ctr.transfer.l2_sp(source, alpha=1e-3),
}

# %% [markdown]
# ## Choose the learning rate on validation rows, then run every seed

# %%
runs = []
sources = {seed: source_model(seed) for seed in SEEDS}
for name, make in METHODS.items():
    tried = {rate: fit(make(sources[0]), domains.target, rate) for rate in RATES}
    rate = max(tried, key=tried.get)
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        model = make(sources[seed])
        validation = fit(model, domains.target, rate)
        test = evaluation.evaluate(model, domains.target.test, schema)
        runs.append(
            {"name": name, "seed": seed, "rate": rate, "validation": validation, **test}
        )
    print(f"{name}: learning rate {rate:g}, validation AUC {validation:.4f}")
runs = pd.DataFrame(runs)

# %% [markdown]
# ## What is noise?
#
# The spread over seeds of one method is what a difference must exceed. The report ranks by
# the mean AUC, with 95 % intervals (Student's t), and compares seed by seed.

# %%
wide = runs.pivot(index="seed", columns="name", values="auc")
wide.round(4)

# %%
gains = wide[["Fine-Tune", "L2-SP"]].sub(wide["Target-only"], axis=0)
pd.DataFrame(
    {
        "mean gain": gains.mean(),
        "standard error": gains.std() / len(gains) ** 0.5,
        "of seeds above 0": (gains > 0).mean(),
    }
).round(4)

# %%
figure = plots.drawing(7, 2.2)
axes = figure.add_subplot()
for name, marker in zip(wide, "os^"):
    axes.plot(wide[name], [name] * len(wide), marker, color="black", markersize=8)
axes.set(xlabel="test AUC, a mark per seed", title="Seeds spread; do methods?")
axes.grid(alpha=0.3)
figure

# %%
tf_ctr.report(runs, "methods.html")

# %% [markdown]
# ## Other test rows
#
# Seeds are one source of noise, the test rows are the other: a small test day moves every
# AUC. Look at a bootstrap over rows before you believe a small gain.

# %%
import numpy as np

model = METHODS["Fine-Tune"](sources[0])
fit(model, domains.target, 1e-3)
scores = evaluation.predict(model, domains.target.test, schema)
clicks = domains.target.test["click"].to_numpy()
rng = np.random.default_rng(0)
drawn = [rng.integers(len(clicks), size=len(clicks)) for _ in range(200)]
aucs = [tf_ctr.metrics.exact_auc(clicks[rows], scores[rows]) for rows in drawn]
print(f"AUC {tf_ctr.metrics.exact_auc(clicks, scores):.4f}, 95 % of the samples from "
      f"{np.quantile(aucs, 0.025):.4f} to {np.quantile(aucs, 0.975):.4f}")

# %% [markdown]
# ## What is next
#
# - [Tune on your data](https://tf-ctr.github.io/tf_ctr/guides/tuning/), also with Optuna.
# - `python -m pipelines.compare` in a checkout does all this for the data sets of the library.
# - [Which method when](https://tf-ctr.github.io/tf_ctr/which_method/)
