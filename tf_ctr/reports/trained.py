"""The page of a training run."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from tf_ctr import plots
from tf_ctr.data import from_rows
from tf_ctr.errors import check_name
from tf_ctr.evaluation import evaluate, predict_by_label
from tf_ctr.features import Schema
from tf_ctr.features.reading import in_memory
from tf_ctr.files import read_sealed
from tf_ctr.reports.page import Page, interval
from tf_ctr.rows import Source
from tf_ctr.surgery import Graph
from tf_ctr.training.resuming import RUN
from tf_ctr.training.tensorboard import HISTORY, TEST, read_history
from tf_ctr.transfer import route_shares, summary

METRICS = ("auc", "gauc", "log_loss", "calibration")
# More slices than these would be a wall of numbers.
MOST_SLICES = 20
FEWEST_ROWS = 20


def is_run(folder: pathlib.Path) -> bool:
    """Whether a folder is that of a training run."""
    return any((folder / name).is_file() for name in (HISTORY, RUN))


def page(run_dir: pathlib.Path) -> Page:
    """Returns the page of a run, from its files."""
    history = pd.DataFrame(read_history(run_dir))
    made = Page(run_dir.absolute().name, "A trained model", {"folder": str(run_dir)})
    settings = _settings(run_dir)
    made.facts |= {"epochs": len(history)}
    watched = settings.get("early stopping") or {}
    monitor = watched.get("monitor", "val_auc")
    if monitor in history and history[monitor].notna().any():
        values = history[monitor].to_numpy("float64")
        smallest = watched.get("mode") == "min"
        best = int(np.nanargmin(values) if smallest else np.nanargmax(values))
        made.facts |= {"best epoch": best + 1, f"its {monitor}": float(values[best])}
    test = run_dir / TEST
    if test.is_file():
        found = read_sealed(test, "the test metrics", "call log_test again")["metrics"]
        _add_metrics(made, found, "As they were logged by log_test.")
    if len(history):
        pictures = [
            (f"{name} by epoch", plots.learning_curves(history, name))
            for name in ("auc", "log_loss", "gauc", "loss")
            if f"val_{name}" in history or name in history
        ][:2]
        text = "The star is the epoch that is best by the metric that is drawn."
        made.add("Learning curves", text, pictures=pictures)
    if settings:
        optimizer = settings.get("optimizer") or {}
        rows = [("optimizer", optimizer.get("class"))]
        rows += [
            (name, value)
            for name, value in optimizer.items()
            if name not in ("class", "name") and value is not None
        ]
        rows += [
            (name, json.dumps(value) if isinstance(value, dict | list) else value)
            for name, value in settings.items()
            if name not in ("optimizer", "model") and value is not None
        ]
        layers = [f"{each['name']}: {each['class']}" for each in settings["model"]]
        made.add(
            "Settings",
            f"The model has {len(layers)} layers.",
            table=pd.DataFrame(rows, columns=["setting", "value"]),
            details="\n".join(layers),
        )
    return made


def add_test(
    made: Page, model: keras.Model, schema: Schema, test: Source, by: Sequence[str]
) -> None:
    """Adds what a model does on test rows.

    Args:
        made: The page.
        model: The model.
        schema: Its schema.
        test: Labelled rows; they are held in memory.
        by: Columns to measure slices by.

    Raises:
        ValueError: For a column that the rows lack.
    """
    outcomes = list(schema.outcomes.columns)
    if schema.group_column is not None:
        outcomes.append(schema.group_column)
    frame = in_memory(test, schema.fields, [*dict.fromkeys([*outcomes, *by])])
    for column in by:
        check_name("column", column, list(frame.columns))
    found = evaluate(model, frame, schema, intervals=True)
    _add_metrics(made, found, f"On {len(frame):,} test rows.")
    scores = predict_by_label(model, frame, schema)
    for label, own in scores.items():
        _add_reliability(made, frame, label, own, schema)
    for column in by:
        _add_slices(made, model, frame, schema, column)
    unseen = schema.unseen_share(frame).rename("share").reset_index()
    unseen.columns = ["field", "share of ids that the vocabulary lacks"]
    made.add("Unseen ids", "Of the test rows' ids.", table=unseen)
    if Graph(model).routes:
        shares = route_shares(model, from_rows(frame, schema, 4096, labelled=False))
        picture = (
            "Share of the frozen branch by field and layer",
            plots.routes(shares),
        )
        text = "Which copy the test rows take: the pre-trained one, or the tuned one."
        made.add("Routes", text, pictures=[picture])
    made.add(
        "Layers",
        "How each layer with weights started, and whether it is trained.",
        table=summary(model).reset_index(),
    )


def add_importance(made: Page, importance: pd.DataFrame) -> None:
    """Adds a bar per field, with intervals."""
    made.add(
        "Importance",
        "What is lost when the values of a field are shuffled over the rows.",
        pictures=[("A bar per field", plots.importance(importance))],
    )


def _settings(run_dir: pathlib.Path) -> dict[str, Any]:
    if not (run_dir / RUN).is_file():
        return {}
    fix = "train the run again, or report it without this file"
    values = read_sealed(
        run_dir / RUN, "the settings of the run", fix, is_old=lambda v: "settings" in v
    )
    return values["settings"]


def _add_metrics(made: Page, found: dict[str, Any], text: str) -> None:
    names = [
        name
        for name in found
        if any(name == m or name.endswith(f"_{m}") for m in METRICS)
    ]
    values = {"metric": names, "value": [interval(found, name) for name in names]}
    made.sections = [each for each in made.sections if each.title != "Test metrics"]
    counts = [f"{found[n]:,.0f} {n.replace('_', ' ')}" for n in ("rows",) if n in found]
    with_interval = any(f"{name}_low" in found for name in names)
    text += f" {', '.join(counts)}." if counts and "test rows" not in text else ""
    text += " In brackets: the 95 % interval." if with_interval else ""
    made.add("Test metrics", text, table=pd.DataFrame(values))
    made.sections.insert(0, made.sections.pop())
    if "auc" in found:
        made.facts["test AUC"] = interval(found, "auc")


def _add_reliability(made, frame, label, scores, schema):
    clicks = pd.to_numeric(frame[label], errors="coerce").to_numpy("float64")
    known = np.isfinite(clicks)
    if not known.any():
        return
    column = schema.outcomes.weight_of(label)
    weights = None if column is None else frame[column].to_numpy("float64")[known]
    figure = plots.reliability(clicks[known], np.ravel(scores)[known], weights)
    title = "Reliability" if len(schema.label_names) == 1 else f"Reliability of {label}"
    made.add(
        title,
        "A point per tenth of the rows; on the line, the predicted probability is the "
        "click rate.",
        pictures=[("Click rate against predicted probability", figure)],
    )


def _add_slices(made, model, frame, schema, column):
    values = frame[column].map(str)
    lines = []
    for value, rows in values.value_counts().head(MOST_SLICES).items():
        if rows < FEWEST_ROWS:
            continue
        found = evaluate(model, frame[values == value], schema)
        lines.append({column: value, **found})
    table = pd.DataFrame(lines)
    hidden = [n for n in table if str(n).startswith(("groups_", "undefined"))]
    left = values.nunique() - len(table)
    why = f"fewer than {FEWEST_ROWS} rows, or less frequent than {MOST_SLICES} others"
    text = f"{left:,} values are left out: {why}." if left else ""
    made.add(f"By {column}", text, table=table.drop(columns=hidden))
