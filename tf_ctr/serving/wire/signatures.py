"""The signatures of a version: their names, and the same rows as inputs of each."""

from collections.abc import Collection, Mapping

import numpy as np

from tf_ctr.data.serialized import serialized_examples
from tf_ctr.features import Schema

DEFAULT, STRING_IDS, CANDIDATES = "serving_default", "string_ids", "candidates"

EXAMPLES, REGRESS, CLASSIFY = "predict_examples", "regress", "classify"

# The classes of `classify`, in the order of its scores.
CLASSES = ("no_click", "click")


def signature_names(schema: Schema, item_fields: Collection[str]) -> list[str]:
    """Returns the names of the signatures that an export has.

    Those of `:regress` and `:classify` answer one number per row, so a version of
    several labels lacks them.

    Args:
        schema: The fitted schema.
        item_fields: The names of the items' fields; none if there is no `candidates`.
    """
    names = [DEFAULT, EXAMPLES]
    names += [] if schema.outcomes.several else [REGRESS, CLASSIFY]
    names += [STRING_IDS] if has_integer_ids(schema) else []
    return names + ([CANDIDATES] if item_fields else [])


def has_integer_ids(schema: Schema) -> bool:
    """Returns whether any field of a schema has integer ids."""
    return any(field.dtype == "int64" for field in schema.fields)


def signature_inputs(
    name: str,
    columns: Mapping[str, np.ndarray],
    schema: Schema,
    item_fields: Collection[str],
) -> dict[str, np.ndarray]:
    """Returns rows as the inputs of a signature.

    Args:
        name: The signature.
        columns: `{field: array [N, ...]}`, raw, strings as bytes.
        schema: The fitted schema.
        item_fields: The names of the items' fields. `candidates` takes the user of the
            first row, and the items of all rows.

    Returns:
        `{input: array}`.
    """
    if name in (EXAMPLES, REGRESS, CLASSIFY):
        serialized = np.array(serialized_examples(columns, schema.fields), object)
        return {"examples" if name == EXAMPLES else "inputs": serialized}
    if name == STRING_IDS:
        return {
            field.name: _spelled(columns[field.name], field.padding)
            if field.dtype == "int64"
            else columns[field.name]
            for field in schema.raw_fields
        }
    if name == CANDIDATES:
        return {
            field: values[np.newaxis] if field in item_fields else values[:1]
            for field, values in columns.items()
        }
    return dict(columns)


def rows_of(
    name: str, columns: Mapping[str, np.ndarray], item_fields: Collection[str]
) -> dict[str, np.ndarray]:
    """Returns the rows that a request with `signature_inputs` asks the scores of.

    Args:
        name: The signature.
        columns: `{field: array [N, ...]}`, as given to `signature_inputs`.
        item_fields: The names of the items' fields.

    Returns:
        `{field: array [N, ...]}`: for `candidates`, all items beside the first user.
    """
    if name != CANDIDATES:
        return dict(columns)
    return {
        field: values if field in item_fields else np.repeat(values[:1], len(values), 0)
        for field, values in columns.items()
    }


def click_of(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the probabilities among the outputs of any signature.

    Returns:
        `[N]`; `[N, L]` for L labels, in the order of their names.
    """
    if set(outputs) == {"classes", "scores"}:
        return np.asarray(outputs["scores"])[:, CLASSES.index("click")]
    columns = [np.reshape(outputs[name], -1) for name in sorted(outputs)]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _spelled(ids, padding):
    """Integers as decimal text, in bytes; empty where the id is missing."""
    return np.char.encode(np.where(ids == padding, "", ids.astype(str)), "ascii")
