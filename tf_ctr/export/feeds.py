"""The same rows as requests to every signature that a version has."""

from typing import NamedTuple

from tf_ctr.export.meta_graph import shape, signatures
from tf_ctr.export.requests import rows_of, signature_inputs, signature_names


class Feed(NamedTuple):
    """A request to one signature, and the rows that it stands for.

    Attributes:
        tensors: `{input: array}` of the request.
        columns: `{field: array [N, ...]}`: the rows, raw.
    """

    tensors: dict
    columns: dict


def signature_feeds(meta_graph, schema, columns):
    """Returns `{signature: Feed}` for the signatures that rows can be given to.

    Args:
        meta_graph: The `MetaGraphDef` of a version.
        schema: Its fitted `tf_ctr.Schema`.
        columns: `{field: array [N, ...]}`, raw, strings as bytes.
    """
    found = signatures(meta_graph)
    items = _item_fields(found)
    return {
        name: Feed(
            signature_inputs(name, columns, schema, items),
            rows_of(name, columns, items),
        )
        for name in signature_names(schema, items)
        if name in found
    }


def _item_fields(found):
    """Those with more dimensions in `candidates` than in `serving_default`."""
    if not {"candidates", "serving_default"} <= set(found):
        return []
    inputs = found["candidates"].inputs
    alone = found["serving_default"].inputs
    return [key for key in inputs if len(shape(inputs[key])) > len(shape(alone[key]))]
