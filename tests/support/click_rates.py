"""A model that is a click rate per user, with rows that it fits exactly."""

import keras
import numpy as np
import pandas as pd

import tf_ctr
from tf_ctr.export import export
from tf_ctr.layers import Embedding

RATES = {"ann": 0.1, "bob": 0.3, "eve": 0.5, "joe": 0.9}
UNKNOWN = 0.4


def rate_schema():
    """One field; rows 0 and 1 of its table are missing and unseen users."""
    users = tf_ctr.Categorical("user", vocabulary=list(RATES))
    return tf_ctr.Schema([users], label="click")


def rate_model(rates):
    """The rates as the table of an embedding, without a sigmoid."""
    table = np.array([[UNKNOWN], [UNKNOWN], *([rate] for rate in rates)])
    user = keras.Input((), dtype="int64", name="user")
    constant = keras.initializers.Constant(table)
    rate = Embedding(len(table), 1, constant, name="user_embedding")(user)
    return keras.Model({"user": user}, rate)


def rate_frame():
    """Ten rows per user, with just as many clicks as the rates say."""
    return pd.DataFrame(
        [
            {"user": user, "click": int(i < round(10 * rate))}
            for user, rate in RATES.items()
            for i in range(10)
        ]
    )


def export_rates(directory, rates):
    """Exports a rate per user as the next version."""
    model = rate_model(rates)
    return export(
        model,
        rate_schema(),
        directory,
        fresh_process=False,
        verbose=False,
        batch_sizes=(1, 4),
    )
