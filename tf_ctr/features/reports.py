"""Tables about a schema and the data it meets."""

import pandas as pd

from tf_ctr.features import columns
from tf_ctr.features.fields import vocabulary_owner


def summary(schema) -> pd.DataFrame:
    """Returns one line per field of `schema`."""
    lines = [
        {
            "field": field.name,
            "kind": type(field).__name__,
            "table": field.table,
            "rows": field.table_size,
            "dtype": field.dtype,
            "coverage": schema.coverage.get(field.name),
        }
        for field in schema.fields
    ]
    types = {"rows": "Int64", "coverage": float}
    return pd.DataFrame(lines).astype(types).set_index("field")


def unseen_share(schema, frame) -> pd.Series:
    """Returns the share of ids of `frame` outside the vocabulary, per field."""
    owners = {field.name: vocabulary_owner(field) for field in schema.fields}
    owners = {name: owner for name, owner in owners.items() if owner}
    unseen, present = pd.Series(0.0, owners), pd.Series(0.0, owners)
    rows = 0
    for chunk in columns.chunks(frame):
        rows += len(chunk)
        encoded = schema.encode(schema.raw_columns(chunk))
        for name, owner in owners.items():
            ids = encoded[name].numpy()
            present[name] += (ids > 0).sum()
            unseen[name] += ((ids > 0) & (ids <= owner.num_oov)).sum()
    columns.check_rows(rows)
    return unseen / present
