"""The calls of a functional model's layers.

Read from `model.get_config()`, the public form that is also in a `.keras` file, so
that they are alike on a fresh model, a reloaded one and a user's own.
"""

import keras

from tf_ctr.errors import explain
from tf_ctr.layers import DomainDense, DomainNorm, Embedding, SnapshotTable


def check_functional(model):
    """Returns `{name: Input}` of a functional model, or says what is wrong."""
    if not isinstance(model, keras.Model) or isinstance(model, keras.Sequential):
        raise ValueError(_not_functional(type(model).__name__))
    inputs = getattr(model, "input", None)
    if not isinstance(inputs, dict):
        raise ValueError(
            _not_functional(f"{type(model).__name__} with inputs {inputs}")
        )
    for key, tensor in inputs.items():
        if tensor.name != key:
            raise ValueError(
                explain(
                    "every Input to be named as its key",
                    f"key '{key}' for Input(name='{tensor.name}')",
                    f"write keras.Input(..., name='{key}')",
                )
            )
    return inputs


def graph_calls(model):
    """Returns `(layer name, names of its parents)` per call, in graph order."""
    check_functional(model)
    calls = []
    for config in model.get_config()["layers"]:
        for node in config["inbound_nodes"]:
            calls.append((config["name"], _tensor_sources(node)))
    return calls


def upstream(calls):
    """Yields, per call, the layer and the names of all that comes before it."""
    found = {}
    for name, parents in calls:
        before = set().union(*(found.get(p, set()) | {p} for p in parents))
        found[name] = found.get(name, set()) | before
        yield name, before


def _not_functional(received):
    return explain(
        "a functional keras.Model with a dict of inputs by field name",
        received,
        "build it with a function of tf_ctr.backbones, or with keras.Model(inputs="
        "{'user': keras.Input((), name='user'), ...}, outputs=...)",
    )


def _tensor_sources(node):
    """Returns the names of the layers whose outputs a call takes."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [node["config"]["keras_history"][0]]
        node = list(node.values())
    if isinstance(node, list | tuple):
        return [name for part in node for name in _tensor_sources(part)]
    return []


def depth_sites(model):
    """Returns the names of the adaptable layers, in the order of the forward pass.

    A site has weights, is no embedding table, and is not the prediction layer:
    another layer with weights comes after it.

    Args:
        model: A functional `keras.Model`.

    Returns:
        List of layer names, e.g. `["cross_0", "deep_0", "deep_1"]`.

    Raises:
        ValueError: If the model is not functional with dict inputs, or a site is
            called more than once (its depth is then not one place).
    """
    calls = graph_calls(model)
    layers = {layer.name: layer for layer in model.layers}
    with_successor = set()
    for name, before in upstream(calls):
        if _has_depth(layers.get(name)):
            with_successor |= before
    sites = [
        layer.name
        for layer in model.layers
        if _has_depth(layer) and layer.name in with_successor
    ]
    _check_called_once(sites, [name for name, _ in calls])
    return sites


def _has_depth(layer):
    return (
        isinstance(layer, keras.Layer) and bool(layer.weights) and not is_table(layer)
    )


def _check_called_once(sites, called):
    shared = [name for name in sites if called.count(name) > 1]
    if shared:
        raise ValueError(
            explain(
                "every layer of the network to be called once",
                f"several calls of {shared}",
                "build one layer per call; only embedding tables may be shared",
            )
        )


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
