"""How the model of one period is trained."""

import dataclasses

import pandas as pd

from tf_ctr.data import from_frame
from tf_ctr.data.mixing import mix
from tf_ctr.optimizers import SparseAdam
from tf_ctr.training import measure_batch_norm


def compile_adam(model):
    """Compiles with Adam at 0.001, as `tf_ctr.training.compile`, without its metrics.

    What a period's rows are worth as a test is told before they are trained on.
    """
    model.compile(SparseAdam(1e-3), "binary_crossentropy")


@dataclasses.dataclass(frozen=True)
class Training:
    """How the model of one period is trained.

    The defaults are for a small target domain: a period of 4,000 rows has 32 steps.
    CTNet (arXiv 2208.05728, section 4.2) has AdaGrad at 0.01 and batches of 512, for
    millions of rows a day; on 4,000 its model never leaves chance.

    Attributes:
        compile: A function that compiles a model. It is called where a model starts:
            from period to period the optimizer goes along with its slots and its
            learning rate, and another rate takes another directory.
        batch_size: Examples per step.
        epochs: Passes over a period; one, as is usual for increments.
        ratio: Of periods with rows of the source, these per row of the target; see
            `tf_ctr.joint.mix`. `None` for as many as there are: each row once, but
            for rounding, as every batch has rows of both.
        source_weight: Likewise, their weight in the loss.
        measure_batch_norm: Whether, after the training, the moving statistics of
            BatchNorm are those of the rows of the periods, by the trained weights,
            in place of what momentum has left of its start.

    Example:

    >>> Training(batch_size=1024).epochs
    1
    """

    compile: object = compile_adam
    batch_size: int = 128
    epochs: int = 1
    ratio: float | None = 1.0
    source_weight: float | None = None
    measure_batch_norm: bool = False

    def fit(self, model, schema, periods, seed, verbose):
        """Trains a compiled model on the rows of some periods together.

        Args:
            model: The model, changed in place.
            schema: Its schema.
            periods: The periods.
            seed: Seed of the order of the rows.
            verbose: Keras's verbosity.

        Returns:
            The number of rows of the target, and the mean loss of the last epoch.
        """
        target = _together([period.read() for period in periods])
        batches = from_frame(target, schema, self.batch_size, shuffle=True, seed=seed)
        source = _together([period.read_source() for period in periods])
        if source is not None:
            rows = from_frame(source, schema, self.batch_size, shuffle=True, seed=seed)
            ratio = self._ratio(len(source), len(target))
            batches = mix(rows, batches, ratio, self.batch_size, self.source_weight)
        if not model.optimizer.built:  # Or its slots have the first step traced twice.
            model.optimizer.build(model.trainable_variables)
        history = model.fit(batches, epochs=self.epochs, verbose=verbose, shuffle=False)
        if self.measure_batch_norm:
            measure_batch_norm(model, batches)
        return len(target), float(history.history["loss"][-1])

    def _ratio(self, source_rows, target_rows):
        if self.ratio is not None:
            return self.ratio
        most = self.batch_size - 1  # Rows of one domain beside a row of the other.
        return min(max(source_rows / target_rows, 1 / most), most)

    def settings(self):
        """What of it two runs must share to be one."""
        settings = {**dataclasses.asdict(self), "compile": name_of(self.compile)}
        if not self.measure_batch_norm:  # Runs that never knew of it go on.
            del settings["measure_batch_norm"]
        return settings


def name_of(function):
    """Returns a name of a function that another process gives it, too."""
    return getattr(function, "__qualname__", type(function).__name__)


def _together(frames):
    frames = [frame for frame in frames if frame is not None and len(frame)]
    if len(frames) < 2:
        return frames[0] if frames else None
    return pd.concat(frames, ignore_index=True)
