"""FinalMLP: two gated networks and their bilinear fusion."""

import functools
from collections.abc import Mapping, Sequence

import keras
from keras import ops

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.pieces import click_of, concatenate, embed, mlp, penalty
from tf_ctr.errors import check_name
from tf_ctr.features import Schema
from tf_ctr.layers import Bias, BilinearFusion


def finalmlp(
    schema: Schema,
    embedding_dim: EmbeddingDim = 16,
    hidden_units: Sequence[int] = (256, 128, 64),
    second_hidden_units: Sequence[int] | None = None,
    gate_fields: Sequence[str] | None = (),
    second_gate_fields: Sequence[str] | None = (),
    gate_units: Sequence[int] = (64,),
    num_heads: int = 1,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds FinalMLP: two networks on the gated embeddings, fused by products.

    `e = [e_1; ...; e_F]`; for each stream, `h = 2 sigmoid(gate(c)) * e` with `c` the
    embeddings of the stream's gate fields, and `o = mlp(h)`;
    `click = sigmoid(b + o_1 w_1 + o_2 w_2 + o_1 W o_2)`.

    Source: Mao et al., FinalMLP (arXiv 2304.00902, AAAI 2023), sections on
    stream-specific feature selection and stream-level interaction aggregation. The
    gates read the same embeddings as the streams; the authors' code learns separate
    tables for them.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        hidden_units: Widths of the first stream.
        second_hidden_units: Widths of the second stream. Defaults to `hidden_units`.
        gate_fields: Names of the fields that the gate of the first stream reads, e.g.
            `["user"]`. `()`, the default of the authors' code, learns one gate for all
            examples; `None` leaves the gate out.
        second_gate_fields: The same for the second stream, e.g. `["item"]`.
        gate_units: Hidden widths of a gate on fields; (64,) is the default of the
            authors' code.
        num_heads: Number of parts that the streams are split into for the fusion; see
            `tf_ctr.layers.BilinearFusion`.
        embedding_dim, activation, dropout, batch_norm, l2, embedding_l2: As in
            `tf_ctr.backbones.dnn`.

    Returns:
        A functional `keras.Model`. Layers: those of `tf_ctr.backbones.dnn`, and
        `deep_b_{i}`, `gate_{i}`, `gate_b_{i}`; `logit` is a
        `tf_ctr.layers.BilinearFusion`.

    Raises:
        ValueError: If a stream has no hidden layer, `num_heads` does not divide its
            last width, or a gate field is unknown.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> schema = Schema([Categorical("user", ["ann", "bob"]), Categorical("item", [7])])
    >>> model = finalmlp(schema, second_gate_fields=["item"])
    >>> model.get_layer("gate_b_1").output.shape
    (None, 32)
    """
    if second_hidden_units is None:
        second_hidden_units = hidden_units
    inputs = schema.inputs()
    vectors = embed(schema, inputs, embedding_dim, embedding_l2)
    x = concatenate(vectors.values())
    first = _gated(x, vectors, gate_fields, gate_units, l2, "gate")
    second = _gated(x, vectors, second_gate_fields, gate_units, l2, "gate_b")
    network = functools.partial(
        mlp, activation=activation, dropout=dropout, batch_norm=batch_norm, l2=l2
    )
    fusion = BilinearFusion(num_heads, penalty(l2), name="logit", dtype="float32")
    logit = fusion(
        network(first, hidden_units),
        network(second, second_hidden_units, name="deep_b"),
    )
    return keras.Model(inputs, click_of([logit]), name="finalmlp")


def _gated(
    x: keras.KerasTensor,
    vectors: Mapping[str, keras.KerasTensor],
    fields: Sequence[str] | None,
    units: Sequence[int],
    l2: float,
    name: str,
) -> keras.KerasTensor:
    """Multiplies `x` with twice a gate on the vectors of `fields`."""
    if fields is None:
        return x
    for field in fields:
        check_name("field", field, vectors)
    if fields:
        context = concatenate([vectors[f] for f in fields], name=f"{name}_context")
        gate = _gate_network(context, (*units, x.shape[1]), l2, name)
    else:
        # One learned vector: the sigmoid of a bias.
        gate = ops.sigmoid(Bias(name=f"{name}_0")(ops.zeros_like(x)))
    return 2.0 * gate * x


def _gate_network(
    gate: keras.KerasTensor, units: Sequence[int], l2: float, name: str
) -> keras.KerasTensor:
    for i, width in enumerate(units):
        gate = keras.layers.Dense(
            width,
            activation="relu" if i < len(units) - 1 else "sigmoid",
            kernel_initializer="glorot_normal",
            kernel_regularizer=penalty(l2),
            name=f"{name}_{i}",
        )(gate)
    return gate
