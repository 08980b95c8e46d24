"""Measures the exact metrics of a model in each domain."""

import keras
import numpy as np
import pandas as pd

from tf_ctr.evaluation.of_scores import label_metrics, labels_and_groups
from tf_ctr.features import Schema
from tf_ctr.features.columns import GroupCoder
from tf_ctr.rows import Source
from tf_ctr.scoring import Kept, score_rows


def evaluate(
    model: keras.Model,
    frame: Source,
    schema: Schema,
    domain: str,
    batch_size: int = 8192,
) -> pd.DataFrame:
    """Returns the exact metrics of a model, one line per domain.

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability.
        frame: Raw rows with the schema's label: a pandas frame, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: The fitted `Schema` of the model.
        domain: Name of the column that holds the domain; it need not be a field.
        batch_size: Rows per batch. Only memory and speed depend on it.

    Returns:
        One line per value of the column, in ascending order; NaN is the line for rows
        without a domain. The columns are the metrics of `tf_ctr.evaluation.evaluate`,
        with `gauc` if the schema has a group.

    Raises:
        ValueError: For a missing column, rows that do not fit the schema, or a
            model that does not give one click probability per row.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import keras, pandas, tf_ctr
    >>> from tf_ctr.joint import evaluate
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("tab", vocabulary=[0, 1])])
    >>> inputs = schema.inputs()
    >>> rate = keras.layers.Embedding(4, 1, "zeros")(inputs["tab"])
    >>> model = keras.Model(inputs, keras.layers.Activation("sigmoid")(rate))
    >>> frame = pandas.DataFrame({"tab": [0, 1, 0, 1, 1], "click": [0, 1, 1, 0, 0]})
    >>> evaluate(model, frame, schema, domain="tab")[["rows", "auc"]]
         rows  auc
    tab
    0       2  0.5
    1       3  0.5
    """
    domains = GroupCoder(domain)
    kept: Kept = {**labels_and_groups(schema), "domain": (domain, domains)}
    scores, values = score_rows(model, frame, schema, kept, batch_size)
    of_row, names, lines = values["domain"], domains.values, {}
    for code in [*sorted(range(len(names)), key=lambda i: _order(names[i])), -1]:
        own = of_row == code
        if own.any():
            name = names[code] if code >= 0 else np.nan
            lines[name] = label_metrics(schema, scores, values, own)
    table = pd.DataFrame.from_dict(lines, orient="index")
    return table.rename_axis(domain)


def _order(name):
    """Numbers before text, which a column of objects may hold together."""
    return isinstance(name, str), name
