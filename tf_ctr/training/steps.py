"""Counts the batches that a run trains on, and skips those from before a kill."""

import dataclasses
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_ctr.data.passes import start_epoch
from tf_ctr.errors import explain

Logs = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a run is in its epochs and in its data.

    Args:
        epoch: The number of whole epochs trained.
        batch: Batches trained on since then.
        steps: Batches trained on in the whole run.
        opened: The epoch, from 0, in which the iterator over the data was opened: an
            earlier one only if `fit` has `steps_per_epoch`.
        drawn: Batches drawn from that iterator.
    """

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    opened: int = 0
    drawn: int = 0


class Steps:
    """Takes the place of `model.train_function`, which is given the iterator of `fit`.

    Keras tells a callback neither the iterator nor how to begin an epoch in its middle.
    So after a kill, `fit` begins the epoch as ever, and for each batch that was trained
    on before, this function only draws it.

    Args:
        model: The model, whose `train_function` exists.
        start: Where the run goes on.
        per_epoch: Batches per epoch, if they are known.
        restore: Restores the state of the model at `start`. It is called after one step
            of training, since metrics have no variables before.
    """

    def __init__(
        self,
        model: keras.Model,
        start: Position,
        per_epoch: int | None,
        restore: Callable[[], None],
    ):
        before = model.train_function
        # What a run that was stopped by hand left there.
        self._train = before.train if isinstance(before, Steps) else before
        self._model, self._start = model, start
        self._per_epoch, self._restore = per_epoch, restore
        self._epoch = start.epoch
        self._batch = self._drawn = self._opened = 0
        self._steps = start.steps
        self._begun = self._ended = False
        self._skip = 0
        self._logs: Logs = {}
        self._iterator: Callable[[], Any] = lambda: None

    @property
    def train(self) -> Callable[[Any], Logs]:
        """The train function that this one calls."""
        return self._train

    @property
    def position(self) -> Position:
        """Where the run is, after a batch."""
        return Position(
            self._epoch, self._batch, self._steps, self._opened, self._drawn
        )

    def begin_epoch(self, epoch: int) -> None:
        """Notes that an epoch, counted from 0, begins."""
        self._epoch, self._batch, self._skip = epoch, 0, 0
        self._begun, self._ended = True, False

    def end_epoch(self) -> Position:
        """Returns where the run is, after an epoch."""
        done = self._epoch + 1
        if self._is_cut():
            print(
                f"Epoch {done} had more batches than the first one; Keras leaves out "
                "what follows. Pass steps_per_epoch, and batches.repeat()."
            )
        elif self._goes_on():
            return Position(done, 0, self._steps, self._opened, self._drawn)
        return Position(done, 0, self._steps, done, 0)

    def __call__(self, iterator: Any) -> Logs:
        """Trains on the next batches of an iterator, or only draws them."""
        if self._begun and iterator is not self._iterator():
            self._open(iterator)
        self._begun = False
        count = self._model.steps_per_execution
        if self._batch < self._skip:
            self._draw_again(iterator, count)
            self._batch += count
            return self._logs
        try:
            logs = self._train(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            self._ended = True
            raise
        self._batch += count
        self._drawn += count
        self._steps += count
        return logs

    def _open(self, iterator):
        self._iterator = weakref.ref(iterator)
        start = self._start
        if self._epoch != start.epoch or not start.drawn:
            self._opened, self._drawn = self._epoch, 0
            start_epoch(self._epoch)
            return
        self._check_repeats(iterator)
        self._opened, self._drawn, self._skip = start.opened, start.drawn, start.batch
        start_epoch(start.opened)
        before = start.drawn - start.batch
        self._draw(iterator, before, needed=before)

    def _draw_again(self, iterator, count):
        if self._batch:
            # The last batches of an epoch may be fewer.
            self._draw(iterator, count, needed=1)
            return
        try:
            logs = self._train(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            raise self._too_short() from None
        self._restore()
        known = self._model.get_metrics_result()
        self._logs = {name: known.get(name, value) for name, value in logs.items()}

    def _draw(self, iterator, count, needed):
        for index in range(count):
            if next(iterator, None) is None and index < needed:
                raise self._too_short()

    def _too_short(self):
        return ValueError(
            explain(
                f"the data of the run, of at least {self._start.drawn} batches",
                "data that end before",
                "pass the same rows, batch_size and seed as before; or resume=False "
                "to start over",
            )
        )

    def _check_repeats(self, iterator):
        length, steps = _length(iterator), self._per_epoch
        if steps is not None and steps < length:
            raise ValueError(
                explain(
                    "batches without an end, to resume a run with steps_per_epoch",
                    f"{length} batches, with steps_per_epoch={steps}",
                    "pass batches.repeat() to fit",
                )
            )

    def _is_cut(self):
        """Whether Keras ended an epoch of an unknown length where the first one did."""
        iterator = self._iterator()
        if self._per_epoch is not None or iterator is None or self._ended:
            return False
        stopped = self._model.stop_training
        return not stopped and _length(iterator) == tf.data.UNKNOWN_CARDINALITY

    def _goes_on(self):
        """Whether `fit` draws the next epoch from the same iterator.

        Source: `_enumerate_iterator` of Keras's `src/trainers/epoch_iterator.py`. It
        opens a new one when the data have ended, or without `steps_per_epoch`.
        """
        iterator = self._iterator()
        if iterator is None or self._ended:
            return False
        length = _length(iterator)
        if length == tf.data.UNKNOWN_CARDINALITY:
            return True
        return length == tf.data.INFINITE_CARDINALITY or self._drawn < length


def _length(iterator: Any) -> int:
    """The number of batches of an iterator, with the constants of `tf.data`."""
    dataset = getattr(iterator, "_dataset", None)
    # An iterator of a strategy of `tf.distribute` has none; it is opened every epoch.
    return 0 if dataset is None else int(dataset.cardinality())
