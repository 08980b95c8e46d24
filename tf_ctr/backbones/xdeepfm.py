"""xDeepFM: explicit and implicit feature interactions."""

from collections.abc import Sequence

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike, first_order
from tf_ctr.backbones.pieces import (
    check_parts,
    click_probability,
    concatenate,
    mlp,
    penalty,
)
from tf_ctr.features import Schema
from tf_ctr.layers import CompressedInteraction


def xdeepfm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    cin_units: Sequence[int] = (128, 128),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds xDeepFM: a compressed interaction network, a network, a linear model.

    `X_{k+1} = cin(X_0, X_k)`, see `tf_ctr.layers.CompressedInteraction`;
    `p_k` holds the sums over D of the vectors of `X_k`;
    `click = sigmoid(<w, x> + [p_1; ...; p_K; h_L] w' + b)`, with `h_L` of
    `tf_ctr.backbones.dnn`. A number is its value times a learned vector.

    Source: Lian et al., xDeepFM (arXiv 1803.05170), sections 3.2 and 3.3.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of the deep layers; `()` leaves the deep part out.
        cin_units: Number of vectors after each interaction layer; `()` leaves them
            out. (128, 128) is the default of DeepCTR; the paper has 100 to 200 in 2
            or 3 layers.
        embedding_dim, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.deepfm`, and
        `cin_{i}`.

    Raises:
        ValueError: If both parts are left out, or a size is not positive.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> xdeepfm(schema, cin_units=(8, 6)).get_layer("cin_1").output.shape
    (None, 6, 16)
    """
    check_parts(
        "an interaction or a deep part", hidden_units=hidden_units, cin_units=cin_units
    )
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    flat, x0 = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    parts, x = [], x0
    for i, units in enumerate(cin_units):
        x = CompressedInteraction(units, penalty(l2), name=f"cin_{i}")(x0, x)
        parts.append(ops.sum(x, axis=2))
    if hidden_units:
        parts.append(mlp(flat, hidden_units, activation, dropout, batch_norm, l2))
    output = click_probability(concatenate(parts, name="interactions"), l2, linear)
    return keras.Model(inputs, output, name="xdeepfm")
