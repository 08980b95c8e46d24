"""Deep & Cross Network, second version."""

from collections.abc import Sequence
from typing import Literal

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
from tf_ctr.layers import CrossLayerV2


def dcn_v2(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    num_cross_layers: int = 3,
    rank: int | None = None,
    structure: Literal["stacked", "parallel"] = "stacked",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DCN V2: crosses with a matrix, before or beside a deep part.

    `x0 = [e_1; ...; e_F]`, `x_{l+1} = x0 * (x_l W_l + b_l) + x_l`. Stacked, the deep
    part takes `x_L` and `click = sigmoid(h_L w + b)`; parallel, it takes `x0` and
    `click = sigmoid([x_L; h_L] w + b)`, with `h_L` of `tf_ctr.backbones.dnn`.

    Source: Wang et al., DCN V2 (arXiv 2008.13535), section 3, Eqs. 1 and 2.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of the deep layers; `()` leaves the deep part out.
        num_cross_layers: Number of cross layers; 0 leaves the cross part out.
        rank: Rank K of the kernels. Defaults to full matrices.
        structure: `"stacked"` or `"parallel"`.
        embedding_dim, activation, dropout, batch_norm, l2, embedding_l2: As in
            `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dcn`.

    Raises:
        ValueError: If both parts are left out, or `structure` is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> dcn_v2(schema, rank=4).get_layer("cross_0").rank
    4
    """
    check_choice("structure", structure, ("stacked", "parallel"))
    check_parts(
        "a cross or a deep part",
        hidden_units=hidden_units,
        num_cross_layers=num_cross_layers,
    )
    inputs = schema.inputs()
    x0 = concatenate(embed(schema, inputs, embedding_dim, embedding_l2).values())
    x = x0
    for i in range(num_cross_layers):
        regularizer = penalty(l2)
        x = CrossLayerV2(rank, kernel_regularizer=regularizer, name=f"cross_{i}")(x0, x)
    parts = [x] if num_cross_layers else []
    if hidden_units:
        # Stacked, the crosses feed the deep part; parallel, both feed the prediction.
        deep_input = parts.pop() if parts and structure == "stacked" else x0
        deep = mlp(deep_input, hidden_units, activation, dropout, batch_norm, l2)
        parts.append(deep)
    output = click_probability(concatenate(parts, name="interactions"), l2)
    return keras.Model(inputs, output, name="dcn_v2")
