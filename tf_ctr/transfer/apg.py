"""APG: hidden layers whose parameters are generated for each example."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import keras
from keras import layers

from tf_ctr.errors import check_choice, check_name, explain, unknown_name
from tf_ctr.layers import APGDense, ConditionAttention
from tf_ctr.surgery import Graph, copy_layer, copy_weights, inputs_like, rebuild
from tf_ctr.surgery.names import ATTENTION, CONDITION
from tf_ctr.surgery.rebuild import first_argument
from tf_ctr.surgery.vectors import field_vector, look_up
from tf_ctr.transfer.method import Method

SELF = "self"

Condition = str | Sequence[str]

Aggregation = Literal[
    "input_concat",
    "input_mean",
    "input_attention",
    "output_concat",
    "output_mean",
    "output_attention",
]

AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)


@Method("APG")
def apg(
    model: keras.Model,
    condition: Condition | Mapping[str, Condition],
    rank: int | Mapping[str, int] = 4,
    over_parameter: int | None = None,
    version: Literal["v1", "v2", "v3", "v4", "v5"] = "v5",
    aggregation: Aggregation = "input_concat",
    bias: Literal["static", "generated", "none"] | None = None,
    generator_units: Sequence[int] = (),
    generator_start: Literal["identity", "glorot"] = "identity",
) -> keras.Model:
    """Returns a model whose hidden layers are adaptive (`tf_ctr.layers.APGDense`).

    Only hidden `Dense` layers are replaced, also those in a `Sequential` with
    BatchNorm and dropout. Embeddings, crosses and the prediction layer stay, with the
    weights of `model`, trained or not. The new layers start untrained, so the scores
    are not those of `model`: train the result as a model of its own, then transfer it
    with any method.

    Source: APG (arXiv 2203.16218), section 3. The paper does not say whether the
    gradient flows into the condition; here it does.

    Args:
        model: A functional model, fresh or reloaded; it is not changed.
        condition: The input from which the parameters of a layer are generated.
            The name of a field (group-wise): its embedding, pooled if it has several
            values, or the value of a numeric field.
            A list of fields (mix-wise), combined by `aggregation`.
            `"self"` (self-wise): the input of the layer.
            A dict `{layer name: condition}` chooses by layer, and leaves all other
            layers static; otherwise all layers named `deep...` are replaced.
        rank: Rank K, or `{layer name: rank}`.
        over_parameter: Width P; see `tf_ctr.layers.APGDense`.
        version: `"v1"` to `"v5"`; see `tf_ctr.layers.APGDense`.
        aggregation: How to combine a list of fields: `"input_..."` combines the
            embeddings before the generator, `"output_..."` the outputs of one generator
            per field; `"..._concat"`, `"..._mean"` or `"..._attention"`.
        bias: `"static"`, `"generated"` or `"none"`. Defaults to static if the replaced
            layer has a bias, otherwise to none.
        generator_units: See `tf_ctr.layers.APGDense`.
        generator_start: See `tf_ctr.layers.APGDense`.

    Returns:
        A new, uncompiled `keras.Model` with the layer names of `model`. Added
        layers: `{field}_condition_pooling`; for a list `{fields}_condition` and
        `{fields}_condition_...`.

    Raises:
        ValueError: If a layer, field or option is unknown, a layer has no rank, or
            `model` is not a functional model with dict inputs.

    Example:

    >>> inputs = {"age": keras.Input((4,), name="age")}
    >>> hidden = keras.layers.Dense(8, "relu", name="deep_0")(inputs["age"])
    >>> model = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> apg(model, condition="self").get_layer("deep_0").rank
    4
    """
    check_choice("aggregation", aggregation, AGGREGATIONS)
    graph = Graph(model)
    conditions = _conditions(condition, _hidden_dense(graph))
    ranks = _ranks(rank, conditions)
    inputs, tables = inputs_like(model), graph.tables_by_field
    # Looked up first, because hidden layers take fields as their conditions.
    rows = look_up(model, inputs, tables)
    vectors = {
        fields: _condition_vector(fields, inputs, rows, aggregation)
        for fields in dict.fromkeys(conditions.values())
        if isinstance(fields, tuple)
    }
    settings = {
        "over_parameter": over_parameter,
        "version": version,
        "bias": bias,
        "generator_units": generator_units,
        "generator_start": generator_start,
    }

    def call(layer, *args, **kwargs):
        x = first_argument(args, kwargs)
        if layer.name in tables.values():
            return rows[x.name]
        if layer.name not in conditions:
            return layer(*args, **kwargs)
        fields, combined = conditions[layer.name], None
        if fields != SELF and len(fields) > 1 and aggregation.startswith("output_"):
            combined = aggregation.removeprefix("output_")
        own = {"rank": ranks[layer.name], "aggregation": combined}
        return _adaptive(layer, x, vectors.get(fields, x), {**settings, **own})

    target = rebuild(model, inputs, call)
    copy_weights(model, target, skip=list(conditions))
    for name in conditions:
        # The rest of a Sequential, BatchNorm above all, keeps its weights.
        for part in _parts(model.get_layer(name)):
            if not isinstance(part, layers.Dense):
                twin = target.get_layer(name).get_layer(part.name)
                twin.set_weights(part.get_weights())
    return target


def _hidden_dense(graph: Graph) -> list[str]:
    """Returns the names of the layers that can become adaptive."""
    return [
        name
        for name in graph.depths
        if any(
            isinstance(part, layers.Dense)
            for part in _parts(graph.model.get_layer(name))
        )
    ]


def _parts(layer: keras.Layer) -> list[keras.Layer]:
    return layer.layers if isinstance(layer, keras.Sequential) else [layer]


def _conditions(
    condition: Condition | Mapping[str, Condition], sites: Sequence[str]
) -> dict[str, str | tuple[str, ...]]:
    """Returns `{layer: "self" or the fields of its condition}` of the chosen layers."""
    if not isinstance(condition, Mapping):
        condition = {name: condition for name in sites if name.startswith("deep")}
    for name in condition:
        check_name("hidden Dense layer", name, sites)
    if not condition:
        raise ValueError(
            explain(
                "a hidden Dense layer named 'deep...'",
                f"hidden Dense layers {sites}",
                "choose with condition={layer name: condition}",
            )
        )
    conditions: dict[str, str | tuple[str, ...]] = {}
    for name, choice in condition.items():
        if choice == SELF:
            conditions[name] = SELF
        else:
            conditions[name] = (choice,) if isinstance(choice, str) else tuple(choice)
    return conditions


def _ranks(rank: int | Mapping[str, int], names: Collection[str]) -> Mapping[str, int]:
    ranks = rank if isinstance(rank, Mapping) else dict.fromkeys(names, rank)
    if set(ranks) != set(names):
        raise ValueError(
            explain(
                f"a rank for each of {sorted(names)} and for no other layer",
                rank,
                "pass one number, or a dict of the layers that become adaptive",
            )
        )
    return ranks


def _condition_vector(
    fields: Sequence[str],
    inputs: Mapping[str, keras.KerasTensor],
    rows: Mapping[str, keras.KerasTensor],
    aggregation: Aggregation,
) -> keras.KerasTensor:
    """Returns the condition vector made of some fields.

    Args:
        fields: Names of fields, at least one.
        inputs: `{field: keras.Input}`.
        rows: `{field: its embeddings}`, `[B, D]` or `[B, T, D]`.
        aggregation: Without effect on a single field.

    Returns:
        `[B, D]`; `[B, J, D]` to aggregate the outputs of J generators.

    Raises:
        ValueError: If a field is unknown, or the embeddings differ in width although
            the aggregation needs one width.
    """
    numbers = [name for name, value in inputs.items() if "float" in value.dtype]
    vectors = []
    for field in fields:
        vector = None
        if field in inputs:
            vector = field_vector(field, inputs, rows, field + CONDITION)
        if vector is None:
            raise ValueError(unknown_name("condition", field, [SELF, *rows, *numbers]))
        vectors.append(vector)
    if len(vectors) == 1:
        return vectors[0]
    name = "_".join(fields) + CONDITION
    joined = layers.Concatenate(name=name)(vectors)
    if aggregation == "input_concat":
        return joined
    widths = {field: v.shape[-1] for field, v in zip(fields, vectors, strict=True)}
    if len(set(widths.values())) > 1:
        raise ValueError(
            explain(
                f"conditions of one width for aggregation='{aggregation}'",
                widths,
                "leave numerics out, or use aggregation='input_concat'",
            )
        )
    stack = layers.Reshape((len(fields), -1), name=f"{name}_stack")(joined)
    if aggregation == "input_mean":
        return layers.GlobalAveragePooling1D(name=f"{name}_mean")(stack)
    if aggregation == "input_attention":
        return ConditionAttention(name=name + ATTENTION)(stack)
    return stack


def _adaptive(
    layer: keras.Layer,
    x: keras.KerasTensor,
    z: keras.KerasTensor,
    settings: Mapping[str, Any],
) -> keras.KerasTensor:
    """Calls `layer` with each `Dense` in it made adaptive."""
    if isinstance(layer, layers.Dense):
        return _apg_dense(layer, settings)(x, z)
    # A model with two inputs, because a Sequential passes on only one.
    inputs = [keras.Input(t.shape[1:], dtype=t.dtype) for t in (x, z)]
    h = inputs[0]
    for part in layer.layers:
        if isinstance(part, layers.Dense):
            h = _apg_dense(part, settings)(h, inputs[1])
        else:
            h = copy_layer(part)(h)
    return keras.Model(inputs, h, name=layer.name)([x, z])


def _apg_dense(dense: layers.Dense, settings: Mapping[str, Any]) -> APGDense:
    bias = settings["bias"] or ("static" if dense.use_bias else "none")
    return APGDense(
        dense.units,
        activation=dense.activation,
        bias_initializer=dense.bias_initializer,
        kernel_regularizer=dense.kernel_regularizer,
        dtype=dense.dtype_policy,
        name=dense.name,
        **{**settings, "bias": bias},
    )
