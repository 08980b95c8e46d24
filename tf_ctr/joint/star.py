"""STAR, the Star Topology Adaptive Recommender."""

import keras

from tf_ctr.backbones.pieces import (
    check_parts,
    click_of,
    concatenate,
    embed,
    mlp,
    penalty,
)
from tf_ctr.errors import check_name
from tf_ctr.joint.pieces import num_domains
from tf_ctr.layers import DomainDense, DomainNorm

NORMS = ("partitioned", "batch", "none")


def star(
    schema,
    domain,
    embedding_dim=16,
    hidden_units=(256, 128, 64),
    norm="partitioned",
    auxiliary_units=(16,),
    auxiliary_fields=(),
    activation="relu",
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
):
    """Builds STAR: one fully connected network per domain around a shared one.

    `h_{l+1} = relu(h_l (W_l * W_{l,d}) + b_l + b_{l,d})` for an example of domain `d`,
    with `h_0` the normalised embeddings, and the prediction layer alike;
    `click = sigmoid(logit + auxiliary logit)`.

    The weights of the network and of the normalisation grow with the number of
    domains: the whole network once per domain, plus once. Each domain starts as the
    shared network, and one that is never trained (a missing domain is 0, an unseen
    one 1) stays it: it is scored by the shared network on the statistics of all rows.

    Source: Sheng et al., One Model to Serve All: Star Topology Adaptive Recommender
    for Multi-Domain CTR Prediction (CIKM 2021, arXiv 2101.11427).

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field whose value selects the network. It is a feature,
            too.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of the hidden layers.
        norm: Of the embeddings: `"partitioned"` by domain, as in the paper (see
            `tf_ctr.layers.DomainNorm`: not for hundreds of domains), `"batch"` for
            one BatchNorm, or `"none"`.
        auxiliary_units: Hidden widths of the auxiliary network; `()` makes its logit
            linear, `None` leaves it out.
        auxiliary_fields: Names of fields that the auxiliary network sees beside
            `domain`. The default makes its logit a bias of the domain.
        activation: Activation of the hidden layers.
        dropout: Dropout rate of the hidden layers.
        l2: L2 penalty on all kernels. A `W_{l,d}` is drawn to zero, not to one.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `norm`, `star_{i}`, `auxiliary_{i}`, `auxiliary_logit`, `logit`,
        `click`.

    Raises:
        ValueError: If there is no hidden layer, a name is unknown, or `domain` is no
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
    count = num_domains(schema, domain)
    inputs = schema.inputs()
    domains = inputs[domain]
    vectors = embed(schema, inputs, embedding_dim, embedding_l2)
    h = _normalised(concatenate(vectors.values()), domains, count, norm)

    def dense(units, name, **arguments):
        return DomainDense(
            units,
            count,
            star=True,
            kernel_regularizer=penalty(l2),
            name=name,
            **arguments,
        )

    for i, units in enumerate(hidden_units):
        h = dense(units, f"star_{i}", activation=activation)(h, domains)
        if dropout:
            h = keras.layers.Dropout(dropout, name=f"star_{i}_dropout")(h)
    logits = [dense(1, "logit", dtype="float32")(h, domains)]
    if auxiliary_units is not None:
        seen = _select(vectors, (domain, *auxiliary_fields))
        logits.append(_auxiliary(seen, auxiliary_units, activation, l2))
    return keras.Model(inputs, click_of(logits), name="star")


def _normalised(x, domains, count, norm):
    check_name("norm", norm, NORMS)
    if norm == "none":
        return x
    if norm == "batch":
        return keras.layers.BatchNormalization(name="norm")(x)
    return DomainNorm(count, name="norm")(x, domains)


def _select(vectors, fields):
    for field in fields:
        check_name("field", field, vectors)
    return concatenate([vectors[field] for field in fields], name="auxiliary_input")


def _auxiliary(x, units, activation, l2):
    if units:
        x = mlp(x, units, activation, l2=l2, name="auxiliary")
    return keras.layers.Dense(
        1, kernel_regularizer=penalty(l2), name="auxiliary_logit", dtype="float32"
    )(x)
