"""How rows are sent: by tensors or by examples, with a shared context or without."""

from collections.abc import Mapping
from typing import Any, Literal

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import check_name, explain
from tf_ctr.features import Schema
from tf_ctr.serving.client.inputs import check_fields, to_row_examples, with_context
from tf_ctr.serving.client.rows import Rows
from tf_ctr.serving.wire.signatures import (
    CANDIDATES,
    DEFAULT,
    EXAMPLES,
    STRING_IDS,
)

AskBy = Literal["auto", "examples", "tensors"]
ASK_BY = ("auto", "examples", "tensors")

Signatures = Mapping[str, meta_graph_pb2.SignatureDef]


def asks_by_examples(ask_by: AskBy, signature: str, found: Signatures) -> bool:
    """Returns whether rows for a signature go to `predict_examples` instead.

    A server that batches joins the tensors of several requests, and refuses all of them
    if lists or candidates of one have another length. Source: TensorFlow Serving,
    `batching_session.cc`, `BatchingSession::MergeInputTensors`. Examples are a string
    per row, and always join.

    Args:
        ask_by: One of `ASK_BY`.
        signature: The signature that the caller names.
        found: The signatures that are served.

    Raises:
        ValueError: If examples are wanted, but no signature takes them.
    """
    if signature not in (DEFAULT, CANDIDATES) or ask_by == "tensors":
        return False
    if ask_by == "examples":
        check_name("signature", EXAMPLES, found)
        return True
    return EXAMPLES in found and bool(_with_lists(found[signature]))


def check_lists(
    ask_by: AskBy,
    signature: str,
    found: Signatures,
    schema: Schema | None,
) -> None:
    """Raises if lists of `string_ids` could not be padded to one length.

    Args:
        ask_by: As for `asks_by_examples`.
        signature: As for `asks_by_examples`.
        found: As for `asks_by_examples`.
        schema: The schema of the model, which has the lengths and the padding.

    Raises:
        ValueError: With the ways to ask.
    """
    if signature != STRING_IDS or ask_by == "tensors" or schema is not None:
        return
    if lists := _with_lists(found[signature]):
        raise ValueError(
            explain(
                f"a schema, to pad the lists {lists} of {signature!r}: in a server "
                "that batches, lists of another length fail all requests of a batch",
                "schema=None",
                "pass schema= to the client; or ask 'serving_default' with integers; "
                "or, if the server does not batch, pass ask_by='tensors'",
            )
        )


def _with_lists(signature):
    """The inputs whose rows may differ in size; a vector has one size."""
    return sorted(
        key
        for key, info in signature.inputs.items()
        if any(each.size < 0 for each in info.tensor_shape.dim[1:])
    )


def with_shared_context(
    rows: Rows,
    context: Mapping[str, Any] | None,
    signature: meta_graph_pb2.SignatureDef,
    schema: Schema | None,
) -> tuple[list[tf.train.Example], tf.train.Example | None]:
    """Returns the examples of the rows, and one of the context if there is any.

    Args:
        rows: As for `to_row_examples`.
        context: `{field: value}` that all rows share.
        signature: As for `to_row_examples`.
        schema: As for `to_row_examples`.

    Raises:
        ValueError: For a field that the signature lacks, or that the rows have, too;
            and as `to_row_examples`.
        TypeError: As `to_row_examples`.
    """
    if not context:
        return to_row_examples(rows, signature, schema), None
    check_fields(context, signature)
    examples = to_row_examples(with_context(rows, context, schema), signature, schema)
    shared = tf.train.Example()
    for name in set(context) & set(examples[0].features.feature):
        shared.features.feature[name].CopyFrom(examples[0].features.feature[name])
        for example in examples:
            del example.features.feature[name]
    return examples, shared
