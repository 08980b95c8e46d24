"""The embedding tables of a functional model, and the fields that they serve."""

import keras

from tf_ctr.errors import explain
from tf_ctr.layers import DomainDense, DomainNorm, Embedding, SnapshotTable
from tf_ctr.transfer.calls import check_functional, graph_calls, upstream


def is_table(layer):
    """Whether `layer` is an embedding table."""
    return isinstance(layer, Embedding | keras.layers.Embedding | SnapshotTable)


def embedding_calls(model):
    """Returns which table each field is looked up in.

    First-order tables (output dim 1) are left out: they are weights of a linear
    model, not embeddings. So are snapshots: they are data.

    Args:
        model: A functional `keras.Model` whose tables take the inputs directly.

    Returns:
        `{field: name of the table layer}`, in the order of the lookups.

    Raises:
        ValueError: If a table takes anything but an input, or an input goes to
            two tables.
    """
    tables = [
        layer.name
        for layer in model.layers
        if is_table(layer)
        and layer.output_dim > 1
        and not isinstance(layer, SnapshotTable)
    ]
    calls = {}
    for name, field in _lookups(model, tables):
        if field in calls:
            raise ValueError(
                explain(
                    "one embedding table per field",
                    f"'{field}' in '{calls[field]}' and '{name}'",
                    "give the second table an input of its own",
                )
            )
        calls[field] = name
    return calls


def table_fields(model):
    """Returns which fields are looked up in each table, first-order ones included.

    Args:
        model: A functional `keras.Model` whose tables take the inputs directly.

    Returns:
        `{name of the table layer: [fields]}`.

    Raises:
        ValueError: If a table takes anything but an input.
    """
    fields = {layer.name: [] for layer in model.layers if is_table(layer)}
    for name, field in _lookups(model, fields):
        fields[name].append(field)
    return fields


def table_inputs(model):
    """Returns which inputs the ids of each table come from, be it by operations.

    Args:
        model: A functional `keras.Model`.

    Returns:
        `{name of the table layer: [names of inputs]}`.
    """
    inputs = check_functional(model)
    found = {layer.name: set() for layer in model.layers if is_table(layer)}
    for name, before in upstream(graph_calls(model)):
        if name in found:
            found[name] |= before
    return {
        name: [each for each in inputs if each in before]
        for name, before in found.items()
    }


def number_embeddings(model):
    """Returns which layer turns a number into an embedding.

    Such a layer is a `Dense` named `{field}_embedding` and called once, on the input
    of that field: the name tells it from a hidden layer on a numeric input.

    Args:
        model: A functional `keras.Model`.

    Returns:
        `{field: name of the layer}`.
    """
    calls = graph_calls(model)
    called = [name for name, _ in calls]
    dense = [la.name for la in model.layers if isinstance(la, keras.layers.Dense)]
    return {
        field: f"{field}_embedding"
        for field in model.input
        if f"{field}_embedding" in dense
        and called.count(f"{field}_embedding") == 1
        and (f"{field}_embedding", [field]) in calls
    }


def domain_fields(model):
    """Returns which field selects the weights of a layer that has some per domain.

    Args:
        model: A functional `keras.Model`.

    Returns:
        `{name of the layer: field}`, of the layers that take the field directly.
    """
    layers = {
        layer.name
        for layer in model.layers
        if isinstance(layer, DomainDense | DomainNorm)
    }
    inputs = check_functional(model)
    return {
        name: parents[1]
        for name, parents in graph_calls(model)
        if name in layers and parents[1] in inputs
    }


def _lookups(model, tables):
    """Returns `(table, field)` per lookup in `tables`, in graph order."""
    inputs = check_functional(model)
    lookups = [
        (name, parents) for name, parents in graph_calls(model) if name in tables
    ]
    for name, parents in lookups:
        if len(parents) != 1 or parents[0] not in inputs:
            raise ValueError(
                explain(
                    f"table '{name}' to take one input of the model directly",
                    f"a call on {parents}",
                    "move the op on the ids out of the model, into tf.data",
                )
            )
    return [(name, field) for name, (field,) in lookups]
