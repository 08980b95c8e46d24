"""Gated Deep & Cross Network."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.pieces import (
    check_parts,
    click_probability,
    concatenate,
    embed,
    mlp,
    penalty,
)
from tf_ctr.errors import check_choice
from tf_ctr.features import Schema
from tf_ctr.layers import GatedCross


def gdcn(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    num_cross_layers: int = 3,
    structure: str = "parallel",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a Gated Deep & Cross Network: a gate on each product of a cross layer.

    `x_{l+1} = x0 * (x_l W_l + b_l) * sigmoid(x_l G_l) + x_l`. Parallel (GDCN-P), a deep
    part is beside the crosses; stacked (GDCN-S), after them.

    Source: Wang et al., Towards Deeper, Lighter and Interpretable Cross Network (arXiv
    2311.04635), section 3.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of the deep layers; `()` leaves the deep part out.
        num_cross_layers: Number of cross layers; 0 leaves the cross part out.
        structure: `"parallel"` or `"stacked"`.
        embedding_dim, activation, dropout, batch_norm, l2, embedding_l2: As in
            `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dcn`.

    Raises:
        ValueError: If both parts are left out, or `structure` is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> gdcn(schema, embedding_dim=4).get_layer("cross_0").gate_kernel.shape
    TensorShape([8, 8])
    """
    check_choice("structure", structure, ("parallel", "stacked"))
    check_parts(
        "a cross or a deep part",
        hidden_units=hidden_units,
        num_cross_layers=num_cross_layers,
    )
    inputs = schema.inputs()
    x0 = concatenate(embed(schema, inputs, embedding_dim, embedding_l2).values())
    x = x0
    for i in range(num_cross_layers):
        x = GatedCross(penalty(l2), name=f"cross_{i}")(x0, x)
    parts = [x] if num_cross_layers else []
    if hidden_units:
        # Stacked, the crosses feed the deep part; parallel, both feed the prediction.
        deep_input = parts.pop() if parts and structure == "stacked" else x0
        parts.append(mlp(deep_input, hidden_units, activation, dropout, batch_norm, l2))
    output = click_probability(concatenate(parts, name="interactions"), l2)
    return keras.Model(inputs, output, name="gdcn")
