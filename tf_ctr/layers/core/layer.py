"""The base class of our layers, and the types that their methods share."""

import inspect
import types
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

# A tensor of the Keras backend: a `tf.Tensor` with TensorFlow, and a
# `keras.KerasTensor` while a functional model is being built.
Tensor: TypeAlias = tf.Tensor
# One int per axis, or None if it is only known at run time.
Shape: TypeAlias = tuple[Any, ...]

# The forms in which Keras accepts these arguments: a name, an object or a function.
Activation: TypeAlias = str | Callable[[Tensor], Tensor]
Initializer: TypeAlias = str | keras.initializers.Initializer | Callable[..., Tensor]
Regularizer: TypeAlias = str | keras.regularizers.Regularizer


class Layer(keras.layers.Layer):
    """A Keras layer whose configuration is the arguments of its constructor.

    A subclass keeps each argument as an attribute of the same name, and needs no
    `get_config`. Activations, initializers and regularizers are kept as the objects
    that Keras's `get` returns.

    Keras 3 can derive a configuration itself, but only from strings, numbers and
    booleans: a layer that was given an initializer, a `keras.DTypePolicy` or a NumPy
    number cannot be saved. Keras also records the values passed to the constructor, not
    the current values of the layer.

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
        # All subclasses up to this class, because a constructor may pass **kwargs to
        # its parent. A class with its own get_config adds its arguments there.
        for cls in type(self).__mro__[: type(self).__mro__.index(Layer)]:
            if "__init__" in vars(cls) and "get_config" not in vars(cls):
                for name, parameter in inspect.signature(cls).parameters.items():
                    # What *args and **kwargs hold are arguments of the parent.
                    if parameter.kind not in (
                        parameter.VAR_POSITIONAL,
                        parameter.VAR_KEYWORD,
                    ):
                        config[name] = _serialized(getattr(self, name))
        return config


def _serialized(value: Any) -> Any:
    """Returns the form that Keras writes to a file and its `get` reads."""
    if isinstance(value, types.FunctionType):
        # As in the configuration of a Dense: by name if it is a Keras function.
        return keras.activations.serialize(value)
    # Activations, initializers and regularizers are callable; nothing else is.
    return keras.saving.serialize_keras_object(value) if callable(value) else value
