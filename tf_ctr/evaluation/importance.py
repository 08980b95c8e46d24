"""Permutation importance: what the metric loses without a field."""

from collections.abc import Mapping, Sequence
from typing import Literal

import keras
import numpy as np
import pandas as pd

from tf_ctr.errors import check_choice, check_count, check_name, explain
from tf_ctr.evaluation.intervals import Z
from tf_ctr.evaluation.of_scores import label_arrays, labels_and_groups
from tf_ctr.features import Schema
from tf_ctr.features.reading import in_memory
from tf_ctr.metrics import exact_auc, exact_gauc, log_loss
from tf_ctr.rows import Source
from tf_ctr.scoring import scores_by_label
from tf_ctr.surgery.same_ids import check_same_ids

# The quantiles 0.975 of Student's t with 1 to 9 degrees of freedom.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)

Metric = Literal["auc", "gauc", "log_loss"]


def importance(
    model: keras.Model,
    rows: Source,
    schema: Schema,
    groups: Mapping[str, Sequence[str]] | None = None,
    metric: Metric = "auc",
    label: str | None = None,
    repeats: int = 5,
    seed: int = 0,
    batch_size: int = 8192,
    verbose: int = 0,
) -> pd.DataFrame:
    """Returns what a metric loses when the values of a field are shuffled over rows.

    The encoded values of a field are put into a random order, which keeps their
    distribution and breaks what they say about the label; the model scores the rows
    again. Fields that say the same, e.g. an item and its title, stand in for each
    other, so that each seems unimportant: shuffle them together as a group.

    Source: Breiman, Random Forests (Machine Learning 2001), section 10; Fisher et al.,
    All Models are Wrong, but Many are Useful (JMLR 2019).

    Args:
        model: A `keras.Model` from the schema's encoded fields to a probability, or to
            `{label: probability}`.
        rows: Raw labelled rows that the model was not trained on: a frame, a path, or
            rows of any kind that `tf_ctr.data.rows` opens. They are held in memory.
        schema: The fitted `Schema` of the model.
        groups: `{name: fields}` to shuffle together; other fields are shuffled one by
            one. Defaults to none.
        metric: `"auc"`, `"gauc"` or `"log_loss"`.
        label: The label, if the schema has several.
        repeats: Random orders per field.
        seed: Seed of the orders.
        batch_size: Rows per batch. Only memory and speed depend on it.
        verbose: 1 prints a line per field.

    Returns:
        A line per field or group, the most important first: `importance`, the mean loss
        over the repeats, above 0 if the field helps; `low` and `high`, its 95 %
        interval over the orders (NaN for one repeat); `base`, the metric of the rows as
        they are. `tf_ctr.plots.importance` draws it.

    Raises:
        ValueError: For an unknown or repeated field, a metric that the schema or the
            rows do not allow, or rows that do not fit the schema.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import keras, pandas, tf_ctr
    >>> from tf_ctr.evaluation import importance
    >>> frame = pandas.DataFrame({"price": [1.0, 2.0], "age": 3.0, "click": [0, 1]})
    >>> fields = [tf_ctr.Numeric("price"), tf_ctr.Numeric("age")]
    >>> schema = tf_ctr.Schema(fields).fit(frame)
    >>> inputs = schema.inputs()
    >>> model = keras.Model(inputs, keras.ops.sigmoid(inputs["price"]))
    >>> importance(model, frame, schema, repeats=2)["base"].tolist()
    [1.0, 1.0]
    """
    check_count("repeats", repeats, 1)
    check_choice("metric", metric, ("auc", "gauc", "log_loss"))
    label = _checked_label(schema, label)
    if metric == "gauc" and schema.group is None:
        raise ValueError(
            explain("a schema with a group, for GAUC", None, "pass metric='auc'")
        )
    parts = _parts(schema, groups or {})
    check_same_ids(model, schema)
    kept = labels_and_groups(schema)
    frame = in_memory(rows, schema.fields, [column for column, _ in kept.values()])
    values = {name: read(frame) for name, (_, read) in kept.items()}
    encoded = {
        name: tensor.numpy()
        for name, tensor in schema.encode(schema.raw_columns(frame)).items()
    }

    def measured(features):
        predicted = model.predict(features, batch_size=batch_size, verbose=0)
        scores = scores_by_label(predicted, schema, len(frame))
        return _metric(metric, *label_arrays(schema, label, scores, values))

    base = measured(encoded)
    if np.isnan(base):
        raise ValueError(
            explain(
                f"rows on which {metric!r} is defined",
                f"{len(frame)} rows, {label!r} of one class",
                "pass more rows, with clicks and without",
            )
        )
    sign = -1 if metric == "log_loss" else 1
    generator = np.random.default_rng(seed)
    lines = {}
    for name, fields in parts.items():
        losses = []
        for _ in range(repeats):
            order = generator.permutation(len(frame))
            shuffled = {field: encoded[field][order] for field in fields}
            losses.append(sign * (base - measured({**encoded, **shuffled})))
        lines[name] = _line(np.array(losses), base)
        if verbose:
            print(f"importance of {name}: {lines[name]['importance']:.5f}", flush=True)
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("field")
    return table.sort_values("importance", ascending=False, kind="stable")


def _checked_label(schema: Schema, label: str | None) -> str:
    names = schema.label_names
    if label is None and len(names) == 1:
        return names[0]
    if label is None:
        raise ValueError(
            explain(
                "the label whose metric to measure",
                f"none, and a schema of {', '.join(names)}",
                f"pass label={names[0]!r}",
            )
        )
    check_name("label", label, schema.label_names)
    return label


def _parts(
    schema: Schema, groups: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Returns `{name: fields to shuffle together}`, each field once."""
    names = [field.name for field in schema.fields]
    grouped = [field for fields in groups.values() for field in fields]
    for field in grouped:
        check_name("field", field, names)
    alone = [name for name in names if name not in grouped]
    twice = {field for field in grouped if grouped.count(field) > 1}
    if twice or set(groups) & set(alone):
        raise ValueError(
            explain(
                "groups of different fields, with names of their own",
                f"groups={dict(groups)}",
                "name each field once, and no group as a field outside of it",
            )
        )
    return {**groups, **{name: [name] for name in alone}}


def _metric(
    metric: Metric,
    labels: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray | None,
    weights: np.ndarray | None,
) -> float:
    if metric == "gauc" and groups is not None:
        return exact_gauc(labels, scores, groups, weights).gauc
    if metric == "log_loss":
        return log_loss(labels, scores, weights=weights)
    return exact_auc(labels, scores, weights)


def _line(losses: np.ndarray, base: float) -> dict[str, float]:
    mean, half = losses.mean(), float("nan")
    if len(losses) > 1:
        freedom = len(losses) - 1
        # From 10 on, Student's t is within 0.3 % of this expansion.
        t = T_975[freedom - 1] if freedom < 10 else Z + (Z**3 + Z) / (4 * freedom)
        half = t * losses.std(ddof=1) / np.sqrt(len(losses))
    return {"importance": mean, "low": mean - half, "high": mean + half, "base": base}
