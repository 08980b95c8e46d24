"""Rules that need rows: scores that are probabilities, each row's its own."""

import numpy as np
import tensorflow as tf

from tf_ctr.serving.rules.findings import error, note
from tf_ctr.serving.version import signature

RULE = "rows"
NUM_ROWS = 8
TOLERANCE = 1e-6
EXACT_INTEGERS = 2**53


def check_schema(schema, meta_graph):
    """Yields where `serving_default` differs from the schema beside it."""
    inputs = signature(meta_graph, "serving_default").inputs
    served = {key: tf.as_dtype(info.dtype) for key, info in inputs.items()}
    raw = {key: spec.dtype for key, spec in schema.raw_signature().items()}
    if served != raw:
        differing = sorted(
            key for key in raw | served if raw.get(key) != served.get(key)
        )
        yield error(RULE, f"serving_default and schema.json differ in {differing}")
    large = [
        field.name
        for field in schema.fields
        if field.dtype == "int64"
        and any(abs(i) > EXACT_INTEGERS for i in getattr(field, "vocabulary", ()) or ())
    ]
    if large and "string_ids" not in meta_graph.signature_def:
        yield note(
            RULE, f"ids beyond 2^53 in {large}: clients in JavaScript round them"
        )


def check_rows(loaded, columns):
    """Yields scores that are no probabilities, or depend on the rest of the batch.

    The server fills a batch up with copies of a row: no row may see another one.

    Args:
        loaded: A `SessionLoader`.
        columns: `{field: array [N, ...]}`, raw.
    """
    columns = {name: values[:NUM_ROWS] for name, values in columns.items()}
    try:
        together = _clicks(loaded, columns)
        alone = [
            _clicks(
                loaded, {name: values[i : i + 1] for name, values in columns.items()}
            )
            for i in range(len(together))
        ]
        none = _clicks(loaded, {name: values[:0] for name, values in columns.items()})
    except ValueError as problem:
        yield error(RULE, f"real rows fail: {problem}")
        return
    if not (np.min(together) >= 0 and np.max(together) <= 1):
        yield error(
            RULE,
            f"scores from {np.min(together)} to {np.max(together)} are no "
            "probabilities",
        )
    difference = np.max(np.abs(np.concatenate(alone) - together))
    if not difference <= TOLERANCE:
        yield error(
            RULE,
            f"a row scored alone differs by {difference:.3g}: rows see one "
            "another, and the rows that fill a batch up would count",
        )
    if none.shape[0]:
        yield error(RULE, f"no row gives {none.shape[0]} scores")


def _clicks(loaded, columns):
    return next(iter(loaded("serving_default", columns).values()))
