"""The advertisement model of E-CDCTR: all of a pre-trained model but its BatchNorm."""

import glob

import keras

from tf_ctr.errors import check_name
from tf_ctr.surgery.names import layers_by_path
from tf_ctr.surgery.rebuild import inputs_like, rebuild
from tf_ctr.surgery.warm_start import warm_start
from tf_ctr.transfer.historical import freeze_aggregation
from tf_ctr.transfer.method import Method

# What of a BatchNorm starts afresh.
FRESH = {"reset": "", "reset_statistics": "/moving_*", "keep": None}


@Method("A-CTR")
def a_ctr(source, batch_norm="reset"):
    """Returns an advertisement model that starts from a complete pre-training model.

    It takes all parameters by layer name, historical embeddings with their frozen
    aggregation too, but for BatchNorm: natural data and advertisements are distributed
    differently. Measure its moving statistics before it is served;
    `tf_ctr.continual.Training(measure_batch_norm=True)` does.

    Source: A-CTR of E-CDCTR (arXiv 2408.16238), abstract; that BatchNorm is
    re-initialised, from a summary and write-ups of the paper, which do not say
    whether gamma and beta are.

    Args:
        source: A trained functional model (CPM), fresh or reloaded; it is not changed.
        batch_norm: `"reset"`: gamma, beta and both moving statistics start afresh.
            `"reset_statistics"`: gamma and beta are those of `source`. `"keep"`:
            nothing starts afresh.

    Returns:
        A new, uncompiled `keras.Model`, every layer trainable but the aggregation.

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
    check_name("start of BatchNorm", batch_norm, FRESH)
    norms = [
        glob.escape(path)
        for path, layer in layers_by_path(source).items()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    fresh = FRESH[batch_norm]
    skip = [] if fresh is None else [norm + fresh for norm in norms]
    model = rebuild(source, inputs_like(source))
    warm_start(source, model, skip=skip, optimizer=False)
    freeze_aggregation(model)
    return model
