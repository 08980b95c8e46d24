"""The pieces of joint models of one source and one target domain."""

from collections import abc
from typing import Any

import keras
from keras import ops

from tf_ctr.backbones.pieces import (
    LAYER_NAMES,
    check_no_layer_names,
    check_one_label,
    features_of,
    pool,
)
from tf_ctr.backbones.tables import projection, table
from tf_ctr.errors import check_name, explain, unknown_name
from tf_ctr.features import Schema, Sequence
from tf_ctr.features.field import Field
from tf_ctr.layers import Embedding


def from_source(
    schema: Schema,
    inputs: abc.Mapping[str, keras.KerasTensor],
    domain: str,
    source: int | str,
) -> keras.KerasTensor:
    """Returns whether each row is of the source domain; all others are of the target.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, from `schema.inputs()`.
        domain: Name of the field that holds the domain.
        source: The value of the source domain, as in the frame.

    Returns:
        Booleans `[B]`.

    Raises:
        ValueError: If there is no such field, it has no vocabulary, or the vocabulary
            lacks the source.
    """
    field = schema.field(domain)
    if field.multivalent or not field.vocabulary:
        raise ValueError(
            explain(
                "a categorical domain field with a vocabulary and one id per example",
                repr(field),
                "name a Categorical field, neither hashed nor multivalent",
            )
        )
    if source not in field.vocabulary:
        values = map(repr, field.vocabulary)
        raise ValueError(unknown_name("domain", source, values))
    return ops.equal(inputs[domain], field.row_keys().index(source))


def domain_index(is_source: keras.KerasTensor) -> keras.KerasTensor:
    """Returns 0 for rows of the source and 1 for rows of the target, `[B]`."""
    return ops.cast(ops.logical_not(is_source), "int32")


def choose(
    is_source: keras.KerasTensor, source: keras.KerasTensor, target: keras.KerasTensor
) -> keras.KerasTensor:
    """Takes each row from `source` or from `target`, both of one shape `[B, ...]`."""
    shape = (-1, *(1,) * (len(source.shape) - 1))
    return ops.where(ops.reshape(is_source, shape), source, target)


class Tables:
    """The embedding tables of a model, some shared and some one per domain.

    Layers: `{field}_embedding` for a shared table, `{field}_source_embedding` and
    `{field}_target_embedding` for one per domain, which takes twice the weights.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`.
        is_source: Which rows are of the source domain, `[B]`.
        embedding_dim: Embedding dim D.
        l2: Penalty on the rows in the batch.
    """

    def __init__(
        self,
        schema: Schema,
        inputs: abc.Mapping[str, keras.KerasTensor],
        is_source: keras.KerasTensor,
        embedding_dim: int,
        l2: float = 0.0,
    ):
        check_no_layer_names(schema, LAYER_NAMES)
        pretrained = [f.name for f in schema.fields if f.pretrained is not None]
        if pretrained:
            raise ValueError(
                explain(
                    "fields without `pretrained` rows in a model with a table for each "
                    "domain",
                    f"pretrained rows of {pretrained}",
                    "use share_bottom, mmoe, ple or star, or a Vector of their values",
                )
            )
        check_one_label(schema)
        self._schema = schema
        self._inputs = inputs
        self._is_source = is_source
        self._arguments: dict[str, Any] = {"output_dim": embedding_dim, "l2": l2}
        self._layers: dict[str, Embedding] = {}

    def table(self, field: Field, part: str = "", **arguments: Any) -> Embedding:
        """Returns the table of a field, created at the first call.

        Args:
            field: The field.
            part: The part of the name between the field and `embedding`: empty for the
                shared table, `"source_"` or `"target_"` for one per domain.
            **arguments: Arguments of `tf_ctr.layers.Embedding` to change.
        """
        name = f"{field.table}_{part}embedding"
        if name not in self._layers:
            arguments = {**self._arguments, **arguments}
            self._layers[name] = table(field, name=name, **arguments)
        return self._layers[name]

    def own(self, field: Field, part: str = "", **arguments: Any) -> keras.KerasTensor:
        """Looks up a field, each row in the table of its own domain.

        Args:
            field: The field.
            part: The part of the names between the domain and `embedding`.
            **arguments: Arguments of `tf_ctr.layers.Embedding` to change.
        """
        ids = self._inputs[field.name]
        zeros = ops.zeros_like(ids)
        # Row 0 replaces the ids of the other domain, whose rows a step must not touch:
        # Adam's moments would move a row even with a zero gradient.
        source = choose(self._is_source, ids, zeros)
        target = choose(self._is_source, zeros, ids)
        return choose(
            self._is_source,
            self.table(field, f"source_{part}", **arguments)(source),
            self.table(field, f"target_{part}", **arguments)(target),
        )

    def vectors(
        self, shared: abc.Sequence[str] = (), without: abc.Sequence[str] = ()
    ) -> dict[str, keras.KerasTensor]:
        """Turns each field into one vector, by a table per domain unless shared.

        Args:
            shared: Names of the fields whose tables are shared.
            without: Names of fields to leave out.

        Returns:
            `{field: [B, D]}` in the order of the schema; a standardised numeric field
            stays `[B, 1]`.
        """
        tables = {self._schema.field(name).table for name in shared}
        vectors = {}
        for field in features_of(self._schema):
            if field.name in without:
                continue
            rows = ids = self._inputs[field.name]
            if field.projected:
                rows = projection(field, **self._arguments)(ids)
            if field.table is not None:
                is_shared = field.table in tables
                rows = self.table(field)(ids) if is_shared else self.own(field)
            vectors[field.name] = pool(
                field, rows, self._inputs, f"{field.name}_pooling"
            )
        return vectors


def check_vectors(
    names: abc.Sequence[str], vectors: abc.Mapping[str, keras.KerasTensor]
) -> None:
    """Raises unless `names` are names of fields with a vector, at least one."""
    for name in names:
        check_name("field", name, vectors)
    if not names:
        raise ValueError(
            explain("at least one field of the user", "none", "name the user's id")
        )


def two_logits(
    is_source: keras.KerasTensor,
    source: keras.KerasTensor,
    target: keras.KerasTensor,
    regularizer: keras.Regularizer | None = None,
) -> keras.KerasTensor:
    """Adds one prediction layer per domain, and returns the logit of each row's own.

    Args:
        is_source: Which rows are of the source domain, `[B]`.
        source: Input of the layer `source_logit`, `[B, N]`.
        target: Input of the layer `target_logit`, `[B, M]`.
        regularizer: Regularizer of both kernels.

    Returns:
        `[B, 1]`, float32.
    """
    logits = [
        keras.layers.Dense(
            1,
            kernel_initializer="glorot_normal",
            kernel_regularizer=regularizer,
            dtype="float32",
            name=f"{name}_logit",
        )(x)
        for name, x in (("source", source), ("target", target))
    ]
    return choose(is_source, *logits)


def history_fields(schema: Schema, *names: str) -> list[Sequence]:
    """Returns the `Sequence` fields of these names; raises if one is missing."""
    sequences = schema.of_kind(Sequence)
    for name in names:
        check_name("sequence field", name, sequences)
    return [sequences[name] for name in names]
