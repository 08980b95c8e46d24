"""Reads the calls, tables, depths and routes of a functional model.

Everything is read from `model.get_config()`, the public form that a `.keras` file also
holds, so that fresh, reloaded and user-built models are all read in the same way.
"""

import functools
import re
from typing import Any, NamedTuple

import keras

from tf_ctr.errors import explain
from tf_ctr.layers import DomainDense, DomainNorm, Embedding, Route, SnapshotTable
from tf_ctr.surgery.functional import check_functional
from tf_ctr.surgery.names import EMBEDDING


class Call(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: Name of the layer.
        parents: Names of the layers whose outputs are its arguments, in their order.
    """

    layer: str
    parents: list[str]


class Graph:
    """The calls, tables, depths and routes of a functional model, computed on demand.

    A table is an embedding table, Keras's or ours. A depth is a hidden layer that a
    transfer method can adapt. A route is a layer that chooses between a frozen and a
    tuned layer, its branches.

    Args:
        model: A functional `keras.Model` with dict inputs. Only the properties that
            need such a model check it, so that `routes` works for any model.

    Example:

    >>> inputs = {"user": keras.Input((), dtype="int64", name="user")}
    >>> rows = Embedding(5, 2, name="user_embedding")(inputs["user"])
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(rows)
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    >>> graph = Graph(keras.Model(inputs, click))
    >>> graph.tables_by_field, graph.depths
    ({'user': 'user_embedding'}, ['deep_0'])
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    @functools.cached_property
    def inputs(self) -> dict[str, keras.KerasTensor]:
        """The input of each field.

        Raises:
            ValueError: If the model is not functional with a dict of inputs, or the
                name of an input is not its key.
        """
        return check_functional(self.model)

    @functools.cached_property
    def calls(self) -> list[Call]:
        """All calls, in graph order."""
        check_functional(self.model)
        return [
            Call(config["name"], _parents(node))
            for config in self.model.get_config()["layers"]
            for node in config["inbound_nodes"]
        ]

    @functools.cached_property
    def before(self) -> dict[str, set[str]]:
        """For each layer the names of all layers that its outputs depend on."""
        found: dict[str, set[str]] = {}
        for name, parents in self.calls:
            nearer = (found.get(parent, set()) | {parent} for parent in parents)
            found[name] = found.get(name, set()).union(*nearer)
        return found

    @functools.cached_property
    def tables(self) -> dict[str, keras.Layer]:
        """All embedding tables by name, including first-order tables and snapshots."""
        return {layer.name: layer for layer in self.model.layers if is_table(layer)}

    @functools.cached_property
    def tables_by_field(self) -> dict[str, str]:
        """The table that each field is looked up in, in the order of the lookups.

        First-order tables (output dim 1) are left out, because they are weights of a
        linear model, and snapshots are left out, because they are data.

        Raises:
            ValueError: If the argument of a table is not an input, or an input goes to
                two tables.
        """
        tables = [
            name
            for name, table in self.tables.items()
            if table.output_dim > 1 and not isinstance(table, SnapshotTable)
        ]
        found: dict[str, str] = {}
        for name, field in self._lookups(tables):
            if field in found:
                raise ValueError(
                    explain(
                        "one embedding table per field",
                        f"'{field}' in '{found[field]}' and '{name}'",
                        "give the second table an input of its own",
                    )
                )
            found[field] = name
        return found

    @functools.cached_property
    def fields_by_table(self) -> dict[str, list[str]]:
        """The fields that are looked up in each table, including first-order tables.

        Raises:
            ValueError: If the argument of a table is not an input.
        """
        fields: dict[str, list[str]] = {name: [] for name in self.tables}
        for name, field in self._lookups(list(fields)):
            fields[name].append(field)
        return fields

    @functools.cached_property
    def inputs_by_table(self) -> dict[str, list[str]]:
        """The inputs that the ids of each table depend on, directly or indirectly."""
        return {
            name: [each for each in self.inputs if each in self.before.get(name, ())]
            for name in self.tables
        }

    @functools.cached_property
    def number_embeddings(self) -> dict[str, str]:
        """The layer that turns a number into an embedding, by field.

        Such a layer is a `Dense` named `{field}_embedding` that is called once, on the
        input of the field. Only its name distinguishes it from a hidden layer.
        """
        called = [call.layer for call in self.calls]
        dense = {
            layer.name
            for layer in self.model.layers
            if isinstance(layer, keras.layers.Dense)
        }
        found = {}
        for field in self.inputs:
            name = field + EMBEDDING
            if name in dense and called.count(name) == 1:
                if Call(name, [field]) in self.calls:
                    found[field] = name
        return found

    @property
    def embeddings(self) -> dict[str, str]:
        """The layer that embeds each field of ids or numbers."""
        return self.tables_by_field | self.number_embeddings

    @functools.cached_property
    def domain_fields(self) -> dict[str, str]:
        """The field that selects the domain in each layer with weights per domain.

        Layers that do not take the field directly are left out.
        """
        layers = {
            layer.name
            for layer in self.model.layers
            if isinstance(layer, DomainDense | DomainNorm)
        }
        return {
            name: parents[1]
            for name, parents in self.calls
            if name in layers and parents[1] in self.inputs
        }

    @functools.cached_property
    def depths(self) -> list[str]:
        """The adaptable layers, in the order of the forward pass.

        A depth has weights, is not a table, and is followed by another layer with
        weights, so it is not the prediction layer.

        Raises:
            ValueError: If a depth is called more than once, and so is not one place.
        """
        weighted = [layer.name for layer in self.model.layers if _has_depth(layer)]
        followed = set().union(*(self.before.get(name, set()) for name in weighted))
        depths = [name for name in weighted if name in followed]
        called = [call.layer for call in self.calls]
        shared = [name for name in depths if called.count(name) > 1]
        if shared:
            raise ValueError(
                explain(
                    "every layer of the network to be called once",
                    f"several calls of {shared}",
                    "build one layer per call; only embedding tables may be shared",
                )
            )
        return depths

    @functools.cached_property
    def components(self) -> dict[str, list[str]]:
        """The depths grouped by name without number, `{"deep": ["deep_0", ...]}`.

        Layers that embed a number are left out.
        """
        found: dict[str, list[str]] = {}
        embeddings = self.embeddings.values()
        for depth in self.depths:
            if depth not in embeddings:
                found.setdefault(re.sub(r"_\d+$", "", depth), []).append(depth)
        return found

    @functools.cached_property
    def routes(self) -> dict[str, Route]:
        """Every `Route` layer by name; empty for a model without routes."""
        # From the layers, not from the calls, so that it works for any model.
        return {
            layer.name: layer for layer in self.model.layers if isinstance(layer, Route)
        }

    @functools.cached_property
    def branches(self) -> dict[str, tuple[str, str]]:
        """For each route the names of its frozen and its tuned layer."""
        return {
            name: (parents[0], parents[1])
            for name, parents in self.calls
            if name in self.routes
        }

    def _lookups(self, tables: list[str]) -> list[tuple[str, str]]:
        """Returns `(table, field)` per lookup in `tables`, in graph order."""
        lookups = [call for call in self.calls if call.layer in tables]
        for name, parents in lookups:
            if len(parents) != 1 or parents[0] not in self.inputs:
                raise ValueError(
                    explain(
                        f"table '{name}' to take one input of the model directly",
                        f"a call on {parents}",
                        "move the op on the ids out of the model, into tf.data",
                    )
                )
        return [(name, field) for name, (field,) in lookups]


def is_table(layer: keras.Layer) -> bool:
    """Returns whether `layer` is an embedding table."""
    return isinstance(layer, Embedding | keras.layers.Embedding | SnapshotTable)


def _parents(node: Any) -> list[str]:
    """Returns the names of the layers whose outputs a call in a config takes."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [node["config"]["keras_history"][0]]
        node = list(node.values())
    if isinstance(node, list | tuple):
        return [name for part in node for name in _parents(part)]
    return []


def _has_depth(layer: Any) -> bool:
    # A bare operation is not a keras.Layer, and has no weights.
    return (
        isinstance(layer, keras.Layer) and bool(layer.weights) and not is_table(layer)
    )
