"""Reads blocks of rows by Python, and says what is wrong in our words."""

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import pandas as pd
import tensorflow as tf

from tf_ctr.data.batching import in_parts
from tf_ctr.data.packing import Packing
from tf_ctr.errors import explain
from tf_ctr.rows.parts import located

ELSEWHERE = explain(
    "batches to be read in the process that made them, whose Python encodes the rows",
    "another process, e.g. a worker of a tf.data service",
    "write the rows once: tf_ctr.data.to_cache(source, schema, path), and pass on what "
    "tf_ctr.data.from_cache(path, schema) returns",
)


def packed_blocks(
    readers: Sequence[Callable[[], Iterator[tuple[str, pd.DataFrame]]]],
    packing: Packing,
    shuffle: bool,
    seed: int,
) -> tf.data.Dataset:
    """Returns a dataset of packed blocks of rows.

    Args:
        readers: Functions, each of which reads one part of the data as frames, with
            their places for errors.
        packing: Encodes and packs the blocks.
        shuffle: Whether to read the parts in a new random order per epoch.
        seed: The seed of that order.
    """
    nothing = [tf.zeros([0, *spec.shape[1:]], spec.dtype) for spec in packing.signature]

    def read(part):
        try:
            for place, frame in readers[part]():
                with located(place):
                    packed = packing.pack_frame(frame)
                yield *packed, ""
        except (TypeError, ValueError, OSError) as error:
            # As a value: TensorFlow would show an exception inside its own traces.
            if not str(error).startswith("Expected "):
                raise
            yield *nothing, str(error)

    def read_part(part):
        part = _or_raise(part, _elsewhere())
        signature = (*packing.signature, tf.TensorSpec([], tf.string))
        blocks = tf.data.Dataset.from_generator(
            read, output_signature=signature, args=(part,)
        )
        return blocks.map(_whole)

    return in_parts(len(readers), read_part, shuffle, seed)


def _whole(ids, numbers, problem):
    return _or_raise(ids, problem), numbers


def _or_raise(values: tf.Tensor, problem: tf.Tensor) -> tf.Tensor:
    """Returns the values; fails with the text of a problem, unless it is empty.

    The conversion to a number puts the text into its error as it is, where `Assert`
    would escape its quotes and line breaks. The sum keeps TensorFlow from leaving the
    conversion out, as it does with a control dependency.
    """
    nothing = tf.where(tf.equal(problem, ""), "0", problem)
    return values + tf.strings.to_number(nothing, values.dtype)


def _elsewhere() -> tf.Tensor:
    """What is wrong in a process that this graph was sent to; `""` in this one.

    TensorFlow would say there that it knows no function "pyfunc_0". Linux lists the
    threads of a process here, of which the first one has the number of the process.
    """
    threads = pathlib.Path("/proc/self/task")
    if not threads.is_dir():
        return tf.constant("")
    own = tf.io.matching_files(str(threads / str(os.getpid())))
    return tf.where(tf.size(own) > 0, "", ELSEWHERE)
