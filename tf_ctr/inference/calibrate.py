"""Corrects the scores of a model that was trained on a sample of the non-clicks."""

import keras

from tf_ctr.errors import explain
from tf_ctr.layers import OddsScale
from tf_ctr.surgery import copy_weights, inputs_like, rebuild
from tf_ctr.surgery.functional import check_click_output


def calibrate(model: keras.Model, negative_rate: float) -> keras.Model:
    """Returns a model with the click rates of all rows, from one of sampled rows.

    A log with few clicks is often down-sampled for training: all clicks are kept, and
    of the rows without a click a share r, at random. In a model of these rows, the odds
    of a click are 1 / r times too high. The returned model ends with the layer
    `tf_ctr.layers.OddsScale`, which corrects the probability p to
    `r p / (1 - p + r p)`; the order of the scores stays the same.

    Train, stop early and evaluate on sampled rows with the given model. Evaluate on all
    rows, and export, with the returned one: it is a plain model, so that each of its
    scores is corrected, in every signature of an export too. To train on rows that are
    not sampled, e.g. those of a target domain, pass the returned model to a transfer
    method, which keeps the correction. In a continual run, call `calibrate` where each
    period is exported.

    Instead of sampled rows without correction, a column with 1 for clicks and 1 / r for
    the others as `Schema(weight=)` trains the right rates; it is exact too, but gives
    the gradients a larger variance.

    Source: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook
    (ADKDD 2014), section 6.3, `q = p / (p + (1 - p) / w)`, w the rate.

    Args:
        model: A functional `keras.Model` with a click probability, as trained on the
            sampled rows; it is not changed.
        negative_rate: The share r of the rows without a click that was kept, above 0
            and at most 1.

    Returns:
        A new, uncompiled `keras.Model` with its own weights.

    Raises:
        ValueError: For a rate outside (0, 1], a model that is not functional, or one
            that does not give one probability per row.

    Example:

    >>> import keras, numpy as np
    >>> from tf_ctr.inference import calibrate
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> model = keras.Model(inputs, click)
    >>> age = {"age": np.zeros((1, 1))}
    >>> model.predict(age, verbose=0).item()
    0.5
    >>> round(calibrate(model, 0.1).predict(age, verbose=0).item(), 4)  # 0.1 / 1.1
    0.0909
    """
    if not (isinstance(negative_rate, int | float) and 0 < negative_rate <= 1):
        raise ValueError(
            explain(
                "`negative_rate`, the share of non-clicks that was kept, above 0, at "
                "most 1",
                repr(negative_rate),
                "pass negative_rate=0.1 if one of ten was kept",
            )
        )
    inputs = inputs_like(model)
    check_click_output(model)
    copy = rebuild(model, inputs, trainable=None)
    copy_weights(model, copy)
    names = {layer.name for layer in model.layers}
    name = "click_rate"
    while name in names:  # A calibrated model is calibrated once more.
        name += "_again"
    corrected = OddsScale(negative_rate, dtype="float32", name=name)(copy.output)
    return keras.Model(inputs, corrected, name=model.name)
