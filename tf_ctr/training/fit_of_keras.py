"""Two bypasses that let Keras's own `fit` train on several machines.

Keras 3 fails under `tf.distribute.MultiWorkerMirroredStrategy` in two places. Both act
only on models that were built under `tf_ctr.training.workers`:

- After each step, `fit` asks for the mean of the logs over the workers along axis 0,
  which a scalar does not have (https://github.com/keras-team/keras/issues/20329). Here
  the logs of a batch are those of this worker, without any message. Those of an epoch
  are of all workers: Keras reads them from the metrics, whose variables TensorFlow
  sums.
- Before the first step, it builds the model from the mean of the workers' first
  batches, which it asks for as of one tensor
  (https://github.com/keras-team/keras/issues/20585). Here it is built from the shapes
  of the batches, and no batch is read.

`predict` does not gather the rows of all workers either: each predicts its own.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import keras
from keras.src.backend.tensorflow import trainer

from tf_ctr.errors import explain

# The versions whose `fit` was read and tested; 3.16 may differ.
FROM, BEFORE = (3, 15), (3, 16)


def bypass_fit(
    is_ours: Callable[[Any], bool],
    before_fit: Callable[[keras.Model, Any], None],
) -> None:
    """Replaces the two functions of Keras, for the rest of the process.

    Args:
        is_ours: Whether a strategy is one of `tf_ctr.training.workers`; others get
            Keras's own functions.
        before_fit: Called with the model and its batches before `fit` and `evaluate`.

    Raises:
        RuntimeError: If this version of Keras was not tested.
    """
    check_version(keras.__version__)
    if hasattr(trainer.reduce_per_replica, "__wrapped__"):
        return
    own_reduce = trainer.reduce_per_replica
    own_build = trainer.TensorFlowTrainer._maybe_symbolic_build

    @functools.wraps(own_reduce)
    def reduce_per_replica(values, strategy, reduction):
        if is_ours(strategy):
            return values  # One replica per worker: these are its values.
        return own_reduce(values, strategy, reduction)

    @functools.wraps(own_build)
    def maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is None or not is_ours(self._distribute_strategy):
            return own_build(self, iterator=iterator, data_batch=data_batch)
        batches = iterator.data_adapter.get_tf_dataset()
        before_fit(self, iterator)
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=batches.element_spec)

    trainer.reduce_per_replica = reduce_per_replica
    trainer.TensorFlowTrainer._maybe_symbolic_build = maybe_symbolic_build


def check_version(version: str) -> None:
    """Raises unless a version of Keras is one whose `fit` was tested.

    Raises:
        RuntimeError: If it is not.

    Example:

    >>> check_version("3.15.2")
    """
    found = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
    if not FROM <= found < BEFORE:
        low, high = (".".join(map(str, each)) for each in (FROM, BEFORE))
        raise RuntimeError(
            explain(
                f"Keras from {low} to below {high} to train on several machines",
                f"Keras {version}, whose `fit` was not tested",
                f"pip install 'keras>={low},<{high}', or a newer tf_ctr",
            )
        )
