"""Functions compiled by the backend of Keras, which return when their work is done.

A device answers a call before it has finished, but timing needs the end. With
`KERAS_BACKEND=jax` the same script measures JAX.
"""

import keras


def description(xla: bool = False) -> str:
    """Returns the backend, its compiler and its devices, for the head of a table."""
    if keras.backend.backend() == "jax":
        import jax

        return f"JAX {jax.__version__}, {jax.devices()}"

    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU") or "CPU"
    compiler = "XLA" if xla else "no XLA"
    return f"TensorFlow {tf.__version__}, {compiler}, {devices}"


def compiled(function, xla=False):
    """Compiles a function of tensors.

    Args:
        function: The function; it takes and returns tensors.
        xla: Whether TensorFlow compiles with XLA; JAX always does.

    Returns:
        A callable with the same arguments, which returns when its work is done.

    Example:

    >>> float(compiled(lambda x: x + 1.0)(keras.ops.ones(())))
    2.0
    """
    if keras.backend.backend() == "jax":
        import jax

        run = jax.jit(function)
        return lambda *args: jax.block_until_ready(run(*args))

    import tensorflow as tf

    graph = tf.function(function, jit_compile=xla, autograph=False)

    def run_to_the_end(*args):
        result = graph(*args)
        tf.test.experimental.sync_devices()
        return result

    return run_to_the_end


def inference(model, xla=False):
    """Compiles the inference of a model.

    Args:
        model: A `keras.Model`.
        xla: See `compiled`.

    Returns:
        A callable from the model's inputs to its outputs; see `compiled`.
    """
    if keras.backend.backend() != "jax":
        return compiled(lambda inputs: model(inputs, training=False), xla)
    # Weights are arguments: JAX would otherwise compile them in as constants.
    weights = [
        [v.value for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]

    def apply(weights, inputs):
        return model.stateless_call(*weights, inputs, training=False)[0]

    run = compiled(apply)
    return lambda inputs: run(weights, inputs)
