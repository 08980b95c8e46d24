"""Measures the exact metrics of a model in each domain."""

import keras
import pandas as pd

from tf_ctr.evaluation.slices import score_slices
from tf_ctr.features import Schema
from tf_ctr.rows import Source


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
    scored = score_slices(model, frame, schema, domain, batch_size)
    lines = {name: scored.metrics(own) for name, own in scored.slices.items()}
    table = pd.DataFrame.from_dict(lines, orient="index")
    return table.rename_axis(domain)
