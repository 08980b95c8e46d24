"""The base class of our layers, and the types that their methods share."""

import inspect
import types
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

# A tensor of the Keras backend: with TensorFlow a `tf.Tensor`, and a
# `keras.KerasTensor` while a functional model is built.
Tensor = tf.Tensor
Shape = tuple[int | None, ...]

# What Keras accepts for an argument: a name, or an object.
Activation = str | Callable[[Tensor], Tensor] | None
Initializer = str | keras.initializers.Initializer
Regularizer = str | keras.regularizers.Regularizer | None


class Layer(keras.layers.Layer):
    """A Keras layer that is saved as the arguments of its constructor.

    A subclass keeps each argument as an attribute of the same name; an activation,
    initializer or regularizer as the object that Keras's `get` returns. `get_config`
    needs no more than that.

    Keras 3 derives a configuration too, but only from strings, numbers and booleans:
    such a layer cannot be saved once it got an initializer, a `keras.DTypePolicy` or
    a NumPy number. And it derives it from the values that the constructor got, not
    from those that the layer has now.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Example:

    >>> class Scale(Layer):
    ...     def __init__(self, factor=2.0, activation="relu", **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.factor = factor
    ...         self.activation = keras.activations.get(activation)
    >>> config = Scale(3.0).get_config()
    >>> config["factor"], config["activation"]
    (3.0, 'relu')
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal, untrained layer."""
        config = super().get_config()
        # Those of each class up to this one, since **kwargs hands them on. A subclass
        # with a get_config of its own adds its own arguments there.
        for cls in type(self).__mro__[: type(self).__mro__.index(Layer)]:
            if "__init__" in vars(cls) and "get_config" not in vars(cls):
                for name, parameter in inspect.signature(cls).parameters.items():
                    if parameter.kind is not parameter.VAR_KEYWORD:
                        config[name] = _serialized(getattr(self, name))
        return config


def _serialized(value: Any) -> Any:
    """Returns the form that Keras writes to a file and its `get` reads."""
    if isinstance(value, types.FunctionType):
        # By its name alone if it is Keras's, as in the configuration of a Dense.
        return keras.activations.serialize(value)
    # Activations, initializers and regularizers are called; nothing else is.
    return keras.saving.serialize_keras_object(value) if callable(value) else value
