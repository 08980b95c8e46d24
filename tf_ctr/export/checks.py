"""Checks of export's arguments, before anything is written."""

import re
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tf_ctr import features
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.files.models import check_weights
from tf_ctr.surgery.functional import check_click_output
from tf_ctr.surgery.same_ids import check_same_ids


def check_exportable(model: keras.Model, schema: Schema) -> None:
    """Raises unless `model` takes the fields of `schema` and gives its labels.

    Args:
        model: A functional `keras.Model` with dict inputs.
        schema: A fitted `tf_ctr.Schema`.

    Raises:
        TypeError: If `model` is not a functional `keras.Model` with dict inputs.
        ValueError: If the schema is not fitted, inputs and fields differ, the output
            is not one number per row and label, a table is too small, or a weight is
            NaN or infinite.
    """
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
    _check_outputs(model, schema)
    _check_tables(model, schema)
    check_weights(model)


def _check_outputs(model, schema):
    """Raises unless there is an output per label, by name if there are several."""
    if not schema.outcomes.several:
        check_click_output(model)
        return
    outputs, labels = model.output, schema.label_names
    named = isinstance(outputs, dict) and set(outputs) == set(labels)
    if not named or any(tuple(t.shape[1:]) not in ((), (1,)) for t in outputs.values()):
        raise ValueError(
            explain(
                f"an output of shape [B, 1] or [B] for each label: {', '.join(labels)}",
                f"outputs {outputs}",
                "build the model with tf_ctr.joint, e.g. joint.share_bottom(schema), "
                "or pass schema.for_label(...) for a model of one label",
            )
        )


def _check_tables(model, schema):
    """Compares the sizes of tables by name, then looks the largest ids up."""
    layers = {layer.name: layer for layer in model.layers}
    for field in schema.fields:
        rows = getattr(layers.get(f"{field.table}_embedding"), "input_dim", None)
        if rows not in (None, field.table_size):
            raise ValueError(
                explain(
                    f"{field.table_size} rows in the table of '{field.name}', as in "
                    "the schema",
                    f"{rows} rows in '{field.table}_embedding'",
                    "export with the schema that the model was built with; fitting a "
                    "schema again makes another one",
                )
            )
    check_same_ids(model, schema)
    # A model of the user's own may give its tables any name, so run the largest ids.
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


def check_scores(scores: np.ndarray) -> None:
    """Raises unless all scores are in [0, 1].

    Raises:
        ValueError: With the smallest and the largest score.
    """
    if not (np.min(scores) >= 0 and np.max(scores) <= 1):  # False for NaN.
        raise ValueError(
            explain(
                "click probabilities in [0, 1]",
                f"scores from {np.min(scores)} to {np.max(scores)}",
                "end the model with a sigmoid, and train it without divergence",
            )
        )


def candidate_fields(
    schema: Schema, item_fields: Sequence[str] | str | None = None
) -> list[str]:
    """Returns the names of the fields that differ from candidate to candidate.

    Args:
        schema: A `tf_ctr.Schema`.
        item_fields: Their names. `None` takes all fields except the schema's group and
            its sequences, which surely are the user's. A context field among them
            costs time, but moves no score.

    Returns:
        Names in the order of the schema; none if all fields are of one kind.

    Raises:
        ValueError: If a name is not a field, or if none or all of the fields are named.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> fields = [Categorical("item"), Sequence("history", of="item")]
    >>> candidate_fields(Schema(fields))
    ['item']
    """
    names = [field.name for field in schema.raw_fields]
    if item_fields is None:
        users = {schema.group, *schema.of_kind(features.Sequence)}
        items = [name for name in names if name not in users]
        return items if len(items) < len(names) else []
    chosen = {item_fields} if isinstance(item_fields, str) else set(item_fields)
    for name in sorted(chosen):
        check_name("field", name, names)
    if not 0 < len(chosen) < len(names):
        raise ValueError(
            explain(
                "some fields of the items, and some of the user",
                f"item_fields={sorted(chosen)} of the fields {names}",
                "name only those of the items, or leave item_fields out",
            )
        )
    return [name for name in names if name in chosen]


def check_batch_sizes(batch_sizes: Sequence[int]) -> None:
    """Raises unless there are batch sizes, whole numbers that increase.

    Raises:
        ValueError: With the sizes.
    """
    sizes = list(batch_sizes)
    whole = all(isinstance(size, int) and size > 0 for size in sizes)
    if not sizes or not whole or sizes != sorted(set(sizes)):
        raise ValueError(
            explain(
                "one or more batch sizes, increasing",
                f"batch_sizes={sizes}",
                "pass batch_sizes=(1, 16, 64, 256)",
            )
        )


def check_model_name(name: str) -> None:
    """Raises unless `name` can stand in a URL and in a container's path.

    Raises:
        ValueError: With the name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(
            explain(
                "a directory named as the model: letters, digits, '_', '.' and '-'",
                repr(name),
                "pass a directory such as savedmodels/dcn",
            )
        )
