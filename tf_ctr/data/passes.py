"""Numbers the passes over a dataset, so that each has an order of its own, again.

The order of a pass follows from the seed of the dataset and the number of the pass. A
pass counts from its first element, so an iterator that nothing is read from (Keras
opens one after each epoch) does not. `tf_ctr.training.callbacks` calls `start_epoch`,
so that a resumed run gets the orders of the unbroken one.

The numbers are kept in lookup tables of TensorFlow and not in Python or in a
`tf.Variable`: a `tf.data` service takes tables along to its workers, and a strategy of
`tf.distribute` does not replace them.
"""

import functools

import tensorflow as tf

# Keys of the one table of the process: the number of the first pass of each dataset
# from now on, and how often that was set.
FIRST, TURN = 0, 1


def start_epoch(number: int) -> None:
    """Gives the next pass over every dataset of this process a number.

    Args:
        number: The number, from 0; later passes count on from it.
    """
    clock = _clock()
    turn = int(clock.lookup(_whole(TURN)))
    clock.insert(_whole([FIRST, TURN]), _whole([number, turn + 1]))


def seeds(seed: int) -> tf.data.Dataset:
    """Returns an endless dataset of seeds, int64 `[2]` each, new ones in every pass.

    Args:
        seed: The same seed gives the same passes.
    """
    clock, passes = _clock(), _table()

    def of_pass(_):
        turn = clock.lookup(_whole(TURN))
        done = passes.lookup(turn)
        with tf.control_dependencies([passes.insert(turn, done + 1)]):
            number = clock.lookup(_whole(FIRST)) + done
        start = fold([seed, 0], number)
        return tf.data.Dataset.counter().map(lambda index: fold(start, index))

    fold = tf.random.experimental.stateless_fold_in
    return tf.data.Dataset.range(1).flat_map(of_pass)


def _whole(value):
    return tf.constant(value, tf.int64)


@functools.cache
def _clock():
    return _table()


def _table():
    # Eagerly, also in a function that is being traced, and on the CPU: the table is
    # state of the process, not of the function.
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0)
