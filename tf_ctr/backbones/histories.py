"""Which candidate looks at which history, and the fields that are none of both."""

import re

from tf_ctr.backbones.pieces import check_no_layer_names, look_up, pool
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Sequence

# The suffixes of the layers of a history.
LAYERS = "attention|encoder|eta|newest|newest_ids|sim"


def attended(schema, histories=None):
    """Returns which candidate attends to which history.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        histories: `{Sequence field: Categorical field}`. By default every `Sequence`
            is attended by the field it is `of`.

    Returns:
        `{history: candidate}`.

    Raises:
        ValueError: If there is no history, a name is unknown, or a field is called
            as a layer of a history.

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


def embed_histories(schema, inputs, histories, embedding_dim, l2=0.0):
    """Looks all fields up, and pools all but the histories.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        inputs: `{field: keras.Input}`, as `schema.inputs()` gives.
        histories: The names of the histories.
        embedding_dim: Embedding dim D.
        l2: Penalty on the rows in the batch; see `tf_ctr.layers.Embedding`.

    Returns:
        `{field: [B, D]}` of the other fields, and `{history: [B, T, D]}`.
    """
    rows = look_up(schema, inputs, embedding_dim, l2)
    vectors = {
        field.name: pool(
            field, rows[field.name], inputs[field.name], f"{field.name}_pooling"
        )
        for field in schema.fields
        if field.name not in histories
    }
    return vectors, {name: rows[name] for name in histories}
