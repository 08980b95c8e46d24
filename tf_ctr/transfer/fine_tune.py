"""Fine-tuning: start from the source, train all of it or a part."""

import glob

from tf_ctr.errors import check_name, explain, unknown_name
from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.names import freeze_layers, set_learning_rate_multipliers
from tf_ctr.surgery.rebuild import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.warm_start import warm_start
from tf_ctr.transfer.method import Method

PARTS = ("all", "embeddings")


@Method("Fine-Tune", takes=("target",), starts_as_source=True)
def fine_tune(
    source,
    which="all",
    freeze=(),
    learning_rate_multipliers=None,
    target=None,
    source_schema=None,
    target_schema=None,
    new_rows="initial",
    return_report=False,
):
    """Returns a trainable model that starts from a pre-trained one.

    Source: the Fine-Tune baseline of AutoFT (arXiv 2106.04873), section 4; with
    `which`, the pre-train and fine-tune baselines of CTNet (arXiv 2208.05728): the
    tables of IDs, all tables, or all parameters.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        which: What starts from the source: `"all"`, `"embeddings"` (the embedding
            tables), or a list of fields, whose tables do. All else starts afresh,
            first-order weights (`{field}_linear`) with it.
        freeze: Patterns (`fnmatch`) of layers that stay as they start; see
            `tf_ctr.transfer.freeze_layers`.
        learning_rate_multipliers: `{pattern: factor}`; see
            `tf_ctr.transfer.set_learning_rate_multipliers`.
        target: A model with layers named as in `source`, for another schema or with
            more fields; it is not changed. Its layers that find no counterpart of
            their shape keep its weights. Defaults to the architecture of `source`.
        source_schema: See `tf_ctr.surgery.warm_start`.
        target_schema: See `tf_ctr.surgery.warm_start`.
        new_rows: See `tf_ctr.surgery.warm_start`.
        return_report: Whether to return the `WeightReport` too.

    Returns:
        A new, uncompiled `keras.Model`, every layer trainable but those of `freeze`,
        also one that is frozen in `source`. With `return_report` that model and a
        `WeightReport`; see `tf_ctr.surgery.weights`.

    Raises:
        ValueError: If `source` is not a functional model with dict inputs, a pattern
            or field is unknown, nothing is left to train, or by `warm_start`.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> source = keras.Model(inputs, click)
    >>> fine_tune(source).get_layer("click") is source.get_layer("click")
    False
    """
    skip = _left_out(source, which)
    model = _fresh(source) if target is None else _copy(target)
    report = warm_start(
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
    return (model, report) if return_report else model


def _fresh(model):
    return rebuild(model, inputs_like(model))


def _copy(model):
    copy = _fresh(model)
    copy_weights(model, copy)
    return copy


def _left_out(source, which):
    """Patterns of the layers of the source that the target does not start from."""
    if which == "all":
        return ()
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
    left = [la.name for la in source.layers if la.weights and la.name not in kept]
    return [glob.escape(name) for name in left]
