"""STAR, the Star Topology Adaptive Recommender."""

import functools
from collections.abc import Sequence
from typing import Literal

import keras

from tf_ctr.backbones.pieces import (
    check_parts,
    click_of,
    concatenate,
    embed,
    mlp,
    penalty,
)
from tf_ctr.errors import check_choice, check_name
from tf_ctr.features import Schema
from tf_ctr.joint.pieces import num_domains
from tf_ctr.layers import DomainDense, DomainNorm


def star(
    schema: Schema,
    domain: str,
    embedding_dim: int = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    norm: Literal["partitioned", "batch", "none"] = "partitioned",
    auxiliary_units: Sequence[int] | None = (16,),
    auxiliary_fields: Sequence[str] = (),
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds STAR: one fully connected network per domain around a shared one.

    `h_{l+1} = relu(h_l (W_l * W_{l,d}) + b_l + b_{l,d})` for an example of domain `d`,
    with `h_0` the normalised embeddings, and the prediction layer in the same way;
    `click = sigmoid(logit + auxiliary logit)`.

    The weights of the network and of the normalisation grow with the number of domains:
    there is one network per domain and a shared one. Each domain starts as the shared
    network. A domain without training rows (a missing one is 0, an unseen one is 1) is
    scored by the shared network, with the statistics of all rows.

    Source: Sheng et al., One Model to Serve All: Star Topology Adaptive Recommender
    for Multi-Domain CTR Prediction (CIKM 2021, arXiv 2101.11427).

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field whose value selects the network. It is also a
            feature.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of the hidden layers.
        norm: Normalisation of the embeddings: `"partitioned"` by domain, as in the
            paper (see `tf_ctr.layers.DomainNorm`; not for hundreds of domains),
            `"batch"` for one BatchNorm, or `"none"`.
        auxiliary_units: Hidden widths of the auxiliary network; `()` makes its logit
            linear, `None` leaves it out.
        auxiliary_fields: Names of fields that the auxiliary network reads beside
            `domain`. By default its logit is a bias of the domain.
        activation: Activation of the hidden layers.
        dropout: Dropout rate of the hidden layers.
        l2: L2 penalty on all kernels; it also pulls `W_{l,d}` to zero, not to one.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `norm`, `star_{i}`, `auxiliary_{i}`, `auxiliary_logit`, `logit`,
        `click`.

    Raises:
        ValueError: If there is no hidden layer, a name is unknown, or `domain` is not a
            field with one id per example.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import star
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = star(Schema(fields), domain="tab", hidden_units=(8,))
    >>> model.get_layer("star_0").kernel.shape  # missing, unseen, 0 and 1
    TensorShape([4, 32, 8])
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    check_choice("norm", norm, ("partitioned", "batch", "none"))
    count = num_domains(schema, domain)
    inputs = schema.inputs()
    domains = inputs[domain]
    vectors = embed(schema, inputs, embedding_dim, embedding_l2)
    h = concatenate(vectors.values())
    if norm == "partitioned":
        h = DomainNorm(count, name="norm")(h, domains)
    elif norm == "batch":
        h = keras.layers.BatchNormalization(name="norm")(h)
    dense = functools.partial(
        DomainDense, num_domains=count, star=True, kernel_regularizer=penalty(l2)
    )
    for i, units in enumerate(hidden_units):
        h = dense(units, activation=activation, name=f"star_{i}")(h, domains)
        if dropout:
            h = keras.layers.Dropout(dropout, name=f"star_{i}_dropout")(h)
    logits = [dense(1, name="logit", dtype="float32")(h, domains)]
    if auxiliary_units is not None:
        fields = (domain, *auxiliary_fields)
        for field in fields:
            check_name("field", field, vectors)
        x = concatenate([vectors[field] for field in fields], name="auxiliary_input")
        logits.append(_auxiliary_logit(x, auxiliary_units, activation, l2))
    return keras.Model(inputs, click_of(logits), name="star")


def _auxiliary_logit(
    x: keras.KerasTensor, units: Sequence[int], activation: str, l2: float
) -> keras.KerasTensor:
    if units:
        x = mlp(x, units, activation, l2=l2, name="auxiliary")
    return keras.layers.Dense(
        1, kernel_regularizer=penalty(l2), name="auxiliary_logit", dtype="float32"
    )(x)
