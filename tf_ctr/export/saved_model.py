"""Model and schema to a version directory, checked before it can be seen."""

import pathlib

from tf_ctr.export.checks import check_exportable
from tf_ctr.export.parity import raw_columns, score_differences
from tf_ctr.export.servable import Servable
from tf_ctr.export.versions import check_directory, publish, staging
from tf_ctr.layers.collapse import collapse

NUM_EXAMPLE_ROWS = 256


def export(
    model,
    schema,
    directory,
    sample=None,
    fresh_process=True,
    verbose=True,
    served=None,
):
    """Writes a model as the next version `<directory>/<integer>` for TF Serving.

    The SavedModel takes raw features, strings and numbers as the user has them,
    through the schema's lookups and the model: signature `serving_default` from
    `{field: [B] or [B, T]}` to `{"click": [B]}`, float32. Beside it lies what
    continual training needs: `assets.extra/model.keras` with the optimizer, and
    `assets.extra/schema.json`. Over-parameterised layers are served multiplied out
    (`tf_ctr.transfer.collapse`), and kept as they are in `model.keras`.

    Before the version takes its number, the scores of the SavedModel, reloaded here
    and in a fresh process that can import neither tf_ctr nor Keras, are compared
    with the model's to 1e-6. If that or anything else fails, `directory` stays as
    it was.

    Args:
        model: A trained functional `keras.Model` whose inputs are the fields of
            `schema`, with one output, the click probability.
        schema: The fitted `tf_ctr.Schema` of the training.
        directory: Directory of the model's versions, e.g. `"savedmodels/dcn"`.
        sample: Frame of real rows to compare on, labels not needed. `None` takes
            256 rows of `schema.example_rows`.
        fresh_process: Whether to compare in a fresh process too; it costs the
            seconds of one TensorFlow start.
        verbose: Whether to print what was written and how to look at it.
        served: What is served in place of `model`, with the same scores, e.g.
            `tf_ctr.transfer.group_by_route(model)`. Defaults to `model`.

    Returns:
        `pathlib.Path` of the version.

    Raises:
        TypeError: If `model` is no functional `keras.Model` with dict inputs.
        ValueError: If model and schema do not fit, the schema is not fitted, the
            model samples at inference, or `directory` is itself a version.
        NotADirectoryError: If `directory` is a file.
        RuntimeError: If exported scores differ from the model's.

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
    for each in [model] if served is None else [model, served]:
        check_exportable(each, schema)
    served = collapse(model if served is None else served)
    if sample is None:
        sample = schema.example_rows(NUM_EXAMPLE_ROWS)
    columns = raw_columns(schema, sample)
    with staging(directory) as workspace:
        staged = workspace / "version"
        Servable(served, schema).save(staged)
        differences = score_differences(
            model, schema, columns, staged, workspace, fresh_process
        )
        size = _megabytes(staged)
        _save_for_training(model, schema, staged / "assets.extra")
        version = publish(staged, directory)
    if verbose:
        print(_report(version, size, differences, model, served))
    return version


def _save_for_training(model, schema, directory):
    # TF Serving reads only files that it knows in assets.extra.
    directory.mkdir()
    model.save(directory / "model.keras")
    schema.save(directory / "schema.json")


def _megabytes(directory):
    return sum(p.stat().st_size for p in directory.rglob("*") if p.is_file()) / 1e6


def _report(version, size, differences, model, served):
    compared = ", ".join(f"{value:.1e} {way}" for way, value in differences.items())
    return (
        f"Exported {version}: {size:.2f} MB, largest difference of a score {compared}."
        f"\nParameters: {served.count_params():,} served, "
        f"{model.count_params():,} trained."
        f"\nTo look at it: saved_model_cli show --dir {version} --all"
    )
