"""The loop over periods: test, take in the source, train, keep."""

import contextlib
import dataclasses

import tensorflow as tf

from tf_ctr.continual.methods import TARGET_ONLY, check_method
from tf_ctr.continual.origins import origin
from tf_ctr.continual.periods import left, ordered
from tf_ctr.continual.report import Report, Scalars
from tf_ctr.continual.steps import step
from tf_ctr.continual.store import Store
from tf_ctr.continual.training import Training, name_of
from tf_ctr.errors import check_name, explain

REFRESHES = ("frozen", "once", "restart", "arrival")

WINDOWS = ("always", "restart")


def run(
    periods,
    directory,
    target=None,
    source=None,
    schema=None,
    method="ctnet",
    arguments=None,
    refresh="frozen",
    window=1,
    window_when="always",
    first=None,
    training=None,
    slices=(),
    known=None,
    matrix=False,
    ids=None,
    prepare=None,
    publish=None,
    export=None,
    seed=0,
    verbose=1,
):
    """Trains a target model period by period, from the newest source model there is.

    For every period: test the model so far on its rows (prequential: it has not seen
    them); give new ids a row; put the weights of the newest source model into the
    frozen tower; train adapters and target tower on these rows, and no others; keep
    all that as one step. A killed run goes on where it was, by the same call, and ends
    with the same numbers. So does one that is called with new periods every day.

    A new id of a user or an item, in the target's rows or in the source model, starts
    as the unseen id that it was taken for. It moves no other row. Every row keeps the
    optimizer's slots.

    Every period starts from the files of the one before, also without a kill, and from
    a seed of its own. This sets Keras's global seed.

    Source: CTNet (arXiv 2208.05728), Algorithm 1. It does not say how often an
    increment is passed, nor whether the slots go along; here once, and they do, but
    for those of an Adam where the method adds trainable weights: it starts afresh.

    Args:
        periods: `tf_ctr.continual.Period`s in order. The first one is the start
            `t0`; those that are finished are passed over.
        directory: The folder of this run, one folder per period in it.
        target: The target model to start from: a `keras.Model`, or the directory of
            another run, which gives its newest model before the period.
        source: Source models: a `keras.Model`, which stays as it is, or the directory
            of `train_source`, which gives the newest that ends no later than the
            period.
        schema: The schema of models that are given as such. Source and target have one
            name for one field, described alike; a target model that is given knows
            all fields of the source, and `target`'s rows hold them.
        method: Of `tf_ctr.transfer.METHODS`, `"target_only"`, or a function
            `(source, target) -> uncompiled model`. `l2_sp` holds weights beside its
            layers, and takes new ids by `refresh="restart"` only.
        arguments: Further arguments of the method.
        refresh: What a newer source model changes. `"frozen"`: the frozen copies of
            it, `..._source` and `..._frozen`; a model without these goes on alone.
            `"once"`: nothing, it is transferred once. `"restart"`: all, the method is
            applied anew in every period, to the newest source and target models.
            `"arrival"`: likewise all, but only in periods for which there is a newer
            source model; in the others the model goes on. Whatever it changes: a
            source model whose files are damaged is passed over, with a warning.
        window: Periods to train on, the newest ones; `None` for all since `t0`.
        window_when: `"always"`, or `"restart"`: a model that goes on is trained on the
            newest period alone, so that it passes over no row twice.
        first: Number of the first period to run. Those before are there for the window
            alone. Defaults to the first one given.
        training: A `tf_ctr.continual.Training`.
        slices: Columns, e.g. `("user_id", "item_id")`: metrics of rows with old and
            new values apart, new being never trained on in the target domain.
        known: Frame of target rows that were trained on before, for `slices`. The
            directory of another run knows those of its own `slices`.
        matrix: Whether to test every model on all given periods.
        ids: A function of a period that returns `{field: ids}`, which get a row though
            its data may not have them, e.g. those with historical embeddings.
        prepare: A function `(model, schema, period)` that may change the model in place
            after it has all ids, before it is trained; what it returns is JSON-like,
            and in the record as `prepared`. The historical embeddings of
            `tf_ctr.ecdctr` come in so.
        publish: Likewise after the training, before the period counts as finished; in
            the record as `published`. A kill may make it be called twice.
        export: A function `(model, schema)` that is called before a period counts as
            finished, e.g. `functools.partial(tf_ctr.export.export,
            directory="savedmodels/ctnet")`. A kill may make it be called twice.
        seed: Seed of weights, noise and the order of rows.
        verbose: 0 for nothing, 1 for a line per period, 2 for Keras's bars, too.

    Returns:
        A `tf_ctr.continual.Report`. It is in `directory`, too, as `report.jsonl`,
        `report.md` and TensorBoard scalars.

    Raises:
        ValueError: If a period is missing, twice or out of order, a name is unknown,
            a model is missing, `directory` was run otherwise, or its newest model is
            not as it was written.
        TypeError: For something that is no period or no model.

    Example:

    >>> import tempfile, pandas as pd, tf_ctr
    >>> from tf_ctr.continual import Period, run
    >>> frame = pd.DataFrame({"item": [7, 9, 7, 9], "click": [1, 0, 1, 0]})
    >>> schema = tf_ctr.Schema([tf_ctr.Categorical("item")]).fit(frame)
    >>> model = tf_ctr.backbones.dnn(schema, embedding_dim=2, hidden_units=(4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = run(
    ...         [Period(0, frame), Period(1, frame.assign(item=[7, 7, 9, 5]))],
    ...         folder,
    ...         target=model,
    ...         schema=schema,
    ...         method="target_only",
    ...         verbose=0,
    ...     )
    >>> report.frame[["number", "trained_until", "rows"]]
       number  trained_until  rows
    0       1              0     4
    """
    periods = ordered(periods)
    check_name("refresh", refresh, REFRESHES)
    check_name("time for the window", window_when, WINDOWS)
    if window is not None and window < 1:
        raise ValueError(
            explain("a window of 1 or more periods", window, "pass None for all")
        )
    plan = Plan(
        origin(target, schema, "target"),
        origin(source, schema, "source"),
        method,
        arguments or {},
        refresh,
        window,
        window_when,
        first,
        training or Training(),
        tuple(slices),
        known,
        matrix,
        ids,
        prepare,
        publish,
        export,
        seed,
        verbose,
    )
    check_method(method, plan.source, plan.target)
    store = Store(directory)
    store.check_settings(plan.settings())
    done = store.numbers()
    scalars = Scalars(store.directory / "tensorboard", store.records())
    last = max(done, default=None if first is None else first - 1)
    for period in left(periods, last):
        with expected_tracing():
            record = step(plan, store, period, periods)
        scalars.add(record)
        report = Report(store.records())
        report.write(store.directory)
        if verbose:
            print(report.line(record), flush=True)
    report = Report(store.records())
    report.write(store.directory)  # Also if a kill came before it.
    return report


