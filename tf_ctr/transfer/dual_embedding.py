"""Dual embedding: the source's tables of ids beside those of the target."""

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from tf_ctr.errors import explain, unknown_name
from tf_ctr.surgery import Graph, copy_layer, copy_weights, inputs_like, rebuild
from tf_ctr.surgery.joining import add_before_activation
from tf_ctr.surgery.names import DUAL
from tf_ctr.surgery.towers import paired_sites
from tf_ctr.transfer.method import Method


@Method("Dual Embedding", takes=("target",))
def dual_embedding(
    source: keras.Model,
    target: keras.Model | None = None,
    fields: Sequence[str] | None = None,
) -> keras.Model:
    """Returns a target model with a second embedding, the source's, of its ids.

    The first hidden layer becomes `h_1 = f([x; e'] [W; V] + b)`, with `x` its input in
    the target and `e'` the vectors of `fields` in copies of the source's tables. All
    weights are trained. `V` starts at zero, so the scores before training are those of
    the target. The product is computed as `x W + e' V`, so `W` keeps its shape.

    Source: the Dual Embedding baseline of CTNet (arXiv 2208.05728), section 4.4,
    which does not say how `V` starts.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        target: A trained functional model of the target domain, with inputs encoded
            like those of `source`; it is not changed. Defaults to `source`.
        fields: Names of fields with one id per example. Defaults to all such fields
            that both models embed.

    Returns:
        A new, uncompiled `keras.Model` with the layer names of `target`. Added
        layers: `{table}_dual`, `dual_embeddings`, `{site}_dual`, and `{site}_sum` and
        `{site}_activation` where the site is not a small model of its own.

    Raises:
        ValueError: If a field is unknown or holds several ids, or the models have no
            hidden layer in common.

    Example:

    >>> user = keras.Input((), dtype="int64", name="user")
    >>> table = layers.Embedding(4, 2, name="user_embedding")
    >>> hidden = layers.Dense(3, "relu", name="deep_0")(table(user))
    >>> click = layers.Dense(1, "sigmoid", name="click")(hidden)
    >>> model = dual_embedding(keras.Model({"user": user}, click))
    >>> [layer.name for layer in model.layers if layer.weights]
    ['user_embedding', 'user_embedding_dual', 'deep_0', 'deep_0_dual', 'click']
    """
    target = source if target is None else target
    inputs = inputs_like(source, target)
    tables = _tables(source, target, inputs, fields)
    site, *_ = paired_sites(source, target)
    copies = {
        name: copy_layer(source.get_layer(name), DUAL)
        for name in dict.fromkeys(tables.values())
    }
    vectors = [copies[table](inputs[field]) for field, table in tables.items()]
    if len(vectors) > 1:
        vectors = [layers.Concatenate(name="dual_embeddings")(vectors)]
    width = target.get_layer(site).output.shape[-1]

    def call(layer, *args, **kwargs):
        if layer.name != site:
            return layer(*args, **kwargs)
        added = layers.Dense(
            width,
            use_bias=False,
            kernel_initializer="zeros",
            name=site + DUAL,
            dtype=layer.dtype_policy,
        )
        return add_before_activation(layer, added(*vectors), *args, **kwargs)

    model = rebuild(target, inputs, call)
    copy_weights(target, model)
    for name in copies:
        weights = source.get_layer(name).get_weights()
        model.get_layer(name + DUAL).set_weights(weights)
    return model


def _tables(
    source: keras.Model,
    target: keras.Model,
    inputs: Mapping[str, keras.KerasTensor],
    fields: Sequence[str] | None,
) -> dict[str, str]:
    """Returns `{field: its table in the source}`."""
    ours, theirs = (Graph(each).tables_by_field for each in (target, source))
    both = {
        field: table
        for field, table in theirs.items()
        if field in ours and len(inputs[field].shape) == 1
    }
    for field in fields or ():
        if field not in both:
            raise ValueError(
                unknown_name("field with one id in both models", field, both)
            )
    chosen = {field: both[field] for field in both if fields is None or field in fields}
    if not chosen:
        raise ValueError(
            explain(
                "a field with one id per example that both models embed",
                f"source {list(theirs)}, target {list(ours)}",
                "name such a field",
            )
        )
    return chosen
