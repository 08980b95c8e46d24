"""Trains the model of one period."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import pandas as pd

from tf_ctr.continual.periods import Period
from tf_ctr.data import from_frame
from tf_ctr.data.mixing import mix
from tf_ctr.features import Schema
from tf_ctr.optimizers import SparseAdam
from tf_ctr.training import StopIfNotFinite, measure_batch_norm
from tf_ctr.training.crossentropy import losses_of


def compile_adam(model: keras.Model) -> None:
    """Compiles a model with Adam at a learning rate of 0.001, without metrics.

    It adds no metrics, because testing each period before training on it tells more
    than training metrics.
    """
    model.compile(SparseAdam(1e-3), losses_of(model))


@dataclasses.dataclass(frozen=True)
class Training:
    """The settings for training the model of one period.

    The defaults are for a small target domain: a period of 4,000 rows has 32 steps.
    CTNet (arXiv 2208.05728, section 4.2) uses AdaGrad at 0.01 and batches of 512 for
    millions of rows a day; with these settings and 4,000 rows, its model stays no
    better than chance.

    Attributes:
        compile: A function that compiles a model in place. It is called only when a
            model starts: later periods keep the optimizer with its slots and its
            learning rate, so use another directory for another rate.
        batch_size: Rows per batch, as in `tf_ctr.data`.
        epochs: Epochs per period; one is usual for increments.
        ratio: Source rows per target row, in periods with rows of both domains; see
            `tf_ctr.joint.mix`. `None` for the ratio of the data: an epoch then sees
            each row once, up to rounding, because every batch has rows of both.
        source_weight: Weight of a source row in the loss; see `tf_ctr.joint.mix`.
        measure_batch_norm: Whether to replace the moving statistics of BatchNorm, after
            the training, by those of the period's rows under the trained weights. A few
            training steps do not move them far enough from their initial values.
        seed: Seed of weights, noise and the order of rows.
        verbose: 0 prints nothing, 1 a line per period, 2 Keras's progress bars too.

    Example:

    >>> Training(batch_size=1024).epochs
    1
    """

    compile: Callable[[keras.Model], None] = compile_adam
    batch_size: int = 128
    epochs: int = 1
    ratio: float | None = 1.0
    source_weight: float | None = None
    measure_batch_norm: bool = False
    seed: int = 0
    verbose: int = 1

    def fit(
        self, model: keras.Model, schema: Schema, periods: Sequence[Period], seed: int
    ) -> tuple[int, float]:
        """Trains a compiled model on the rows of some periods together.

        Args:
            model: The model, changed in place.
            schema: Its schema.
            periods: The periods.
            seed: Seed of the order of the rows in this call.

        Returns:
            The number of target rows, and the mean loss of the last epoch.
        """
        target = _concatenated([period.read() for period in periods])
        batches = from_frame(target, schema, self.batch_size, shuffle=True, seed=seed)
        source = _concatenated([period.read_source() for period in periods])
        if source is not None:
            rows = from_frame(source, schema, self.batch_size, shuffle=True, seed=seed)
            ratio = self.ratio
            if ratio is None:
                most = self.batch_size - 1  # Every batch has a row of each domain.
                ratio = min(max(len(source) / len(target), 1 / most), most)
            batches = mix(rows, batches, ratio, self.batch_size, self.source_weight)
        if not model.optimizer.built:
            # If the first training step made the slots, Keras would trace it twice.
            model.optimizer.build(model.trainable_variables)
        history = model.fit(
            batches,
            epochs=self.epochs,
            verbose=int(self.verbose > 1),
            shuffle=False,
            callbacks=[StopIfNotFinite(schema=schema, data=target)],
        )
        if self.measure_batch_norm:
            measure_batch_norm(model, batches)
        return len(target), float(history.history["loss"][-1])

    def settings(self) -> dict[str, Any]:
        """Returns the values that two calls must share to continue one run."""
        settings = dataclasses.asdict(self)
        # The name, not the repr, is the same in every process. An object has none, so
        # its class gives one.
        settings["compile"] = getattr(
            self.compile, "__qualname__", type(self.compile).__name__
        )
        del settings["verbose"]
        if not self.measure_batch_norm:  # The settings of older runs lack it.
            del settings["measure_batch_norm"]
        return settings


def _concatenated(frames):
    frames = [frame for frame in frames if frame is not None and len(frame)]
    if len(frames) < 2:  # The usual case; concat would copy.
        return frames[0] if frames else None
    return pd.concat(frames, ignore_index=True)
