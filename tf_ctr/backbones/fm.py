"""Factorization machine."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.factorization import (
    embed_alike,
    factorization_machine,
    first_order,
)
from tf_ctr.backbones.pieces import click_of, click_probability, mlp
from tf_ctr.features import Schema
from tf_ctr.layers import Bias


def fm(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a factorization machine of second order.

    `click = sigmoid(w_0 + <w, x> + sum_{i < j} <v_i, v_j>)`. A number is its value
    times a learned vector. With hidden layers it is `tf_ctr.backbones.deepfm`.

    Source: Rendle, Factorization Machines (ICDM 2010), Eq. 1 and Lemma 3.1.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of a deep part beside the machine; by default none.
        embedding_dim, activation, dropout, batch_norm, l2: As in
            `tf_ctr.backbones.dnn`.
        embedding_l2: L2 penalty on the embedding rows and on the first-order
            weights in the batch.

    Returns:
        A functional `keras.Model`. Layers: `{field}_embedding`, `{field}_pooling`,
        `{field}_linear`, `logit` (the bias `w_0`), `click`.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> fm(schema, embedding_dim=4).get_layer("logit").bias.shape
    TensorShape([1])
    """
    inputs = schema.inputs()
    linear = first_order(schema, inputs, embedding_l2)
    flat, x = embed_alike(schema, inputs, embedding_dim, embedding_l2)
    machine = factorization_machine(x)
    if hidden_units:
        deep = mlp(flat, hidden_units, activation, dropout, batch_norm, l2)
        output = click_probability(deep, l2, [*linear, machine])
    else:
        output = click_of([Bias(name="logit", dtype="float32")(machine), *linear])
    return keras.Model(inputs, output, name="fm")
