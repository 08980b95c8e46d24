"""The pieces of joint models with a network per label, which each row runs through."""

from collections.abc import Mapping, Sequence

import keras

from tf_ctr.backbones.pieces import LAYER_NAMES, mlp, penalty
from tf_ctr.errors import explain
from tf_ctr.features import Schema


def is_by_label(schema: Schema, domain: str | None) -> bool:
    """Returns whether to build a model by label, and not by domain.

    Args:
        schema: The schema.
        domain: The domain field that the user named, if any.

    Raises:
        ValueError: If there are both several labels and a domain, or neither; or a
            label has the name of a layer.
    """
    if schema.outcomes.several and domain is not None:
        raise ValueError(
            explain(
                "weights per label or per domain",
                f"the labels {schema.label_names} and domain={domain!r}",
                "leave `domain` out, or pass schema.for_label(...) for one label; the "
                "domain is a feature in both",
            )
        )
    if not schema.outcomes.several and domain is None:
        raise ValueError(
            explain(
                "a domain field, or a schema with several labels",
                f"no `domain`, and the label {schema.label!r}",
                "pass domain='tab', or Schema(..., labels=('click', 'buy'))",
            )
        )
    for label in schema.label_names if domain is None else ():
        if label != "click" and LAYER_NAMES.fullmatch(label):
            raise ValueError(
                explain(
                    "labels that no layer is named as",
                    f"the label {label!r}",
                    "rename the column",
                )
            )
    return domain is None


def check_two_steps(name: str, labels: Sequence[str], most: int | None = None) -> None:
    """Raises unless a schema has several labels, and not too many.

    Args:
        name: The model, for the error.
        labels: The labels, each of which needs the one before it.
        most: The largest number of labels, if there is one.

    Raises:
        ValueError: For another number of labels.
    """
    if len(labels) < 2 or (most is not None and len(labels) > most):
        count = "two labels" if most == 2 else "two labels or more"
        raise ValueError(
            explain(
                f"{count} for {name}, each after the one that it needs",
                f"the labels {tuple(labels)}",
                "pass Schema(..., labels=('click', 'buy'))",
            )
        )


def label_clicks(
    inputs: Mapping[str, keras.KerasTensor],
    units: Sequence[int],
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
) -> dict[str, keras.KerasTensor]:
    """Adds a tower, a prediction layer and a sigmoid for each label.

    Args:
        inputs: `{label: input of its tower [B, N]}`.
        units: Widths of the hidden layers `{label}_tower_{i}`; `()` for none.
        activation: Activation of the hidden layers.
        dropout: Dropout rate of the hidden layers.
        l2: L2 penalty on all kernels.

    Returns:
        `{label: probability [B, 1]}`, from the layers `{label}_logit` and `{label}`.
    """
    outputs = {}
    for label, x in inputs.items():
        hidden = label_tower(label, x, units, activation, dropout, l2)
        outputs[label] = probability(label, hidden, l2)
    return outputs


def label_tower(
    label: str,
    x: keras.KerasTensor,
    units: Sequence[int],
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
) -> keras.KerasTensor:
    """Adds the hidden layers `{label}_tower_{i}` of a label; see `label_clicks`."""
    if not units:
        return x
    return mlp(x, units, activation, dropout, l2=l2, name=f"{label}_tower")


def probability(
    label: str, x: keras.KerasTensor, l2: float = 0.0, name: str = ""
) -> keras.KerasTensor:
    """Adds `sigmoid(x w + b)`, always float32.

    Args:
        label: The label; the linear layer is `{label}_logit`.
        x: `[B, N]`.
        l2: L2 penalty on `w`.
        name: Name of the sigmoid, if not the label.

    Returns:
        `[B, 1]`.
    """
    logit = keras.layers.Dense(
        1,
        kernel_initializer="glorot_normal",
        kernel_regularizer=penalty(l2),
        name=f"{label}_logit",
        dtype="float32",
    )(x)
    name = name or label
    return keras.layers.Activation("sigmoid", name=name, dtype="float32")(logit)
