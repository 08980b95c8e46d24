"""MLP++: two networks that share the embeddings of users."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.pieces import check_parts, concatenate
from tf_ctr.features import Schema
from tf_ctr.joint.pieces import domain_click
from tf_ctr.joint.two_domains import Tables, check_vectors, domain_index, from_source


def mlp_plus_plus(
    schema: Schema,
    domain: str,
    source: int | str,
    user_fields: Sequence[str],
    embedding_dim: int = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds MLP++: one network per domain, with shared embeddings of users only.

    Each domain has its own network and its own tables for all other fields, even for
    items of both domains. Each example trains those of its domain, so the loss of a
    mixed batch is the sum of both domains' losses, weighted by the ratio of the mix.

    A row of any other domain, missing or unseen, is scored like a target row.

    Source: the MLP++ baseline of CTNet (arXiv 2208.05728), Table 2; Hu et al., CoNet
    (arXiv 1804.06769), which introduced it.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field that holds the domain. It is also a feature.
        source: The value of the source domain, as in the frame; any other value is
            the target.
        user_fields: Names of the fields whose tables are shared.
        embedding_dim: Embedding dim D.
        hidden_units: Widths of each network.
        activation: Activation of both networks.
        dropout: Dropout rate of both networks.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding` of users,
        `{field}_source_embedding` and `{field}_target_embedding` of other fields,
        `{field}_pooling`, `embeddings`, `tower_{i}`, `logit`, `click`.

    Raises:
        ValueError: If there is no hidden layer, or a name is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import mlp_plus_plus
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = mlp_plus_plus(Schema(fields), "tab", source=1, user_fields=["user"])
    >>> model.get_layer("tower_0").kernel.shape
    TensorShape([2, 32, 256])
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    inputs = schema.inputs()
    is_source = from_source(schema, inputs, domain, source)
    tables = Tables(schema, inputs, is_source, embedding_dim, embedding_l2)
    vectors = tables.vectors(shared=[domain, *user_fields])
    check_vectors(user_fields, vectors)
    output = domain_click(
        concatenate(vectors.values()),
        domain_index(is_source),
        2,
        hidden_units,
        activation,
        dropout,
        l2,
    )
    return keras.Model(inputs, output, name="mlp_plus_plus")
