"""Fine-tuning: starts from the source, and trains all of it or a part."""

from collections.abc import Mapping, Sequence

import keras

from tf_ctr.errors import check_name, explain, unknown_name
from tf_ctr.features.schema import Schema
from tf_ctr.surgery import (
    Graph,
    copy_weights,
    freeze_layers,
    inputs_like,
    rebuild,
    set_learning_rate_multipliers,
    warm_start,
)
from tf_ctr.surgery.rows import NewRows
from tf_ctr.transfer.method import Method

PARTS = ("all", "embeddings")


@Method("Fine-Tune", takes=("target",), starts_as_source=True)
def fine_tune(
    source: keras.Model,
    which: str | Sequence[str] = "all",
    freeze: Sequence[str] = (),
    learning_rate_multipliers: Mapping[str, float] | None = None,
    target: keras.Model | None = None,
    source_schema: Schema | None = None,
    target_schema: Schema | None = None,
    new_rows: NewRows = "initial",
) -> keras.Model:
    """Returns a trainable model that starts from a pre-trained one.

    Source: the Fine-Tune baseline of AutoFT (arXiv 2106.04873), section 4; with
    `which`, the pre-train and fine-tune baselines of CTNet (arXiv 2208.05728): the
    tables of IDs, all tables, or all parameters.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        which: The layers that start from the source: `"all"`, `"embeddings"` (the
            embedding tables), or a list of fields, for the tables of these fields. All
            other weights are initialised again, also first-order weights
            (`{field}_linear`).
        freeze: Patterns (`fnmatch`) of layers that are not trained; see
            `tf_ctr.transfer.freeze_layers`.
        learning_rate_multipliers: `{pattern: factor}`; see
            `tf_ctr.transfer.set_learning_rate_multipliers`.
        target: A model with the layer names of `source`, for another schema or with
            more fields; it is not changed. Layers without a counterpart of the same
            shape keep their weights in `target`. Defaults to the architecture of
            `source`.
        source_schema: See `tf_ctr.surgery.warm_start`.
        target_schema: See `tf_ctr.surgery.warm_start`.
        new_rows: See `tf_ctr.surgery.warm_start`.

    Returns:
        A new, uncompiled `keras.Model`. Every layer that `freeze` does not name is
        trainable, even if it is frozen in `source`. The model's `weight_report`, a
        `WeightReport`, lists how every layer starts; `tf_ctr.transfer.summary` shows
        it.

    Raises:
        ValueError: If `source` is not a functional model with dict inputs, a pattern
            or field is unknown, nothing is left to train, or by `warm_start`.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> source = keras.Model(inputs, click)
    >>> fine_tune(source).get_layer("click") is source.get_layer("click")
    False
    """
    skip = _left_out(source, which)
    base = source if target is None else target
    model = rebuild(base, inputs_like(base))
    if target is not None:
        copy_weights(target, model)
    warm_start(
        source,
        model,
        source_schema,
        target_schema,
        skip=skip,
        optimizer=False,
        new_rows=new_rows,
    )
    if freeze:
        freeze_layers(model, freeze)
    set_learning_rate_multipliers(model, learning_rate_multipliers or {})
    return model


def _left_out(source: keras.Model, which: str | Sequence[str]) -> list[str]:
    """Returns the layers of the source that the target does not start from."""
    if which == "all":
        return []
    tables = Graph(source).tables_by_field
    if isinstance(which, str) and which != "embeddings":
        raise ValueError(unknown_name("part of a model", which, PARTS))
    fields = tables if which == "embeddings" else which
    for field in fields:
        check_name("field with an embedding", field, tables)
    if not fields:
        raise ValueError(
            explain("an embedding table to start from", f"which={which!r}", "name some")
        )
    kept = {tables[field] for field in fields}
    return [
        layer.name
        for layer in source.layers
        if layer.weights and layer.name not in kept
    ]
