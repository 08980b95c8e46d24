"""AITM: each label learns from the one before it."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.pieces import check_parts, concatenate, embed, penalty
from tf_ctr.features import Schema
from tf_ctr.joint.by_label import check_two_steps, is_by_label, label_tower, probability
from tf_ctr.layers import InformationTransfer, OrderPenalty


def aitm(
    schema: Schema,
    embedding_dim: int = 16,
    tower_units: Sequence[int] = (256, 128, 64),
    order_weight: float = 0.6,
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds AITM: a tower per label, each with information from the label before.

    `q_t = tower_t(x)`, `z_1 = q_1`, `z_t = AIT(g_t(z_{t-1}), q_t)`, `p_t =
    sigmoid(z_t w_t + b_t)`, for labels of which each needs the one before it. The
    module AIT is `tf_ctr.layers.InformationTransfer`. A penalty on `p_t > p_{t-1}`, the
    behavioural expectation calibrator, is added to the loss.

    Source: Xi et al., Modeling the Sequential Dependence among Audience Multi-step
    Conversions with Multi-task Learning in Targeted Display Advertising (KDD 2021,
    arXiv 2105.08489), sections 3.2 to 3.4.

    Args:
        schema: A fitted `tf_ctr.Schema` with several labels, each after the one that it
            needs, e.g. `("click", "cart", "buy")`.
        embedding_dim: Embedding dim D; all towers share the tables.
        tower_units: Widths of the hidden layers of each tower.
        order_weight: Weight of the penalty; 0 for none.
        activation: Activation of the towers and of what is transferred.
        dropout: Dropout rate of the towers.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to `{label: probability
        [B, 1]}`. Layers: `{field}_embedding`, `{field}_pooling`, `embeddings`,
        `{label}_tower_{i}`, `{label}_logit`, `{label}`; for all labels but the first
        `{label}_information`, `{label}_ait`, `{label}_rate`.

    Raises:
        ValueError: If the schema has one label, there is no hidden layer, or the
            weight is negative.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import aitm
    >>> schema = Schema([Categorical("user", ["ann"])], labels=("click", "buy"))
    >>> aitm(schema, tower_units=(8,)).get_layer("buy_ait").units
    8
    """
    check_two_steps("aitm", schema.label_names)
    check_parts("at least one hidden layer", tower_units=tower_units)
    is_by_label(schema, domain=None)
    inputs = schema.inputs()
    x = concatenate(
        embed(schema, inputs, embedding_dim, embedding_l2, several_labels=True).values()
    )
    width, outputs = tower_units[-1], {}
    before: tuple[str, keras.KerasTensor] | None = None
    for label in schema.label_names:
        z = label_tower(label, x, tower_units, activation, dropout, l2)
        if before is None:
            outputs[label] = probability(label, z, l2)
        else:
            earlier, passed = before
            information = keras.layers.Dense(
                width,
                activation,
                kernel_initializer="glorot_normal",
                kernel_regularizer=penalty(l2),
                name=f"{label}_information",
            )(passed)
            z = InformationTransfer(
                width, kernel_regularizer=penalty(l2), name=f"{label}_ait"
            )(information, z)
            rate = probability(label, z, l2, f"{label}_rate")
            order = OrderPenalty(order_weight, name=label, dtype="float32")
            outputs[label] = order(rate, outputs[earlier])
        before = label, z
    return keras.Model(inputs, outputs, name="aitm")
