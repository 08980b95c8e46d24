"""The table of a schema's fields, with warnings of columns that harm a model."""

import html
import warnings
from collections.abc import Mapping, Sequence

import pandas as pd

from tf_ctr.errors import explain
from tf_ctr.features.field import Field

# Standard deviations from the mean.
FAR = 20
TYPES = {"rows": "Int64", "coverage": float, "largest": float}


def summary(
    fields: Sequence[Field], coverage: Mapping[str, float | None]
) -> pd.DataFrame:
    """Returns a table with one line per field; see `Schema.summary`.

    Args:
        fields: The fields of a schema.
        coverage: By field the share of values with a row of their own.

    Warns:
        UserWarning: Of numbers further than `FAR` from the mean.
    """
    for field in fields:
        if field.largest is not None and field.largest > FAR:
            # The caller of `Schema.summary`.
            warnings.warn(_too_far(field), stacklevel=3)
    lines = {
        field.name: {
            "kind": field.kind,
            "table": field.table,
            "rows": field.table_size,
            "dtype": field.dtype,
            "coverage": coverage.get(field.name),
            "largest": field.largest,
        }
        for field in fields
    }
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return frame.rename_axis("field").astype(TYPES)


def as_html(
    fields: Sequence[Field],
    coverage: Mapping[str, float | None],
    labels: Sequence[str],
    group: str | None,
) -> str:
    """Returns the summary of a schema as a table for a notebook."""
    fitted = "" if all(field.fitted for field in fields) else ", not fitted"
    head = f"Schema of {len(fields)} fields{fitted}; label: {', '.join(labels)}"
    head += "" if group is None else f"; group: {group}"
    return f"<p>{html.escape(head)}</p>{summary(fields, coverage).to_html(na_rep='')}"


def _too_far(field: Field) -> str:
    """Returns the warning of a number far from its mean."""
    clip = field.arguments()["clip"]
    kept = "which nothing cuts" if clip is None else f"cut at {clip:g}"
    return explain(
        f"column {field.column!r} within {FAR} standard deviations of its mean",
        f"a number {field.largest:.0f} standard deviations away, {kept}",
        f"pass Numeric({field.name!r}, transform='log'), for counts and prices, or "
        "transform='quantile', num_bins=10",
    )
