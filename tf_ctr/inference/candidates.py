"""Scores many candidates per user, and computes the user's part once."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from tf_ctr.surgery import inputs_like


def candidate_model(model: keras.Model, item_fields: Sequence[str]) -> keras.Model:
    """Returns a model that scores N items for each of R users.

    Layers that depend only on the user run on R rows. Their outputs are repeated N
    times as inputs of layers that also depend on an item. The new model shares the
    layers of `model`, and so its weights; `model` is not changed.

    Args:
        model: A functional `keras.Model` with dict inputs. At inference, its rows must
            not depend on one another.
        item_fields: Names of the inputs with one row per item, `[R * N, ...]`, in the
            order of the users. The other inputs have one row per user, `[R, ...]`.

    Returns:
        A `keras.Model` with the inputs of `model`. It can be called, but not saved.

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
    repeated: dict[int, keras.KerasTensor] = {}
    kept = [inputs]  # Keeps tensors alive, as Python reuses the id of a freed one.

    def repeat(x):
        if id(x) not in of_user:
            return x
        if id(x) not in repeated:
            repeated[id(x)] = RepeatRows()(x, an_item)
        return repeated[id(x)]

    def call(layer, *args, **kwargs):
        values = tree.flatten((args, kwargs))
        tensors = [x for x in values if isinstance(x, keras.KerasTensor)]
        if all(id(x) in of_user for x in tensors):
            output = layer(*args, **kwargs)
            of_user.update(map(id, tree.flatten(output)))
        else:
            args, kwargs = tree.map_structure(repeat, (args, kwargs))
            output = layer(*args, **kwargs)
        kept.append(output)
        return output

    # The view has no compile state, which clone_model would copy.
    view = keras.Model(model.input, model.output)
    output = keras.models.clone_model(
        view, input_tensors=inputs, clone_function=_Shared, call_function=call
    ).output
    return keras.Model(inputs, tree.map_structure(repeat, output))


class RepeatRows(keras.layers.Layer):
    """Repeats each row of `x [R, ...]` N times, for `like [R * N, ...]`.

    The rows of one user stay together.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # Ids must stay as they are.

    def call(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """Repeats the rows."""
        # At least 1, because an empty batch would divide by zero.
        users = tf.shape(x)[0]
        return tf.repeat(x, tf.shape(like)[0] // tf.maximum(users, 1), axis=0)

    def compute_output_spec(
        self, x: keras.KerasTensor, like: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Returns the shape and dtype of `x`, with the number of rows of `like`."""
        return keras.KerasTensor((like.shape[0], *x.shape[1:]), x.dtype)


class _Shared(keras.Operation):
    """Calls a layer of another model, whose graph does not record the call."""

    def __init__(self, shared):
        super().__init__(name=shared.name)
        self.shared = shared

    def call(self, *args, **kwargs):
        """Calls the shared layer or operation."""
        return self.shared(*args, **kwargs)
