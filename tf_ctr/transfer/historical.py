"""Historical embeddings as extra features of any backbone."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

import keras

from tf_ctr.errors import explain
from tf_ctr.features import Categorical, Schema
from tf_ctr.layers import SnapshotAggregation, SnapshotTable
from tf_ctr.layers.snapshots.snapshot_aggregation import Mode
from tf_ctr.surgery import Graph, inputs_like, rebuild
from tf_ctr.surgery.names import AGGREGATION, HISTORICAL, SNAPSHOTS


def add_historical(
    build: Callable[[Schema], keras.Model],
    schema: Schema,
    fields: Collection[str],
    width: int = 16,
    num_snapshots: int = 3,
    aggregation: Mode = "self_attention",
    time_embedding: bool = False,
) -> keras.Model:
    """Returns a backbone's model with historical embeddings as further fields.

    The backbone sees them as ordinary fields with one vector each. The vector of an id
    comes from a `SnapshotTable`, which is not trained, followed by a trained
    `SnapshotAggregation`, and by a `Dense` if the width is not the backbone's embedding
    dim. The tables are empty until you call `fill_historical`.

    Source: E-CDCTR (arXiv 2408.16238), abstract: historical embeddings as extra
    features of CPM and A-CTR. A write-up of the paper reports three snapshots and the
    default aggregation; the rest of the form is ours.

    Args:
        build: The backbone, a function from a schema to a functional model, e.g.
            `functools.partial(dcn, embedding_dim=16)`.
        schema: A fitted `tf_ctr.Schema`.
        fields: Names of the categorical fields with one id per example that have
            historical embeddings, e.g. user and item.
        width: Width D of a historical embedding.
        num_snapshots: The newest K snapshots are used.
        aggregation: See `tf_ctr.layers.SnapshotAggregation`.
        time_embedding: See `tf_ctr.layers.SnapshotAggregation`.

    Returns:
        A functional, uncompiled `keras.Model` with the inputs of the schema. Further
        layers: `{field}_historical_snapshots`, `{field}_historical_aggregation`, and
        where needed `{field}_historical_embedding` and `{field}_historical_linear`.

    Raises:
        ValueError: If a field is unknown, hashed, or has several ids per example, or
            the backbone does not look its ids up in a table.

    Example:

    >>> import tf_ctr
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("user", ["ann", "bob"])])
    >>> model = add_historical(tf_ctr.backbones.dnn, schema, ["user"])
    >>> model.get_layer("embeddings").output.shape
    (None, 32)
    """
    extras = {f"{name}{HISTORICAL}": name for name in _checked(schema, fields)}
    # The backbone builds tables for these, which are replaced below; one bucket is
    # enough.
    placeholders = [Categorical(e, num_buckets=1, dtype="int64") for e in extras]
    fields_of_both = [*schema.fields, *placeholders]
    wider = schema.with_fields(fields_of_both)
    model = build(wider)
    tables = _tables(model, extras)
    inputs = inputs_like(model)
    vectors = {}
    for extra, name in extras.items():
        rows = cast(int, schema.field(name).table_size)  # A fitted field knows it.
        dates = (None,) * num_snapshots
        table = SnapshotTable(rows, width, dates, name=extra + SNAPSHOTS)
        joined = SnapshotAggregation(
            aggregation, time_embedding, name=extra + AGGREGATION
        )
        vectors[extra] = joined(table(inputs[name]))

    def call(layer, *args, **kwargs):
        if layer.name not in tables:
            return layer(*args, **kwargs)
        return _projected(vectors[tables[layer.name]], layer)

    wired = rebuild(model, inputs, call, trainable=None)
    own = {name: inputs[name] for name in inputs if name not in extras}
    return keras.Model(own, wired.output, name=model.name)


def fill_historical(model: keras.Model, tables: Mapping[str, Any]) -> None:
    """Replaces the historical embeddings of a model, in place.

    Args:
        model: A model made by `add_historical`.
        tables: `{field: (dates, embeddings [n, K, D], known [n, K])}` for all fields of
            the model, as `tf_ctr.ecdctr.SnapshotStore.table` returns.

    Raises:
        ValueError: If a field is missing, or a shape is not that of the model.
    """
    own = historical_tables(model)
    missing = sorted(set(own) - set(tables))
    if missing:
        raise ValueError(
            explain(
                f"historical embeddings of the fields {sorted(own)}",
                f"none of {missing}",
                "read them from the snapshots",
            )
        )
    for field, table in own.items():
        table.fill(*tables[field])


def historical_tables(model: keras.Model) -> dict[str, SnapshotTable]:
    """Returns `{field: its SnapshotTable}` of a model, in the order of the lookups.

    Raises:
        ValueError: If a field has several, as in a model of several towers.
    """
    tables = {
        layer.name: layer for layer in model.layers if isinstance(layer, SnapshotTable)
    }
    calls = [(name, args[0]) for name, args in Graph(model).calls if name in tables]
    found = {field: tables[name] for name, field in calls}
    if len(found) < len(calls):
        raise ValueError(
            explain(
                "a model with one table of historical embeddings per field",
                f"'{model.name}', which has {sorted(name for name, _ in calls)}",
                "fill the models that it was made from, before the transfer",
            )
        )
    return found


def freeze_aggregation(model: keras.Model) -> None:
    """Freezes the layers that join historical embeddings, in place."""
    for layer in model.layers:
        if isinstance(layer, SnapshotAggregation):
            layer.trainable = False


def _checked(schema: Schema, fields: Collection[str]) -> tuple[str, ...]:
    for name in fields:
        field = schema.field(name)
        if field.multivalent or not field.has_vocabulary:
            raise ValueError(
                explain(
                    "categorical fields with a vocabulary and one id per example",
                    f"the field '{name}'",
                    "use historical embeddings of users and items",
                )
            )
    return tuple(fields)


def _tables(model: keras.Model, extras: Collection[str]) -> dict[str, str]:
    """Returns `{table of the backbone: the extra field that is looked up in it}`."""
    fields = Graph(model).fields_by_table
    tables = {
        table: extra for extra in extras for table in fields if fields[table] == [extra]
    }
    lost = sorted(set(extras) - set(tables.values()))
    if lost:
        raise ValueError(
            explain(
                "a backbone that looks each categorical field up in a table",
                f"'{model.name}', which has no table for {lost}",
                "build the model with a function of tf_ctr.backbones",
            )
        )
    return tables


def _projected(vector: keras.KerasTensor, table: keras.Layer) -> keras.KerasTensor:
    """Returns the vector as wide as a row of the backbone's table."""
    if vector.shape[-1] == table.output_dim:
        return vector
    # The initializer of our tables.
    start = keras.initializers.RandomNormal(stddev=1e-4)
    return keras.layers.Dense(
        table.output_dim, use_bias=False, kernel_initializer=start, name=table.name
    )(vector)
