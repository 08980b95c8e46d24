"""PEPNet: gates by domain on the embeddings, and by user on the hidden layers."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.pieces import (
    check_parts,
    click_probability,
    concatenate,
    depth,
    embed,
    penalty,
)
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.layers import PersonalGate


def pepnet(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    domain_fields: Sequence[str] = (),
    personal_fields: Sequence[str] | None = None,
    gate_units: int | None = None,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds PEPNet: one network for all users and domains, scaled for each.

    `x = g(e; [d, e]) * e` for the embeddings `e` and those of the domain `d` (EPNet);
    `h_{l+1} = g_l([p, x]) * relu(h_l W_l + b_l)` for those of the user and item `p`
    (PPNet). The gates `g` are `tf_ctr.layers.PersonalGate`; they do not train `e` and
    `x`.

    Source: Chang et al., PEPNet (arXiv 2302.01115), section 2.2, for one task.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain_fields: Fields that tell the domain, such as `("tab",)`; none leaves out
            the gate on the embeddings.
        personal_fields: Fields of the user and the item whose embeddings gate the
            hidden layers. Defaults to all with one id per example.
        gate_units: Width of the gates' hidden layer. Defaults to that of what it gates.
        embedding_dim, hidden_units, activation, dropout, batch_norm, l2,
            embedding_l2: As in `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`,
        `domain_gate`, and `personal_{i}` after `deep_{i}`.

    Raises:
        ValueError: If there is no hidden layer, a field is unknown, or none personal.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> model = pepnet(schema, 4, domain_fields=["item"], personal_fields=["user"])
    >>> model.get_layer("domain_gate").output.shape
    (None, 8)
    """
    check_parts("at least one hidden layer", hidden_units=hidden_units)
    inputs = schema.inputs()
    vectors = embed(schema, inputs, embedding_dim, embedding_l2)
    if personal_fields is None:
        single = {f.name for f in schema.fields if f.table and not f.multivalent}
        personal_fields = [name for name in vectors if name in single]
    if not personal_fields:
        raise ValueError(
            explain(
                "at least one personal field",
                f"personal_fields={personal_fields}",
                "name the fields of the user and the item",
            )
        )
    x = concatenate(vectors.values())
    if domain_fields:
        condition = _condition(vectors, domain_fields, x, "domain_condition")
        x = PersonalGate(gate_units, penalty(l2), name="domain_gate")(x, condition)
    condition = _condition(vectors, personal_fields, x, "personal_condition")
    for i, units in enumerate(hidden_units):
        x = depth(units, activation, dropout, batch_norm, l2, f"deep_{i}")(x)
        x = PersonalGate(gate_units, penalty(l2), name=f"personal_{i}")(x, condition)
    return keras.Model(inputs, click_probability(x, l2), name="pepnet")


def _condition(
    vectors: Mapping[str, keras.KerasTensor],
    fields: Sequence[str],
    x: keras.KerasTensor,
    name: str,
) -> keras.KerasTensor:
    """Returns the vectors of `fields` beside `x`, which a gate does not train."""
    for field in fields:
        check_name("field", field, vectors)
    own = [vectors[field] for field in fields]
    return keras.layers.Concatenate(name=name)([*own, ops.stop_gradient(x)])
