"""DDTCDR, Deep Dual Transfer Cross Domain Recommendation."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.pieces import check_parts, click_of, concatenate
from tf_ctr.features import Schema
from tf_ctr.joint.pieces import domain_logit, tower_network
from tf_ctr.joint.two_domains import (
    Tables,
    check_vectors,
    choose,
    domain_index,
    from_source,
)
from tf_ctr.layers import DualLogit, OrthogonalMap


def ddtcdr(
    schema: Schema,
    domain: str,
    source: int | str,
    user_fields: Sequence[str],
    embedding_dim: int = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    alpha: float = 0.03,
    orthogonality: float = 1e-6,
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds DDTCDR: each domain's network also scores the other domain's users.

    With `u` a row's user in its own domain, `v` its other features and `f_own`,
    `f_other` the networks of the row's and of the other domain,
    `z = (1 - alpha) f_own([u; v]) + alpha f_other([u X; v])` and `click = sigmoid(z)`;
    the transpose of `X` maps a user of the target to the source. The loss with
    `"binary_crossentropy"` is `(1 - alpha) L(f_own) + alpha L(f_other)` plus
    `orthogonality * |X X^T - I|_1`: see `tf_ctr.layers.DualLogit`. Both losses have a
    gradient; in the authors' code the second has none.

    Every field but `domain` has two tables, one per domain. A row of any other domain,
    missing or unseen, is scored like a target row.

    Source: Li and Tuzhilin, DDTCDR (WSDM 2020, arXiv 1910.05189), with embedding
    tables in place of its autoencoders, and cross entropies in place of its squared
    errors. `alpha` and `orthogonality` are those of the authors' code. Scoring by the
    mixed logit is our choice.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field that holds the domain. It is also a feature.
        source: The value of the source domain, as in the frame; any other value is
            the target.
        user_fields: Names of the fields that describe the user.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of each network.
        alpha: Weight of the other domain's network.
        orthogonality: Weight of the penalty on the map.
        activation: Activation of both networks.
        dropout: Dropout rate of both networks.
        l2: L2 penalty on the kernels of the networks.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{domain}_embedding`, `{field}_source_embedding`
        and `{field}_target_embedding` of other fields, `{field}_pooling`, `user_map`,
        `tower_{i}`, `logit`, `dual_logit`, `click`.

    Raises:
        ValueError: If there is no hidden layer, a name is unknown, or `alpha` or
            `orthogonality` is out of range.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import ddtcdr
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = ddtcdr(Schema(fields), "tab", source=1, user_fields=["user"])
    >>> model.get_layer("user_map").kernel.shape
    TensorShape([16, 16])
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    inputs = schema.inputs()
    is_source = from_source(schema, inputs, domain, source)
    tables = Tables(schema, inputs, is_source, embedding_dim, embedding_l2)
    vectors = tables.vectors(shared=[domain])
    check_vectors(user_fields, vectors)
    user = concatenate([vectors.pop(name) for name in user_fields], "user_vector")
    user_map = OrthogonalMap(orthogonality, name="user_map")
    mapped = choose(is_source, user_map(user), user_map(user, back=True))
    network = tower_network(2, hidden_units, activation, dropout, l2)
    logit = domain_logit(2, l2)
    own = domain_index(is_source)
    first, second = [
        logit(network(concatenate([x, *vectors.values()], name), index), index)
        for name, x, index in [
            ("embeddings", user, own),
            ("mapped_embeddings", mapped, 1 - own),
        ]
    ]
    mixed = DualLogit(alpha, name="dual_logit", dtype="float32")(first, second)
    return keras.Model(inputs, click_of([mixed]), name="ddtcdr")
