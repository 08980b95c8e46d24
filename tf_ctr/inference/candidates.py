"""Candidates."""

import keras
import tensorflow as tf
from keras import tree

from tf_ctr.surgery import inputs_like


def candidate_model(model, item_fields):
    """Returns `model` on `[R]` users and `[R * N]` items, in the order of the users.

    What depends on the user alone is computed on R rows, and repeated N times where
    it meets what depends on an item. The layers, hence the weights, are those of
    `model`, which stays as it is.

    Args:
        model: A functional `keras.Model` with dict inputs whose rows are independent
            of one another at inference.
        item_fields: Names of the inputs with a row per item.

    Returns:
        A `keras.Model` with the inputs of `model`, to be called, not saved.

    Example:

    >>> import numpy as np
    >>> inputs = {name: keras.Input((1,), name=name) for name in ("user", "item")}
    >>> model = keras.Model(inputs, inputs["user"] * inputs["item"])
    >>> one = {"user": np.array([[2.0]]), "item": np.array([[3.0], [4.0]])}
    >>> candidate_model(model, ["item"])(one).numpy()
    array([[6.],
           [8.]], dtype=float32)
    """
    inputs = inputs_like(model)
    an_item = inputs[item_fields[0]]
    of_user = {id(inputs[name]) for name in inputs if name not in item_fields}
    repeated, kept = {}, [inputs]  # Kept alive: a freed tensor's id is used again.

    def repeat(x):
        if id(x) not in of_user:
            return x
        if id(x) not in repeated:
            repeated[id(x)] = RepeatRows()(x, an_item)
        return repeated[id(x)]

    def call(layer, *args, **kwargs):
        tensors = [x for x in tree.flatten((args, kwargs)) if _is_tensor(x)]
        if all(id(x) in of_user for x in tensors):
            output = layer(*args, **kwargs)
            of_user.update(map(id, tree.flatten(output)))
        else:
            args, kwargs = tree.map_structure(repeat, (args, kwargs))
            output = layer(*args, **kwargs)
        kept.append(output)
        return output

    # A view without compile state: clone_model would compile the clone.
    view = keras.Model(model.input, model.output)
    output = keras.models.clone_model(
        view, input_tensors=inputs, clone_function=_Shared, call_function=call
    ).output
    return keras.Model(inputs, repeat(output))


def _is_tensor(x):
    return isinstance(x, keras.KerasTensor)


class RepeatRows(keras.layers.Layer):
    """Repeats each row of `x [R, ...]` as often as `like [R * N, ...]` has rows for it.

    The rows of one user stay together.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, x, like):
        """Repeats the rows."""
        users = tf.shape(x)[0]
        return tf.repeat(x, tf.shape(like)[0] // tf.maximum(users, 1), axis=0)

    def compute_output_spec(self, x, like):
        """Returns the shape of `x`, of as many rows as `like`; ids stay integers."""
        return keras.KerasTensor((like.shape[0], *x.shape[1:]), x.dtype)


class _Shared(keras.Operation):
    """A layer or operation of another model, with no trace of the call in its graph."""

    def __init__(self, shared):
        super().__init__(name=shared.name)
        self.shared = shared

    def call(self, *args, **kwargs):
        """Calls the shared layer."""
        return self.shared(*args, **kwargs)
