"""Rules that need rows: scores are probabilities, and no row sees another."""

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.features import Schema
from tf_ctr.serving.loaders.loader import Loader
from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.version import signature
from tf_ctr.serving.wire.signatures import DEFAULT, STRING_IDS

RULE = "rows"
NUM_ROWS = 8
TOLERANCE = 1e-6
# JavaScript's numbers are exact up to here.
EXACT_INTEGERS = 2**53


def check_schema(
    schema: Schema, meta_graph: meta_graph_pb2.MetaGraphDef
) -> Iterator[Finding]:
    """Yields where the default signature and the schema differ, and large ids."""
    inputs = signature(meta_graph, DEFAULT).inputs
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
    if large and STRING_IDS not in meta_graph.signature_def:
        yield note(
            RULE, f"ids beyond 2^53 in {large}: clients in JavaScript round them"
        )


def check_rows(loaded: Loader, columns: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Yields scores that are no probabilities, or depend on the rest of the batch.

    The server fills a batch up with copies of a row, so no row may see another one.

    Args:
        loaded: The loaded version.
        columns: `{field: array [B, ...]}`, raw.
    """

    def clicks(start, stop):
        batch = {name: values[start:stop] for name, values in columns.items()}
        return next(iter(loaded(DEFAULT, batch).values()))

    try:
        together = clicks(0, NUM_ROWS)
        singly = [clicks(i, i + 1) for i in range(len(together))]
        none = clicks(0, 0)
    except ValueError as problem:
        yield error(RULE, f"real rows fail: {problem}")
        return
    if not (np.min(together) >= 0 and np.max(together) <= 1):
        yield error(
            RULE,
            f"scores from {np.min(together)} to {np.max(together)} are no "
            "probabilities",
        )
    difference = np.max(np.abs(np.concatenate(singly) - together))
    if not difference <= TOLERANCE:
        yield error(
            RULE,
            f"a row scored by itself differs by {difference:.3g}: a row's score "
            "depends on its batch, which the server joins from several requests",
        )
    if none.shape[0]:
        yield error(RULE, f"no row gives {none.shape[0]} scores")
