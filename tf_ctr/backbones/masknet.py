"""MaskNet: features multiplied by masks that each example makes."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike
from tf_ctr.backbones.pieces import (
    check_parts,
    click_probability,
    concatenate,
    mlp,
    penalty,
)
from tf_ctr.errors import check_choice
from tf_ctr.features import Schema
from tf_ctr.layers import MaskBlock


def masknet(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    block_units: Sequence[int] = (64, 64, 64),
    structure: str = "parallel",
    reduction_ratio: float = 2.0,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds MaskNet: blocks that multiply features with a mask of the example.

    Parallel: every block masks the embeddings, and the outputs side by side go through
    `tf_ctr.backbones.dnn`. Serial: each block masks the output of the one before. See
    `tf_ctr.layers.MaskBlock`. A number is its value times a learned vector.

    Source: Wang et al., MaskNet (arXiv 2102.07619), sections 3.3 to 3.5. The LayerNorm
    of the embeddings has one scale and offset for all fields.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of the layers after the blocks; `()` for none.
        block_units: Widths of the blocks, at least one.
        structure: `"parallel"` or `"serial"`.
        reduction_ratio: Width of a mask's hidden layer, as a multiple of the mask's.
        embedding_dim, activation, dropout, batch_norm, l2, embedding_l2: As in
            `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`,
        `{field}_embedding` for numbers, `embedding_norm`, and `mask_{i}`.

    Raises:
        ValueError: If there is no block, or a size is not positive.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> model = masknet(schema, block_units=(8, 4), structure="serial")
    >>> model.get_layer("mask_1").output.shape
    (None, 4)
    """
    check_choice("structure", structure, ("parallel", "serial"))
    check_parts("at least one block", block_units=block_units)
    inputs = schema.inputs()
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    normed = keras.layers.LayerNormalization(name="embedding_norm")(x)
    x = normed = keras.layers.Flatten(name="normed")(normed)
    outputs = []
    for i, units in enumerate(block_units):
        block = MaskBlock(units, reduction_ratio, penalty(l2), name=f"mask_{i}")
        x = block(normed if structure == "parallel" else x, flat)
        outputs.append(x)
    x = concatenate(outputs, "interactions") if structure == "parallel" else x
    if hidden_units:
        x = mlp(x, hidden_units, activation, dropout, batch_norm, l2)
    return keras.Model(inputs, click_probability(x, l2), name="masknet")
