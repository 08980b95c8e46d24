"""Mixes the batches of two domains by a given ratio."""

from typing import Any

import tensorflow as tf

from tf_ctr.data.batching import with_cardinality
from tf_ctr.errors import check_count, explain


def mix(
    source: tf.data.Dataset,
    target: tf.data.Dataset,
    ratio: float = 1.0,
    batch_size: int = 1024,
    source_weight: float | None = None,
) -> tf.data.Dataset:
    """Returns batches with rows of both domains, for `model.fit(shuffle=False)`.

    In every batch, rows of the target come first, then `batch_size * ratio /
    (1 + ratio)` rows of the source, rounded. An epoch is one pass over the target, so
    its last batch may have fewer target rows. The source starts over when it ends, and
    stops when the target ends; a shuffled source gives other rows in the next epoch.
    With `ratio=20`, one epoch passes once over a source of 20,000 rows and a target of
    1,000.

    Mixing is not random: rows keep the order of the two datasets, and the same datasets
    give the same batches. The target is read once to count its rows.

    Args:
        source: Batches `({field: tensor}, label)` of the source domain, of any size, as
            `tf_ctr.data.from_frame` makes them, or `({field: tensor}, label, weight)`.
            Both domains share one schema, with a field that tells them apart.
        target: Batches of the target domain.
        ratio: Source rows per target row.
        batch_size: Rows per batch, of both domains together.
        source_weight: Weight of a source row in the loss; a target row has 1. It is the
            `g` of the loss `L_target + g L_source`. `None` leaves weights out of the
            batches, so that all rows weigh the same; rows with a weight of their own
            keep it, and it is multiplied. Losses that layers add are not weighted.

    Returns:
        A dataset of `({field: tensor}, label)`, or of
        `({field: tensor}, label, weight)` with `source_weight` or weighted datasets.

    Raises:
        ValueError: If a batch would have no row of one domain, the weight is negative,
            the datasets differ in their fields, or the target has no row or no end.

    Example:

    >>> import tensorflow as tf
    >>> from tf_ctr.joint import mix
    >>> def domain(ids):
    ...     ids = tf.constant(ids)
    ...     return tf.data.Dataset.from_tensors(({"item": ids}, tf.zeros(len(ids))))
    >>> batches = mix(domain([1, 2, 3]), domain([7, 8, 9]), ratio=2, batch_size=3)
    >>> [features["item"].numpy().tolist() for features, _ in batches]
    [[7, 1, 2], [8, 3, 1], [9, 2, 3]]
    """
    check_count("batch_size", batch_size, 2)
    source_rows = _source_rows(ratio, batch_size)
    if source_weight is not None and source_weight < 0:
        raise ValueError(
            explain("source_weight >= 0", source_weight, "pass 0 to ignore the source")
        )
    _check_alike(source, target)
    rows = _count(target)
    target_rows = batch_size - source_rows
    source = source.repeat().rebatch(source_rows, drop_remainder=True)
    target = target.rebatch(target_rows)

    def joined(of_target, of_source):
        features, label, *own = tf.nest.map_structure(
            lambda *parts: tf.concat(parts, axis=0), of_target, of_source
        )
        if source_weight is None:
            return (features, label, *own)
        parts = ((of_target, 1.0), (of_source, source_weight))
        weights = [tf.fill([_rows(batch)], float(w)) for batch, w in parts]
        weight = tf.concat(weights, axis=0)
        if own:
            return features, label, tf.nest.map_structure(lambda w: weight * w, own[0])
        return features, label, tf.nest.map_structure(lambda _: weight, label)

    mixed = tf.data.Dataset.zip(target, source).map(joined, tf.data.AUTOTUNE)
    mixed = with_cardinality(mixed, rows, target_rows, drop_remainder=False)
    return mixed.prefetch(tf.data.AUTOTUNE)


def _count(target: tf.data.Dataset) -> int:
    if target.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            explain("a target that ends", "an endless one", "leave its repeat() out")
        )
    rows = target.reduce(
        tf.constant(0, tf.int64),
        lambda rows, batch: rows + tf.cast(_rows(batch), tf.int64),
    )
    return int(rows)


def _rows(batch: tuple[Any, ...]) -> tf.Tensor:
    """The number of rows of a batch, of one label or of several."""
    return tf.shape(tf.nest.flatten(batch[1])[0])[0]


def _source_rows(ratio: float, batch_size: int) -> int:
    rows = round(batch_size * ratio / (1 + ratio)) if ratio > 0 else 0
    if not 0 < rows < batch_size:
        raise ValueError(
            explain(
                f"a ratio that gives both domains some of the {batch_size} rows",
                f"ratio={ratio}",
                "pass e.g. ratio=1.0, or a larger batch_size",
            )
        )
    return rows


def _check_alike(source: tf.data.Dataset, target: tf.data.Dataset) -> None:
    try:
        tf.nest.assert_same_structure(source.element_spec, target.element_spec)
    except (TypeError, ValueError) as error:
        raise ValueError(
            explain(
                "two datasets of one schema",
                f"source {source.element_spec}, target {target.element_spec}",
                "make both with the same schema, both labelled",
            )
        ) from error
