"""What a run over periods found: prequential metrics, matrix, slices, gains."""

import json
import shutil

import pandas as pd
import tensorflow as tf

from tf_ctr.continual.measuring import METRICS
from tf_ctr.errors import check_name
from tf_ctr.files import replacing


class Report:
    """The metrics of a run, period by period.

    Args:
        records: What the periods left, in order; see `tf_ctr.continual.store`.

    Attributes:
        records: These.
    """

    def __init__(self, records):
        self.records = list(records)

    @property
    def frame(self) -> pd.DataFrame:
        """One line per tested period, by the model trained until the one before.

        `number`, `name`, `trained_until`, `rows`, `click_rate`, `auc`, `gauc`,
        `log_loss`, `calibration`; what is undefined is NaN and in `undefined`.
        """
        return pd.DataFrame([_line(r, r["test"]) for r in self.records if r["test"]])

    @property
    def slices(self) -> pd.DataFrame:
        """One line per tested period, column, and part of it, `"new"` or `"old"`."""
        lines = [
            {**_line(record, metrics), "column": column, "part": part}
            for record in self.records
            if record["test"]
            for column, parts in record["test"]["slices"].items()
            for part, metrics in parts.items()
        ]
        return pd.DataFrame(lines)

    @property
    def skipped(self) -> dict:
        """`{number: why}` of the periods that were not trained on."""
        return {r["number"]: r["skipped"] for r in self.records if "skipped" in r}

    def matrix(self, metric="auc") -> pd.DataFrame:
        """Returns a metric by period trained until (rows) and tested on (columns).

        Only what was tested: without `run(matrix=True)` the next periods.

        Args:
            metric: `"auc"`, `"gauc"` or `"log_loss"`; without a group there is no GAUC.

        Raises:
            ValueError: For another one.
        """
        tests = [record["test"] for record in self.records if record["test"]]
        check_name("metric", metric, [m for m in METRICS if all(m in t for t in tests)])
        cells = {
            (record["test"]["trained_until"], record["number"]): record["test"][metric]
            for record in self.records
            if record["test"]
        }
        for record in self.records:
            for number, metrics in record.get("matrix", {}).items():
                cells[record["number"], int(number)] = metrics[metric]
        values = pd.Series(cells, dtype="float64")
        values.index = pd.MultiIndex.from_tuples(
            values.index, names=["trained_until", "tested_on"]
        )
        return values.unstack().sort_index().sort_index(axis=1)

    def gains(self, base) -> pd.DataFrame:
        """Returns the differences to another run, on the periods that both tested.

        Args:
            base: The `Report` of the single-domain model.

        Returns:
            One line per period: `auc`, `gauc`, `log_loss`, this run's less the
            base's.
        """
        own, other = (
            each.frame.reindex(columns=("number", *METRICS)).set_index("number")
            for each in (self, base)
        )
        return (own - other).dropna(how="all")

    def line(self, record) -> str:
        """Returns what a period's record says, in one line."""
        head = f"period {record['number']} ({record['name']})"
        if "skipped" in record:
            return f"{head}: skipped, {record['skipped']}"
        done = (
            f"trained on {record['rows_trained']:,} rows in {record['seconds']:.1f} s"
        )
        if record["source"] is not None:
            done += f", source until {record['source']}"
        if record["test"] is None:
            return f"{head}: {done}"
        shown = ", ".join(
            f"{name} {_number(record['test'][name])}"
            for name in METRICS
            if name in record["test"]
        )
        return f"{head}: {shown}; {done}"

    def to_markdown(self) -> str:
        """Returns the prequential metrics as a table."""
        if self.frame.empty:
            return "No period is tested."
        lines = [
            "| period | trained until | rows | AUC | GAUC | LogLoss |",
            "|---|---|---|---|---|---|",
        ]
        for record in self.records:
            test = record["test"]
            if test is None:
                why = record.get("skipped", "not tested, the first one")
                lines.append(f"| {record['name']} | {why} | | | | |")
                continue
            cells = [_number(test.get(name)) for name in METRICS]
            lines.append(
                f"| {record['name']} | {test['trained_until']} | {test['rows']:,} | "
                f"{' | '.join(cells)} |"
            )
        return "\n".join(lines)

    def write(self, directory):
        """Writes `report.jsonl`, a record per line, and `report.md`."""
        lines = "".join(json.dumps(record) + "\n" for record in self.records)
        for name, text in (("jsonl", lines), ("md", self.to_markdown() + "\n")):
            with replacing(directory / f"report.{name}") as partial:
                partial.write_text(text)


def _line(record, metrics):
    values = {
        name: float("nan") if value is None else value
        for name, value in metrics.items()
        if name not in ("slices", "undefined")
    }
    return {
        "number": record["number"],
        "name": record["name"],
        "trained_until": record["test"]["trained_until"],
        **values,
        "undefined": ", ".join(metrics.get("undefined", ())),
    }


def _number(value):
    return "undefined" if value is None else f"{value:.4f}"


class Scalars:
    """Writes each tested period; a run that goes on writes the finished ones again.

    Args:
        folder: The folder; its content is replaced.
        records: The records of the finished periods.
    """

    def __init__(self, folder, records):
        self._folder, self._writers = folder, {}
        shutil.rmtree(folder, ignore_errors=True)
        for record in records:
            self.add(record)

    def add(self, record):
        """Writes the metrics of a period, those of a slice to a run of its own."""
        if record["test"] is None:
            return
        self._write("all", record["number"], record["test"])
        for column, parts in record["test"]["slices"].items():
            for part, metrics in parts.items():
                self._write(f"{part}_{column}", record["number"], metrics)

    def _write(self, name, number, metrics):
        if name not in self._writers:
            path = str(self._folder / name)
            self._writers[name] = tf.summary.create_file_writer(path)
        with self._writers[name].as_default(step=number):
            for metric in METRICS:
                if metrics.get(metric) is not None:
                    tf.summary.scalar(f"prequential/{metric}", metrics[metric])
        self._writers[name].flush()