def train_source(periods, directory, model, schema, **options):
    """Trains a source model period by period, for `run` to take.

    A call of its own, with a schedule of its own: `run` reads what is finished.
    It is `run(target=model, method="target_only")`.

    Args:
        periods: The source domain's `Period`s; see `run`.
        directory: The folder for the models, one per period.
        model: The model to start from: a `keras.Model`, or a directory as in `run`.
        schema: Its schema; `None` for a directory.
        **options: Of `run`: `window`, `window_when`, `first`, `training`, `slices`,
            `known`, `matrix`, `ids`, `prepare`, `publish`, `export`, `seed` and
            `verbose`.

    Returns:
        A `tf_ctr.continual.Report` of the source domain.
    """
    return run(
        periods,
        directory,
        target=model,
        schema=schema,
        method=TARGET_ONLY,
        **options,
    )


@dataclasses.dataclass(frozen=True)
class Plan:
    """The arguments of `tf_ctr.continual.run`, checked."""

    target: object
    source: object
    method: object
    arguments: dict
    refresh: str
    window: int | None
    window_when: str
    first: int | None
    training: Training
    slices: tuple
    known: object
    matrix: bool
    ids: object
    prepare: object
    publish: object
    export: object
    seed: int
    verbose: int

    def settings(self):
        """What two calls must share to be one run."""
        method = self.method
        # Runs that never knew of it go on.
        odd = {} if self.window_when == "always" else {"window_when": self.window_when}
        return {
            **odd,
            "method": name_of(method) if callable(method) else method,
            "arguments": repr(sorted(self.arguments.items())),
            "refresh": self.refresh,
            "window": self.window,
            "slices": list(self.slices),
            "seed": self.seed,
            **self.training.settings(),
        }


@contextlib.contextmanager
def expected_tracing():
    """Keeps TensorFlow from warning that one function is traced again and again.

    Every period has a model of its own, whose functions are traced once.

    Example:

    >>> with expected_tracing():
    ...     for _ in range(9):
    ...         _ = tf.function(lambda x: x + 1)(tf.constant(1))
    """
    logger = tf.get_logger()
    logger.addFilter(_says_something_else)
    try:
        yield
    finally:
        logger.removeFilter(_says_something_else)


def _says_something_else(record):
    return "triggered tf.function retracing" not in record.getMessage()
