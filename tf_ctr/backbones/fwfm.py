"""Field-weighted factorization machine."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import embed_alike, first_order, inner_products
from tf_ctr.backbones.pieces import click_probability, concatenate, mlp
from tf_ctr.features import Schema


def fwfm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a field-weighted factorization machine: a weight for each pair of fields.

    `click = sigmoid(w_0 + <w, x> + sum_{i < j} r_ij <v_i, v_j>)`; the kernel of `logit`
    holds the `r_ij`, in the order (0, 1), (0, 2), ... A number is its value times a
    learned vector.

    Source: Pan et al., Field-weighted Factorization Machines (arXiv 1806.03514),
    section 3, with a linear weight per id. With hidden layers it is DeepFwFM (Deng et
    al., arXiv 2002.06987, section 3).

    Args:
        schema: A fitted `tf_ctr.Schema` of at least two fields.
        hidden_units: Widths of a deep part beside the machine; by default none.
        embedding_dim, activation, dropout, batch_norm: As in `tf_ctr.backbones.dnn`.
        l2: L2 penalty on the kernels, the `r_ij` among them.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.fm`, and
        `deep_{i}` with hidden layers.

    Raises:
        ValueError: If there is no pair of fields.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> fwfm(schema, embedding_dim=4).get_layer("logit").kernel.shape
    TensorShape([1, 1])
    """
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    parts = [inner_products(x)]
    if hidden_units:
        parts.append(mlp(flat, hidden_units, activation, dropout, batch_norm, l2))
    x = concatenate(parts, name="interactions")
    return keras.Model(inputs, click_probability(x, l2, linear), name="fwfm")
