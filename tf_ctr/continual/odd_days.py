"""What is unusual about the rows of a period, in words: one line each."""

import statistics
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tf_ctr.continual.store import Record
from tf_ctr.features import Schema

# Below so many rows, a column may be constant by chance.
FEW = 100
TIMES = 10
# In the record of a period: the lines.
ODD = "odd"


def odd_rows(
    frame: pd.DataFrame,
    schema: Schema,
    grown: Schema,
    records: Sequence[Record],
) -> list[str]:
    """Returns what is unusual about the rows of a period.

    What is unusual about a column is said once in a run.

    Args:
        frame: The rows of the period.
        schema: The schema before these rows.
        grown: The schema with their ids.
        records: The records of the earlier periods.

    Example:

    >>> from tf_ctr import Categorical
    >>> schema = Schema([Categorical("item", [7, 9])])
    >>> frame = pd.DataFrame({"item": [7.0, 9.0], "click": [0, 0]})
    >>> odd_rows(frame, schema, schema, [])
    ['all rows have the label click=0: AUC is undefined']
    """
    said = {line for record in records for line in record.get(ODD, ())}
    columns = [*_columns(frame, schema), *_growth(schema, grown)]
    found = [*_size(frame, records), *_labels(frame, schema)]
    return [*found, *(line for line in columns if line not in said)]


def _size(frame, records):
    earlier = [
        record["test"]["rows"] if record["test"] else record["rows_trained"]
        for record in records
        if record["trained"]
    ]
    usual = statistics.median(earlier) if earlier else len(frame)
    if len(frame) >= TIMES * usual:
        yield f"{len(frame):,} rows, where {usual:,.0f} are usual"


def _labels(frame, schema):
    for label in schema.label_names:
        if label not in frame:  # The training says what to do.
            continue
        values = frame[label].dropna().unique()
        if len(values) == 1:
            yield f"all rows have the label {label}={values[0]}: AUC is undefined"


def _columns(frame, schema):
    for field in schema.raw_fields:
        column = frame[field.column]
        missing = column.isna()
        if missing.all():
            yield f"the column '{field.column}' has no value"
            continue
        first = column[~missing].iloc[0]
        if len(frame) < FEW or isinstance(first, list | tuple | np.ndarray):
            continue
        if not missing.any() and column.nunique() == 1:
            yield f"the column '{field.column}' is constant"


def _growth(schema, grown):
    for field in schema.fields:
        before, after = field.vocabulary, grown.field(field.name).vocabulary
        if before and len(after) >= TIMES * max(len(before), TIMES):
            yield (f"the ids of '{field.name}' grow {len(after) / len(before):.0f}fold")
