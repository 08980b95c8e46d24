"""The pieces of models with histories: candidates, histories and the other fields.

A *history* is a `Sequence` field, the past behaviours of a user; its *candidate* is the
`Categorical` field that attends to it.
"""

import re
from collections import abc

import keras

from tf_ctr.backbones.dims import EmbeddingDim
from tf_ctr.backbones.pieces import check_no_layer_names, features_of, look_up, pool
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Schema, Sequence

# The suffixes of the layers of a history.
LAYERS = "attention|encoded|encoder|evolution|extractor|eta|newest|newest_ids|sim"


def attended(
    schema: Schema, histories: abc.Mapping[str, str] | None = None
) -> dict[str, str]:
    """Returns the candidate that attends to each history, after checking the names.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        histories: `{Sequence field: Categorical field}`. By default every `Sequence`
            is attended by the field it is `of`.

    Returns:
        `{history: candidate}`.

    Raises:
        ValueError: If there is no history, a name is unknown, or a field has the name
            of a history's layer.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> item = Categorical("item", [7])
    >>> attended(Schema([item, Sequence("history", of="item")]))
    {'history': 'item'}
    """
    sequences = schema.of_kind(Sequence)
    if histories is None:
        histories = {name: field.of for name, field in sequences.items()}
    for history, candidate in histories.items():
        check_name("sequence field", history, sequences)
        check_name("categorical field", candidate, schema.of_kind(Categorical))
    if not histories:
        raise ValueError(
            explain(
                "a history to attend to",
                f"sequence fields {sorted(sequences)}, histories={histories}",
                "add Sequence('history', of='item') to the schema, or use dnn",
            )
        )
    prefixes = "|".join(map(re.escape, histories))
    check_no_layer_names(schema, re.compile(f"({prefixes})_({LAYERS})"))
    return dict(histories)


def embed_histories(
    schema: Schema,
    inputs: abc.Mapping[str, keras.KerasTensor],
    histories: abc.Collection[str],
    embedding_dim: EmbeddingDim,
    l2: float = 0.0,
) -> tuple[dict[str, keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """Looks up all fields, and pools all but the histories.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, from `schema.inputs()`.
        histories: The names of the histories.
        embedding_dim: Embedding dim D.
        l2: Penalty on the rows in the batch; see `tf_ctr.layers.Embedding`.

    Returns:
        `{field: [B, D]}` of the other fields, and `{history: [B, T, D]}`.
    """
    rows = look_up(schema, inputs, embedding_dim, l2)
    vectors = {
        field.name: pool(field, rows[field.name], inputs, f"{field.name}_pooling")
        for field in features_of(schema)
        if field.name not in histories
    }
    return vectors, {name: rows[name] for name in histories}


def check_widths(
    histories: abc.Mapping[str, str],
    vectors: abc.Mapping[str, keras.KerasTensor],
    rows: abc.Mapping[str, keras.KerasTensor],
) -> None:
    """Raises unless each history is as wide as the candidate that attends to it.

    Args:
        histories: `{history: candidate}`.
        vectors: `{field: [B, D_f]}`, as `embed_histories` returns.
        rows: `{history: [B, T, D_f]}`, as `embed_histories` returns.

    Raises:
        ValueError: With the two widths.
    """
    for history, candidate in histories.items():
        theirs, own = rows[history].shape[-1], vectors[candidate].shape[-1]
        if theirs != own:
            raise ValueError(
                explain(
                    f"the embedding of {candidate!r} as wide as that of {history!r}, "
                    "which it attends to",
                    f"{own} and {theirs}",
                    "give both one dim in embedding_dim={field: dim}",
                )
            )
