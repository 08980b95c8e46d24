"""The graph of a model, the norms of its tables, and its tables for the projector."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from tf_ctr.features import Schema
from tf_ctr.surgery import Graph
from tf_ctr.training.board.scores import row_name

FOLDER = "projector"
# The projector runs in a browser; ids are in the order of their rows, frequent first.
MOST_ROWS = 5_000


def write_graph(model: keras.Model) -> None:
    """Writes the operations of the model, grouped by its layers.

    Keras 3 writes none, whatever `write_graph` of its own callback says.
    """
    if not getattr(model, "inputs", None):  # A subclass without a fixed input.
        return
    specs = keras.tree.map_structure(
        lambda each: tf.TensorSpec(each.shape, each.dtype, each.name), model.input
    )
    call = tf.function(lambda features: model(features, training=False))
    tf.summary.graph(call.get_concrete_function(specs).graph)


def write_norms(model: keras.Model, step: int) -> None:
    """Writes the distribution of the row norms of every table."""
    for name, table in Graph(model).tables.items():
        if hasattr(table, "embeddings"):
            norms = np.linalg.norm(table.embeddings.numpy(), axis=1)
            tf.summary.histogram(f"table_norms/{name}", norms, step)


def write_projector(model: keras.Model, schema: Schema, run_dir: pathlib.Path) -> None:
    """Writes the first rows of every table with their ids, for the projector.

    Args:
        model: The model.
        schema: Its schema, for the ids.
        run_dir: The log folder. The files go into its folder `projector`.
    """
    owners = {f"{field.owner.name}_embedding": field.owner for field in schema.fields}
    config = projector.ProjectorConfig()
    folder = run_dir / FOLDER
    for name, table in Graph(model).tables.items():
        owner = owners.get(name)  # None for a frozen twin: the source's run shows it.
        if owner is None or table.output_dim < 2 or not hasattr(table, "embeddings"):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        ids = [row_name(key) for key in owner.row_keys()[:MOST_ROWS]]
        (folder / f"{name}_ids.tsv").write_text("\n".join(ids) + "\n")
        vectors = table.embeddings.numpy()[:MOST_ROWS]
        np.savetxt(folder / f"{name}.tsv", vectors, fmt="%.5g", delimiter="\t")
        config.embeddings.add(
            tensor_name=name,
            tensor_path=f"{FOLDER}/{name}.tsv",
            metadata_path=f"{FOLDER}/{name}_ids.tsv",
        )
    if config.embeddings:
        projector.visualize_embeddings(str(run_dir), config)
