"""The advertisement model of E-CDCTR: a pre-trained model with a new BatchNorm."""

from typing import Literal, get_args

import keras

from tf_ctr.errors import check_choice
from tf_ctr.surgery import inputs_like, rebuild, warm_start
from tf_ctr.surgery.names import layers_by_path
from tf_ctr.transfer.historical import freeze_aggregation
from tf_ctr.transfer.method import Method

BatchNormStart = Literal["reset", "reset_statistics", "keep"]

BATCH_NORM_STARTS: tuple[BatchNormStart, ...] = get_args(BatchNormStart)


@Method("A-CTR")
def a_ctr(source: keras.Model, batch_norm: BatchNormStart = "reset") -> keras.Model:
    """Returns an advertisement model that starts from a complete pre-training model.

    All parameters are copied by layer name, including historical embeddings and their
    aggregation, which is frozen. Those of BatchNorm are not copied, because natural
    data and advertisements are distributed differently. Measure its moving statistics
    before you serve the model, with `tf_ctr.training.measure_batch_norm` or
    `tf_ctr.continual.Training(measure_batch_norm=True)`.

    Source: A-CTR of E-CDCTR (arXiv 2408.16238), abstract. A summary and write-ups of
    the paper report that BatchNorm is re-initialised, but not whether gamma and beta
    are, too.

    Args:
        source: A trained functional model (CPM), fresh or reloaded; it is not changed.
        batch_norm: `"reset"`: gamma, beta and both moving statistics are initialised
            again. `"reset_statistics"`: only the moving statistics are. `"keep"`: all
            are those of `source`.

    Returns:
        A new, uncompiled `keras.Model`, in which only the aggregation is frozen.

    Raises:
        ValueError: If `batch_norm` is unknown, or `source` is not functional.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> norm = keras.layers.BatchNormalization(name="norm")
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")
    >>> source = keras.Model(inputs, click(norm(inputs["age"])))
    >>> _ = norm.moving_mean.assign([7.0])
    >>> a_ctr(source).get_layer("norm").moving_mean.numpy()
    array([0.], dtype=float32)
    """
    check_choice("batch_norm", batch_norm, BATCH_NORM_STARTS)
    skip = []
    for path, layer in layers_by_path(source).items():
        if isinstance(layer, keras.layers.BatchNormalization):
            statistics = (layer.moving_mean.name, layer.moving_variance.name)
            if batch_norm == "reset":
                skip.append(path)
            elif batch_norm == "reset_statistics":
                skip += [f"{path}/{name}" for name in statistics]
    model = rebuild(source, inputs_like(source))
    warm_start(source, model, skip=skip, optimizer=False)
    freeze_aggregation(model)
    return model
