"""What generates the parameters of a layer in APG."""

from keras import layers

from tf_ctr.errors import check_name, explain, unknown_name
from tf_ctr.layers import ConditionAttention
from tf_ctr.surgery.rebuild import field_vector

SELF = "self"
AGGREGATIONS = (
    "input_concat",
    "input_mean",
    "input_attention",
    "output_concat",
    "output_mean",
    "output_attention",
)


def condition_by_layer(condition, sites):
    """Returns the condition of every layer that is to become adaptive.

    Args:
        condition: See `tf_ctr.transfer.apg`.
        sites: Names of the layers that can become adaptive.

    Returns:
        `{layer name: "self" or tuple of fields}`.

    Raises:
        ValueError: If a layer is unknown, or none is chosen.
    """
    if not isinstance(condition, dict):
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
    return {name: _normalised(choice) for name, choice in condition.items()}


def _normalised(choice):
    if choice == SELF:
        return SELF
    return (choice,) if isinstance(choice, str) else tuple(choice)


def condition_vector(fields, inputs, rows, aggregation):
    """Returns the condition that some fields make.

    Args:
        fields: Names of fields, at least one.
        inputs: `{field: keras.Input}`.
        rows: `{field: its embeddings}`, `[B, D]` or `[B, T, D]`.
        aggregation: One of `AGGREGATIONS`; without effect on a single field.

    Returns:
        `[B, D]`; `[B, J, D]` to aggregate the outputs of J generators.

    Raises:
        ValueError: If a field is unknown, or the embeddings differ in width where
            the aggregation needs one width.
    """
    vectors = [_field_vector(field, inputs, rows) for field in fields]
    if len(vectors) == 1:
        return vectors[0]
    name = f"{'_'.join(fields)}_condition"
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
        return ConditionAttention(name=f"{name}_attention")(stack)
    return stack


def _field_vector(field, inputs, rows):
    numerics = [name for name, value in inputs.items() if "float" in value.dtype]
    if field not in rows and field not in numerics:
        raise ValueError(unknown_name("condition", field, [SELF, *rows, *numerics]))
    return field_vector(field, inputs, rows, f"{field}_condition")
