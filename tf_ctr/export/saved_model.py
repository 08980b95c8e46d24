"""Model and schema to a version directory, checked before it can be seen."""

import contextlib
import functools
import os
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import keras

from tf_ctr.errors import check_choice
from tf_ctr.export.report import Report
from tf_ctr.export.servable import Servable
from tf_ctr.export.served import prepare
from tf_ctr.export.server_files import ServerFiles
from tf_ctr.features import Schema
from tf_ctr.rows import Source
from tf_ctr.serving.differences import served_bytes
from tf_ctr.serving.labels.versions import check_directory, staging
from tf_ctr.serving.loaders import process
from tf_ctr.serving.loaders.session import SessionLoader
from tf_ctr.serving.parity import CPP, compare_loaded
from tf_ctr.serving.rules.conformance import check_unloaded, require_no_errors
from tf_ctr.serving.rules.running import run_rules
from tf_ctr.serving.sealing import FACTS, seal_version
from tf_ctr.serving.untrusted.graph import problems
from tf_ctr.serving.version import EXTRA
from tf_ctr.training import is_chief, shard


def export(
    model: keras.Model,
    schema: Schema,
    directory: str | os.PathLike,
    sample: Source | None = None,
    fresh_process: bool = True,
    verbose: bool = True,
    served: keras.Model | Literal["static_routes"] | None = None,
    item_fields: Sequence[str] | str | None = None,
    batch_sizes: Sequence[int] | None = (1, 16, 64, 256),
    optimizer: Literal["drop", "keep"] = "drop",
) -> pathlib.Path:
    """Writes a model as the next version `<directory>/<integer>` for TF Serving.

    The SavedModel takes raw features, strings and numbers as the user has them, and
    runs the schema's lookups and the model. Its signature `serving_default` maps
    `{field: [B] or [B, T]}` to `{"click": [B]}`, float32, or with several labels to
    `{label: [B]}`; others take examples, string
    ids, or many candidates of one user. `tf_ctr.export` lists the signatures and the
    files, among them `assets.extra/model.keras` and `assets.extra/schema.json`, to
    train on.

    The served model does less work than the trained one, for the same scores: the
    factors of APG are multiplied out, equal twins and towers become one, and BatchNorm
    goes into the `Dense` before it. `model.keras` keeps the model as it is.

    Before the version takes its number, the scores of all its signatures are compared
    with the model's to 1e-6, in a fresh process that can import neither tf_ctr nor
    Keras: it loads the version once, by TensorFlow's C++ as the server does. There the
    rules of TF Serving are checked as well, with every warm-up request and sample. If
    that or anything else fails, `directory` keeps its versions and labels as they were.
    `tf_ctr parity` compares other ways to load it, such as `tf.saved_model.load`.

    Args:
        model: A trained functional `keras.Model` whose inputs are the fields of
            `schema`, with one output, the click probability; or with a dict of outputs,
            one per label of a schema with several.
        schema: The fitted `tf_ctr.Schema` of the training.
        directory: Directory of the model's versions, e.g. `"savedmodels/dcn"`.
        sample: Real rows to compare scores on and to warm the server up with; labels
            are not needed. A pandas frame, a path, or rows of any kind that
            `tf_ctr.data.rows` opens, which are read into memory. `None` draws 256 rows
            from the schema.
        fresh_process: Whether to compare in a fresh process, and not in this one.
        verbose: Whether to print the seconds of each step, what was written and how to
            look at it.
        served: What is served in place of `model`: a model with the same scores, e.g.
            `tf_ctr.inference.group_by_route(model)`; or `"static_routes"`, for a model
            of `autoft`: the branch at each site that most rows of `sample` take. Its
            scores differ, so the AUC that it loses on the labels of `sample` is
            printed, and the model with these scores is kept in `served.keras`.
        item_fields: Names of the fields that differ from candidate to candidate, for
            the signature `candidates`. `None` takes all but the schema's group and its
            sequences, which are the user's.
        batch_sizes: The sizes that the server fills batches up to, increasing. It cuts
            larger requests. `None` leaves out warm-up requests, request samples and
            the server's configuration. Some of these need the extra `serving`: without
            it they are left out, and a line says which.
        optimizer: Whether to `"keep"` the state of the optimizer in `model.keras`,
            which for Adam is twice as large as the model, or to `"drop"` it.

    Returns:
        `pathlib.Path` of the version. Under `tf_ctr.training.workers` only the chief
        writes one; for the others a line says so, and the result is `directory`.

    Raises:
        TypeError: If `model` is not a functional `keras.Model` with dict inputs.
        ValueError: If model and schema do not fit, the schema is not fitted, the model
            samples at inference, `directory` is itself a version or holds a
            `models.config` that cannot be read, an option does not fit, or the version
            breaks a rule of TF Serving.
        NotADirectoryError: If `directory` is a file.
        RuntimeError: If exported scores differ from the model's.
        TimeoutError: If another process keeps changing `directory`.

    Example:

    >>> import tempfile, pandas as pd, tf_ctr
    >>> from tf_ctr.backbones import dcn
    >>> from tf_ctr.export import export
    >>> frame = pd.DataFrame({"user": ["ann", "bob"], "age": [20.0, 40.0]})
    >>> fields = [tf_ctr.Categorical("user"), tf_ctr.Numeric("age")]
    >>> schema = tf_ctr.Schema(fields).fit(frame)
    >>> model = dcn(schema, embedding_dim=2, hidden_units=(4,))
    >>> with tempfile.TemporaryDirectory() as root:
    ...     version = export(
    ...         model, schema, f"{root}/dcn", fresh_process=False, verbose=False
    ...     )
    >>> version.name
    '1'
    """
    directory = pathlib.Path(directory)
    check_directory(directory)
    check_choice("optimizer", optimizer, ("drop", "keep"))
    if not is_chief():
        print(f"Worker {shard()[0]} leaves the export to the chief.")
        return directory
    files = ServerFiles(directory, batch_sizes)
    step = functools.partial(_step, verbose=verbose)
    with step("prepared the model"):
        ready = prepare(model, schema, sample, served, item_fields)
    with staging(directory) as workspace:
        staged = workspace / "version"
        with step("wrote the graph and its weights"):
            _save(ready, staged, workspace / "vocabularies")
        megabytes = served_bytes(staged) / 1e6
        with step("wrote the model for training"):
            ready.save_for_training(staged / EXTRA, optimizer)
        with step("loaded it as the server does"):
            way, loaded = _load(staged, fresh_process)
        with loaded:
            with step(f"compared the scores, {way}"):
                arguments = way, ready.score, schema, ready.columns
                parity = compare_loaded(loaded, *arguments)
                parity.check()
            files.write(staged, ready)
            report = Report(ready, parity, megabytes, files.batch_sizes, files.left_out)
            report.save(staged / FACTS)
            seal_version(staged)
            with step("checked the rules of TF Serving"):
                require_no_errors(staged, check_unloaded(staged, trust=True))
                require_no_errors(staged, run_rules(staged, loaded, schema))
        unusual = list(problems(staged))
        version = files.publish(staged)
    if verbose:
        print(report.lines(version))
    for each in unusual:
        print(f"To check, compare or promote {version}, pass --trust: it has {each}.")
    return version


def _save(ready, staged, vocabularies):
    vocabularies.mkdir()
    Servable(
        ready.model, ready.schema, vocabularies, ready.candidates, ready.item_fields
    ).save(staged)


def _load(staged, fresh_process):
    """The version, loaded once for all that is asked of it, and the name of the way."""
    if fresh_process and process.why_not() is None:
        return CPP, process.ProcessLoader(staged)
    return "v1 session", SessionLoader(staged)


@contextlib.contextmanager
def _step(done: str, verbose: bool) -> Iterator[None]:
    """Prints how long a step took."""
    start = time.monotonic()
    yield
    if verbose:
        print(f"export: {done}, {time.monotonic() - start:.1f} s", flush=True)
