"""Makes batches from rows in memory."""

import tensorflow as tf

from tf_ctr.data.batching import check_arguments, shuffled, with_cardinality
from tf_ctr.data.packing import Packing
from tf_ctr.data.passes import seeds
from tf_ctr.features import Schema
from tf_ctr.features.columns import check_rows, check_some_weight
from tf_ctr.features.reading import rows_of
from tf_ctr.rows import Source
from tf_ctr.rows.parts import located


def from_frame(
    frame: Source,
    schema: Schema,
    batch_size: int = 1024,
    shuffle: bool = False,
    seed: int = 0,
    drop_remainder: bool = False,
    labelled: bool = True,
) -> tf.data.Dataset:
    """Returns rows as batches, encoded once and kept in memory.

    The rows take four bytes per id or number, and eight per row for a random order.

    Args:
        frame: A pandas frame with the schema's fields and label, a path, or rows of any
            kind that `tf_ctr.data.rows` opens.
        schema: A fitted schema.
        batch_size: Rows per batch.
        shuffle: Whether to give each epoch a new random order of all rows.
        seed: The seed of the orders. The same seed gives the same epochs again. Every
            pass over the dataset is a new epoch.
        drop_remainder: Whether to leave out a last batch that is not full.
        labelled: Whether to add the label; pass `False` for prediction.

    Returns:
        A dataset of `({field: tensor}, label)`, label float32 `[B]`, or of
        `({field: tensor}, label, weight)` if the schema has a weight, float32 `[B]`,
        or of `{field: tensor}` if not labelled. With several labels, label and weight
        are dicts by label, and a label that is not known is NaN.

    Raises:
        ValueError: For a missing column, a label other than 0 and 1, no row, fewer
            rows than one full batch with `drop_remainder`, or a wrong argument.
        TypeError: For a column whose values do not fit its field.

    Example:

    >>> import pandas
    >>> from tf_ctr.data import from_frame
    >>> from tf_ctr.features import Categorical, Schema
    >>> frame = pandas.DataFrame({"item": ["a", "b", "a"], "click": [0, 1, 1]})
    >>> schema = Schema([Categorical("item")]).fit(frame)
    >>> for features, label in from_frame(frame, schema, batch_size=2):
    ...     print(features["item"].numpy(), label.numpy())
    [2 3] [0. 1.]
    [2] [1.]
    """
    check_arguments(batch_size, seed)
    packing = Packing(schema, labelled)
    ids, numbers = _packed(frame, schema, packing)
    rows = len(ids)
    end = rows - rows % batch_size if drop_remainder else rows
    starts = tf.data.Dataset.range(0, end, batch_size)

    def epoch(pair):
        order = shuffled(rows, pair)
        return starts.map(lambda start: order[start : start + batch_size])

    def in_order(start):
        return tf.range(start, tf.minimum(start + batch_size, end))

    def batch(index):
        index = tf.ensure_shape(index, [batch_size if drop_remainder else None])
        return packing.unpack(tf.gather(ids, index), tf.gather(numbers, index))

    indices = starts.map(in_order)
    if shuffle:
        indices = seeds(seed).take(1).flat_map(epoch)
    dataset = indices.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = with_cardinality(dataset, rows, batch_size, drop_remainder)
    return dataset.prefetch(tf.data.AUTOTUNE)


# Eagerly, also in a function that is being traced, which AutoGraph rewrites.
@tf.autograph.experimental.do_not_convert
def _packed(
    frame: Source, schema: Schema, packing: Packing
) -> tuple[tf.Tensor, tf.Tensor]:
    opened = rows_of(frame, schema.fields)
    blocks = []
    with tf.init_scope(), tf.device("CPU:0"):
        for place, block in opened.frames(packing.columns, packing.check):
            with located(place):
                blocks.append(packing.pack_frame(block))
        check_rows(len(blocks))
        ids, numbers = (tf.concat(parts, 0) for parts in zip(*blocks, strict=True))
        for index, weight in enumerate(reversed(packing.weights), 1):
            check_some_weight(weight, float(tf.reduce_max(numbers[:, -index])))
    return ids, numbers
