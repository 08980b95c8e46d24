"""Checks that a model is functional with named inputs, and gives one probability."""

import keras

from tf_ctr.errors import explain


def check_functional(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Raises unless a model is functional with a dict of inputs by field name.

    Returns:
        `{name: Input}`.

    Raises:
        ValueError: If the model is not, or the name of an input is not its key.
    """
    inputs, received = None, type(model).__name__
    if isinstance(model, keras.Model) and not isinstance(model, keras.Sequential):
        inputs = getattr(model, "input", None)
        received += f" with inputs {inputs}"
    if not isinstance(inputs, dict):
        raise ValueError(
            explain(
                "a functional keras.Model with a dict of inputs by field name",
                received,
                "build it with a function of tf_ctr.backbones, or with keras.Model("
                "inputs={'user': keras.Input((), name='user'), ...}, outputs=...)",
            )
        )
    for key, tensor in inputs.items():
        if tensor.name != key:
            raise ValueError(
                explain(
                    "the name of every Input to be its key",
                    f"key '{key}' for Input(name='{tensor.name}')",
                    f"write keras.Input(..., name='{key}')",
                )
            )
    return inputs


def check_click_output(model: keras.Model) -> None:
    """Raises unless a model has one output, with one number per row.

    Raises:
        ValueError: If it has several, or one of another shape than `[B, 1]` or `[B]`.
    """
    shape = getattr(model.output, "shape", None)
    if shape is None or tuple(shape[1:]) not in ((), (1,)):
        raise ValueError(
            explain(
                "one output of shape [B, 1] or [B], the click probability",
                f"outputs {model.output}",
                "end the model with keras.layers.Dense(1, 'sigmoid')",
            )
        )
