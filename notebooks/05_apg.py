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
# # APG: weights that are generated per instance, and what they learned
#
# APG replaces the kernels of hidden layers by ones that a small network generates from a
# condition, here the category of the item. We train it, serve it in the cheaper form, and look
# at what it generates for each category.
#
# Source: APG, Yan et al., 2022 (arXiv 2203.16218).

# %%
# In an environment without tf_ctr: run this cell without the mark.
# # !pip install --quiet "tf_ctr[report,serving]"

# %%
import os
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # fewer of TensorFlow's own messages
os.chdir(tempfile.mkdtemp())  # what this notebook writes goes into a new folder
import keras
import numpy as np
import pandas as pd

import tf_ctr
from tf_ctr import data, evaluation, plots
from tf_ctr.datasets import synthetic

keras.utils.set_random_seed(0)
domains = synthetic.generate(source_rows=30_000, target_rows=4_000, num_days=8)
train, valid, test = (
    getattr(domains.source, part) for part in ("train", "validation", "test")
)
schema = tf_ctr.Schema(
    [tf_ctr.Categorical(name) for name in ("user_id", "item_id", "category", "city")],
    label="click",
    group="user_id",
).fit(train)

# %% [markdown]
# ## The plain network, and the one with generated kernels

# %%
plain = tf_ctr.backbones.dnn(schema, 8, (32, 16))
adaptive = tf_ctr.transfer.apg(
    tf_ctr.backbones.dnn(schema, 8, (32, 16)), condition="category", rank=4
)


def fit(model):
    batches = data.from_frame(valid, schema, 1024)
    return tf_ctr.training.compile(model, 2e-3).fit(
        data.from_frame(train, schema, 512, shuffle=True),
        validation_data=batches,
        epochs=4,
        callbacks=tf_ctr.training.callbacks(None, batches, patience=2),
        shuffle=False,
        verbose=0,
    )


plots.learning_curves({"DNN": fit(plain), "DNN with APG": fit(adaptive)})

# %% [markdown]
# ## The same scores for less
#
# After training, the over-parameterised factors of the kernels are multiplied out once.

# %%
served = tf_ctr.inference.collapse(adaptive)
scores = {
    "DNN": evaluation.predict(plain, test, schema),
    "DNN with APG": evaluation.predict(adaptive, test, schema),
    "collapsed": evaluation.predict(served, test, schema),
}
pd.DataFrame(
    {
        "parameters": [m.count_params() for m in (plain, adaptive, served)],
        "test AUC": [
            tf_ctr.metrics.exact_auc(test["click"], own) for own in scores.values()
        ],
    },
    index=list(scores),
).round(4)

# %% [markdown]
# In our experiments APG as published is level with its tuned backbone or a little below it;
# what it has is its cost on large layers.
#
# ## What is generated for each category?
#
# The matrix S of the first layer, 4 x 4 numbers per category, drawn by its two principal
# components. Categories that lie together get kernels that are alike.

# %%
layer = adaptive.get_layer("deep_0")
categories = list(schema.field("category").vocabulary)
rows = test.iloc[[0] * len(categories)].assign(category=categories)
_, condition = layer.input
conditions = keras.Model(adaptive.input, condition).predict(
    data.from_frame(rows, schema, len(rows), labelled=False), verbose=0
)
generated = np.reshape(layer.generate(conditions)["s"], (len(rows), -1))

centred = generated - generated.mean(axis=0)
_, strengths, directions = np.linalg.svd(centred, full_matrices=False)
points = centred @ directions[:2].T
figure = plots.drawing(6, 4)
axes = figure.add_subplot()
axes.scatter(*points.T, color="black", s=16)
for point, name in zip(points, categories):
    axes.annotate(name, point, (4, 2), textcoords="offset points")
share = strengths**2 / (strengths**2).sum()
axes.set(xlabel=f"{share[0]:.0%} of the variance", ylabel=f"{share[1]:.0%} of it")
axes.margins(x=0.15)
figure

# %% [markdown]
# ## What is next
#
# - [APG](https://tf-ctr.github.io/tf_ctr/methods/apg/): the versions of the paper, and what we measured.
# - *06*: is a difference more than noise?
