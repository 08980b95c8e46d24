"""Model and schema to a version directory, checked before it can be seen."""

import pathlib

import numpy as np

from tf_ctr.errors import explain
from tf_ctr.export.checks import check_exportable
from tf_ctr.export.record import Record
from tf_ctr.export.samples import FILE, write_samples, write_warmup
from tf_ctr.export.servable import Servable
from tf_ctr.export.served import folded_if_exact, most_frequent_route
from tf_ctr.export.server_files import (
    batching_text,
    check_batch_sizes,
    check_name,
    publish_labelled,
)
from tf_ctr.export.signatures import candidate_fields
from tf_ctr.inference.merged import merged
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.labels.versions import check_directory, publish, staging
from tf_ctr.serving.parity import TOLERANCE, compare_ways
from tf_ctr.serving.reference import raw_columns, training_scores
from tf_ctr.serving.rules.conformance import require_conformant

NUM_EXAMPLE_ROWS = 256


def export(
    model,
    schema,
    directory,
    sample=None,
    fresh_process=True,
    verbose=True,
    served=None,
    item_fields=None,
    batch_sizes=(1, 16, 64, 256),
    static_routes=False,
    server_files=True,
):
    """Writes a model as the next version `<directory>/<integer>` for TF Serving.

    The SavedModel takes raw features, strings and numbers as the user has them,
    through the schema's lookups and the model: signature `serving_default` from
    `{field: [B] or [B, T]}` to `{"click": [B]}`, float32, and more for examples,
    string ids and many candidates of one user; `tf_ctr.export` lists the signatures
    and the files. Beside it lies what continual training needs:
    `assets.extra/model.keras` with the optimizer, and `assets.extra/schema.json`.

    What is served is merged, and stays as it is in `model.keras`: the factors of APG
    are multiplied out, equal twins and towers become one, and BatchNorm goes into the
    `Dense` before it.

    Before the version takes its number, the scores of the SavedModel, reloaded here
    and in a fresh process that can import neither tf_ctr nor Keras, are compared
    with the model's to 1e-6, those of all signatures too, and the rules of TF Serving
    are checked: every warm-up request and sample is run. If that or anything else
    fails, `directory` has its versions and labels as before.

    Args:
        model: A trained functional `keras.Model` whose inputs are the fields of
            `schema`, with one output, the click probability.
        schema: The fitted `tf_ctr.Schema` of the training.
        directory: Directory of the model's versions, e.g. `"savedmodels/dcn"`.
        sample: Frame of real rows to compare on and to warm the server up with,
            labels not needed. `None` takes 256 rows of `schema.example_rows`.
        fresh_process: Whether to compare in a fresh process too; it costs the
            seconds of one TensorFlow start.
        verbose: Whether to print what was written and how to look at it.
        served: What is served in place of `model`, with the same scores, e.g.
            `tf_ctr.inference.group_by_route(model)`. Defaults to `model`.
        item_fields: Names of the fields that each candidate has values of its own
            of, for the signature `candidates`. Defaults to all but the schema's group
            and its sequences, which are the user's.
        batch_sizes: The sizes that the server fills batches up to, increasing; it
            cuts larger requests.
        static_routes: Whether to serve a model of `autoft` without routes, with the
            branch at each site that most rows of `sample` take. Its scores are other
            ones: the AUC that it loses on the labels of `sample` is printed.
        server_files: Whether to write warm-up requests, request samples and the
            server's configuration; they need the extra `serving`.

    Returns:
        `pathlib.Path` of the version.

    Raises:
        TypeError: If `model` is no functional `keras.Model` with dict inputs.
        ValueError: If model and schema do not fit, the schema is not fitted, the
            model samples at inference, `directory` is itself a version or holds a
            `models.config` that cannot be read, an option does not fit, or the
            version breaks a rule of TF Serving.
        ImportError: If `tensorflow-serving-api` is missing with `server_files`.
        NotADirectoryError: If `directory` is a file.
        RuntimeError: If exported scores differ from the model's.
        TimeoutError: If another process is changing `directory` all the time.

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
    batch_sizes = check_batch_sizes(batch_sizes)
    if server_files:
        check_name(directory.resolve().name)
        read_labels(directory)  # Raises now what would be raised at the end.
    items = candidate_fields(schema, item_fields)
    for each in [model] if served is None else [model, served]:
        check_exportable(each, schema)
    rows = schema.example_rows(NUM_EXAMPLE_ROWS) if sample is None else sample
    columns = raw_columns(schema, rows)

    record = Record(model, items, batch_sizes)
    reference = model
    if static_routes:
        _check_not_served(served)
        reference, record.auc_loss = most_frequent_route(model, schema, sample)
    unfolded = merged(reference if served is None else served)
    folded, record.batch_norm = folded_if_exact(unfolded, schema, columns, TOLERANCE)
    _check_probabilities(training_scores(reference, schema, columns))
    with staging(directory) as workspace:
        staged = workspace / "version"
        Servable(folded, schema, items).save(staged)
        record.measure(staged, folded)
        extra = staged / "assets.extra"
        _save_for_training(model, reference, schema, extra)
        ways = ("this process", "fresh process") if fresh_process else ("this process",)
        parity = compare_ways(staged, rows, reference, ways)
        parity.check()
        record.differences = parity.differences
        if server_files:
            arguments = columns, schema, items
            name = directory.resolve().name
            write_warmup(extra / FILE, *arguments, batch_sizes, name)
            write_samples(extra / "requests", *arguments, name)
            (staged / "batching_params.pbtxt").write_text(batching_text(batch_sizes))
        record.save(extra / "export.json")
        require_conformant(staged, published=False)
        version = (publish_labelled if server_files else publish)(staged, directory)
    if verbose:
        print(record.report(version))
    return version


def _check_not_served(served):
    if served is not None:
        raise ValueError(
            explain(
                "either `served` or static_routes=True",
                "both",
                "leave `served` out: the static model takes its place",
            )
        )


def _check_probabilities(scores):
    if not (np.min(scores) >= 0 and np.max(scores) <= 1):  # False for NaN.
        raise ValueError(
            explain(
                "click probabilities in [0, 1]",
                f"scores from {np.min(scores)} to {np.max(scores)}",
                "end the model with a sigmoid, and train it without divergence",
            )
        )


def _save_for_training(model, reference, schema, directory):
    # TF Serving reads only files that it knows in assets.extra.
    directory.mkdir()
    model.save(directory / "model.keras")
    if reference is not model:
        reference.save(directory / "served.keras")
    schema.save(directory / "schema.json")
