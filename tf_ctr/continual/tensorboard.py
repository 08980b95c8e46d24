"""The metrics of a run as TensorBoard scalars, the period as their step."""

import shutil

import tensorflow as tf

from tf_ctr.continual.measuring import METRICS


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
