"""Two small domains, and every joint model on them."""

import numpy as np
import pandas as pd

import tf_ctr
from tf_ctr.joint import JOINT

SOURCE, TARGET = 1, 4
HISTORIES = {"target_history": "target_clicks", "source_history": "source_clicks"}
TWO = {"source": SOURCE, "user_fields": ["user", "age"]}
# Smooth activations: no weight is without a gradient by chance.
SIZES = {"embedding_dim": 4, "activation": "tanh"}
ARGUMENTS = {
    "dasl": {
        "source": SOURCE,
        "user": "user",
        **HISTORIES,
        "hidden_units": (6, 5),
        "state_units": 3,
        "attention_units": 4,
        "length": 2,
    },
    "ddtcdr": {**TWO, "hidden_units": (6, 5)},
    "minet": {**TWO, **HISTORIES, "hidden_units": (6, 5), "attention_units": 4},
    "mlp_plus_plus": {**TWO, "hidden_units": (6, 5)},
    "mmoe": {"num_experts": 3, "expert_units": (6, 5), "tower_units": (4,)},
    "ple": {"expert_units": (6, 5), "tower_units": (4,)},
    "share_bottom": {"tower_units": (6, 5)},
    "star": {"hidden_units": (6, 5)},
}


def two_domain_frame(rows=40, seed=0):
    """Impressions in the tabs 1 and 4, by turns."""
    rng = np.random.default_rng(seed)
    items = rng.integers(100, 110, rows)
    return pd.DataFrame(
        {
            "user": [f"u{i}" for i in rng.integers(0, 6, rows)],
            "item": items,
            "tab": np.where(np.arange(rows) % 2, SOURCE, TARGET),
            "age": rng.uniform(18, 80, rows),
            "target_clicks": [list(rng.choice(items, i % 4)) for i in range(rows)],
            "source_clicks": [list(rng.choice(items, i % 3)) for i in range(rows)],
            "click": (rng.random(rows) < 0.4).astype(int),
        }
    )


def two_domain_schema():
    """The schema of `two_domain_frame`, fitted."""
    return tf_ctr.Schema(
        [
            tf_ctr.Categorical("user"),
            tf_ctr.Categorical("item"),
            tf_ctr.Categorical("tab", vocabulary=[SOURCE, TARGET]),
            tf_ctr.Numeric("age"),
            tf_ctr.Sequence("target_clicks", of="item", max_length=3),
            tf_ctr.Sequence("source_clicks", of="item", max_length=3),
        ],
        group="user",
    ).fit(two_domain_frame())


def build(name, schema, **arguments):
    """The joint model `name` on domain `tab`, small and with random weights."""
    arguments = {**SIZES, **ARGUMENTS[name], **arguments}
    model = JOINT[name](schema, domain="tab", **arguments)
    randomise(model)
    return model


def randomise(model, seed=0):
    """Draws all weights; those that start at one, or are variances, around one."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.path or weight.dtype != "float32":
            continue
        near_one = any(part in weight.path for part in ("gamma", "variance", "batches"))
        value = rng.normal(scale=0.3, size=weight.shape)
        weight.assign(np.exp(value) if near_one else value)
