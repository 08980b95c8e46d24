"""One of the workers of `tests/training/test_two_workers.py`.

It trains on its rows of every global batch, and writes the weights that it ends with.
"""

import pathlib
import sys

import keras
import numpy as np

from tests.support.frames import click_frame, small_schema
from tf_ctr import training
from tf_ctr.backbones import dcn
from tf_ctr.data import from_frame
from tf_ctr.transfer import autoft

# Rows of a step on all workers, and steps of an epoch.
ROWS, STEPS = 16, 2


def rows(seed):
    return click_frame(ROWS * STEPS, seed=seed)


def batches(frame, schema, index, count):
    """The rows of one worker: its part of each global batch."""
    own = np.arange(len(frame)) // (ROWS // count) % count == index
    return from_frame(frame[own], schema, batch_size=ROWS // count)


def train(schema, folder, index, count):
    """Trains the rows of one worker; returns the model and its history."""
    # Other weights than the chief's, which are then given to all.
    keras.utils.set_random_seed(1 + index)
    source = dcn(schema, embedding_dim=2, hidden_units=(4,), num_cross_layers=1)
    model = training.compile(autoft(source, seed=3))
    history = model.fit(
        batches(rows(1), schema, index, count),
        validation_data=batches(rows(2), schema, index, count),
        epochs=2,
        callbacks=training.callbacks(folder / "run", resume=False),
        shuffle=False,
        verbose=0,
    )
    return model, history.history


def main(folder):
    """Trains, and writes the weights, the history and the scores of this worker."""
    schema = small_schema()
    with training.workers(schema, start_within=60, lost_after=30):
        index, count = training.shard()
        model, history = train(schema, folder, index, count)
        if training.is_chief():
            model.save(folder / "model.keras")
        scores = model.predict(batches(rows(2), schema, index, count), verbose=0)
    values = {v.path: np.asarray(v) for v in model.weights}
    values |= {f"history {key}": each for key, each in history.items()}
    np.savez(folder / f"{index}.npz", **values)
    np.save(folder / f"scores-{index}.npy", scores)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
