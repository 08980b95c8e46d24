"""Share-bottom: one tower per domain, or label, on shared embeddings."""

from collections.abc import Sequence
from typing import Any

import keras

from tf_ctr.backbones.pieces import concatenate, embed, mlp
from tf_ctr.features import Schema
from tf_ctr.joint.by_label import is_by_label, label_clicks
from tf_ctr.joint.pieces import domain_click, num_domains


def share_bottom(
    schema: Schema,
    domain: str | None = None,
    embedding_dim: int = 16,
    bottom_units: Sequence[int] = (),
    tower_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds a network with a tower for each domain, or label, on shared layers.

    `click = sigmoid(tower_d(bottom(x)))` for an example of domain `d`. CTNet's
    baseline shares only the embeddings; `bottom_units` adds shared layers.

    With a schema of several labels and no `domain`, there is a tower for each label,
    and an example runs through all of them.

    The weights of the towers grow with the number of domains. All towers start equal. A
    missing domain has tower 0, an unseen one has tower 1. These are trained only if the
    training rows have missing or unseen domains.

    Source: the share-bottom baseline of CTNet (arXiv 2208.05728), Table 2.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of the field whose value selects the tower. It is also a feature.
            `None` for a tower per label.
        embedding_dim: Embedding dim D.
        bottom_units: Widths of the shared layers; `()` for none.
        tower_units: Widths of the hidden layers of each tower; `()` for none.
        activation: Activation of bottom and towers.
        dropout: Dropout rate of bottom and towers.
        batch_norm: Whether the bottom has BatchNorm.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to the click
        probability `[B, 1]`. Layers: `{field}_embedding`, `{field}_pooling`,
        `embeddings`, `bottom_{i}`, `tower_{i}`, `logit`, `click`. By label, the output
        is `{label: probability [B, 1]}`, and the last layers are `{label}_tower_{i}`,
        `{label}_logit`, `{label}`.

    Raises:
        ValueError: If `domain` is not a field with one id per example, or there is
            neither a domain nor several labels, or both.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import share_bottom
    >>> fields = [Categorical("user", ["ann", "bob"]), Categorical("tab", [0, 1])]
    >>> model = share_bottom(Schema(fields), domain="tab", tower_units=(8,))
    >>> model.get_layer("tower_0").kernel.shape  # missing, unseen, 0 and 1
    TensorShape([4, 32, 8])
    """
    by_label = is_by_label(schema, domain)
    inputs = schema.inputs()
    vectors = embed(schema, inputs, embedding_dim, embedding_l2, by_label)
    x = concatenate(vectors.values())
    if bottom_units:
        x = mlp(x, bottom_units, activation, dropout, batch_norm, l2, name="bottom")
    output: Any
    if domain is None:
        of_label = dict.fromkeys(schema.label_names, x)
        output = label_clicks(of_label, tower_units, activation, dropout, l2)
    else:
        count = num_domains(schema, domain)
        output = domain_click(
            x, inputs[domain], count, tower_units, activation, dropout, l2
        )
    return keras.Model(inputs, output, name="share_bottom")
