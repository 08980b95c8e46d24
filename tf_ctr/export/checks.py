"""Checks of a model and a schema before anything is written."""

import keras
import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain


def check_exportable(model, schema):
    """Raises unless `model` takes the fields of `schema` and gives one probability.

    Args:
        model: What should be a functional `keras.Model` with dict inputs.
        schema: A `tf_ctr.Schema`.

    Raises:
        TypeError: If `model` is no functional `keras.Model` with dict inputs.
        ValueError: If the schema is not fitted, inputs and fields differ, the
            output is not one number per row, or a table is too small.
    """
    _check_inputs(model, schema)
    _check_output(model)
    _check_tables(model, schema)


def _check_inputs(model, schema):
    inputs = getattr(model, "input", None)
    if not isinstance(model, keras.Model) or not isinstance(inputs, dict):
        raise TypeError(
            explain(
                "a functional keras.Model with a dict of inputs by field name",
                type(model).__name__,
                "build it with a function of tf_ctr.backbones",
            )
        )
    fields = set(schema.inputs())  # Raises unless the schema is fitted.
    missing, extra = sorted(fields - set(inputs)), sorted(set(inputs) - fields)
    if missing or extra:
        raise ValueError(
            explain(
                "the inputs of the model to be the fields of the schema",
                f"fields without an input {missing}, inputs without a field {extra}",
                "export with the schema that the model was built with",
            )
        )


def _check_output(model):
    shape = getattr(model.output, "shape", None)
    if shape is None or tuple(shape[1:]) not in ((), (1,)):
        raise ValueError(
            explain(
                "one output of shape [B, 1] or [B], the click probability",
                f"outputs {model.output}",
                "end the model with keras.layers.Dense(1, 'sigmoid')",
            )
        )


def _check_tables(model, schema):
    """Compares table sizes by name, then runs the largest ids, whatever the names."""
    layers = {layer.name: layer for layer in model.layers}
    for field in schema.fields:
        rows = getattr(layers.get(f"{field.table}_embedding"), "input_dim", None)
        if rows not in (None, field.table_size):
            raise ValueError(
                explain(
                    f"{field.table_size} rows in the table of '{field.name}', as in "
                    "the schema",
                    f"{rows} rows in '{field.table}_embedding'",
                    "export with the schema that the model was built with; a schema "
                    "fitted again is another one",
                )
            )
    largest = {f.name: f.table_size - 1 for f in schema.fields if f.table is not None}
    encoded = {
        name: np.full((1, *spec.shape[1:]), largest.get(name, 0), spec.dtype)
        for name, spec in schema.inputs().items()
    }
    try:
        with tf.device("/CPU:0"):  # A GPU reads zeros beyond the last row.
            model(encoded, training=False)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            explain(
                "a table row for every id of the schema",
                f"a lookup beyond a table's last row, for the largest ids {largest}",
                "export with the schema that the model was built with",
            )
        ) from error
