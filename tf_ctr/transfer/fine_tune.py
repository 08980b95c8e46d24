"""Fine-tuning: start from the source, train everything."""

from tf_ctr.transfer.surgery import copy_weights, inputs_like, rebuild


def fine_tune(source):
    """Returns a trainable copy of a pre-trained model.

    Source: the Fine-Tune baseline of AutoFT (arXiv 2106.04873), section 4.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.

    Returns:
        A new, uncompiled `keras.Model` with the weights of `source`, every layer
        trainable, also one that is frozen in `source`.

    Raises:
        ValueError: If `source` is not a functional model with dict inputs.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> source = keras.Model(inputs, click)
    >>> fine_tune(source).get_layer("click") is source.get_layer("click")
    False
    """
    model = rebuild(source, inputs_like(source))
    copy_weights(source, model)
    return model
