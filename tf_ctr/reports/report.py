"""Writes the page of whatever a path or an object holds."""

import datetime
import os
import pathlib
from collections.abc import Mapping, Sequence

import keras
import pandas as pd

from tf_ctr.continual import Report
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.plots.drawing import require_matplotlib
from tf_ctr.reports import comparison, exported, periods, trained
from tf_ctr.reports.page import Page, require_jinja, write
from tf_ctr.rows import Source

KINDS = (
    "the folder of a run of tf_ctr.training.callbacks or tf_ctr.continual.run, a "
    "version of tf_ctr.export, the results.jsonl of a comparison"
)


def report(
    source: str | os.PathLike | Report | pd.DataFrame,
    path: str | os.PathLike,
    *,
    model: keras.Model | None = None,
    schema: Schema | None = None,
    test: Source | None = None,
    by: Sequence[str] = (),
    importance: pd.DataFrame | None = None,
    links: Mapping[str, str] | None = None,
) -> pathlib.Path:
    """Writes one HTML page that needs no network: of a run, a comparison or an export.

    - *A trained model*: settings, learning curves and test metrics of a run's folder;
      with `model`, `schema` and `test` also test metrics of these rows, reliability,
      metrics by slice, ids that the vocabularies lack, and routes.
    - *A comparison*: the ranking with intervals over seeds, and cost against AUC.
    - *A continual run*: metrics by period and slice, what is remembered, and what
      happened to each period.
    - *An export*: what TF Serving's rules say of the version, its signatures, how far
      its scores are from training, and the sizes of its files.

    The pictures are in the page, which is at most 2 MB, readable on a phone, and
    prints. It is a Jinja2 template, filled with escaped values.

    Args:
        source: The folder of a run of `tf_ctr.training.callbacks`, or of
            `tf_ctr.continual.run`, or its report; a version directory of
            `tf_ctr.export`; for a comparison, a frame with a line per run: `name`,
            `seed`, `auc`, and any of `gauc`, `log_loss`, `seconds`, `parameters`; or
            the `results.jsonl` of `pipelines.compare`, or its folder.
        path: The page to write, e.g. `"run.html"`; an old one is replaced.
        model: The trained model, for the folder of a run.
        schema: Its fitted schema.
        test: Labelled rows that it was not trained on.
        by: Columns of `test` to measure slices by, such as the domain; the 20 most
            frequent values of each are shown.
        importance: What `tf_ctr.evaluation.importance` returned.
        links: `{text: address}` of other pages, shown at the top, such as the report of
            the source: `{"Source": "source.html"}`.

    Returns:
        The path of the page.

    Raises:
        ValueError: If `source` is none of these, or only some of `model`, `schema` and
            `test` are given, or for another source than the folder of a run.
        TypeError: If `source` is an object of another type.
        ImportError: Without Jinja2 or matplotlib: `pip install "tf_ctr[report]"`.

    Example:

    >>> import tempfile
    >>> runs = pd.DataFrame({"name": ["a", "b"], "seed": [0, 0], "auc": [0.7, 0.8]})
    >>> page = report(runs, pathlib.Path(tempfile.mkdtemp(), "methods.html"))
    >>> page.name
    'methods.html'
    """
    require_jinja()
    require_matplotlib()
    given = {"model": model, "schema": schema, "test": test}
    if len({value is None for value in given.values()}) > 1:
        missing = [name for name, value in given.items() if value is None]
        raise ValueError(
            explain(
                "`model`, `schema` and `test` together, or none of them",
                f"no {' and no '.join(missing)}",
                "pass all three, to measure the model on test rows",
            )
        )
    made = _page(source)
    if isinstance(made, pathlib.Path):
        page = trained.page(made)
        if model is not None and schema is not None and test is not None:
            trained.add_test(page, model, schema, test, by)
        if importance is not None:
            trained.add_importance(page, importance)
    elif model is not None or importance is not None or by:
        raise ValueError(
            explain(
                "`model`, `by` and `importance` only for the folder of a run",
                f"{made.kind}",
                "leave them out",
            )
        )
    else:
        page = made
    page.links = dict(links or {})
    page.written = datetime.datetime.now().isoformat(" ", "minutes")
    return write(page, pathlib.Path(path))


def _page(source: str | os.PathLike | Report | pd.DataFrame) -> Page | pathlib.Path:
    """Returns the page of a source; for the folder of a training run, the folder."""
    if isinstance(source, Report):
        return periods.page(source, "Continual run")
    if isinstance(source, pd.DataFrame):
        return comparison.page(source, "Comparison")
    if not isinstance(source, str | os.PathLike):
        received = f"an object of the type {type(source).__name__}"
        fix = "pass the folder that you gave to one, or the frame or report itself"
        raise TypeError(explain(KINDS, received, fix))
    folder = pathlib.Path(source)
    if (folder / "saved_model.pb").is_file():
        return exported.page(folder)
    if (folder / "report.jsonl").is_file():
        return periods.page(periods.read(folder), folder.name)
    if folder.suffix == ".jsonl" and folder.is_file():
        return comparison.page(comparison.read(folder), folder.parent.name)
    if (folder / "results.jsonl").is_file():
        return comparison.page(comparison.read(folder / "results.jsonl"), folder.name)
    if trained.is_run(folder):
        return folder
    there = "no such path" if not folder.exists() else "which is none of them"
    raise ValueError(
        explain(KINDS, f"{folder}, {there}", "pass the folder that you gave to one")
    )
