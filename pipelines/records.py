"""What is known of a training run, on disk."""

import json
import shutil
import time

import keras

from tf_ctr.files import replacing


class RunRecord:
    """The arguments and the result of a run, on disk.

    A folder with the record of other arguments is cleared of what that run left.

    Args:
        path: The JSON file.
        arguments: What the run depends on.

    Attributes:
        result: What is known of the run by now.
    """

    def __init__(self, path, arguments):
        self.path = path
        self.arguments = json.loads(json.dumps(arguments))  # Tuples become lists.
        self.result = {}
        if path.exists():
            stored = json.loads(path.read_text())
            if stored["arguments"] == self.arguments:
                self.result = stored["result"]
            else:
                shutil.rmtree(path.parent)

    def update(self, **result):
        """Adds to the result, and writes it down."""
        self.result |= result
        record = {"arguments": self.arguments, "result": self.result}
        with replacing(self.path) as partial:
            partial.write_text(json.dumps(record, indent=1))


class Stopwatch(keras.callbacks.Callback):
    """Adds up seconds and epochs, over kills too; an epoch that is lost counts not."""

    def __init__(self, record):
        super().__init__()
        self.record = record

    def on_train_begin(self, logs=None):
        """Marks the folder as this run's, and starts."""
        self._before = self.record.result.get("seconds", 0.0)
        self._start = time.perf_counter()
        self.record.update()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the time so far."""
        seconds = self._before + time.perf_counter() - self._start
        self.record.update(seconds=seconds, epochs_run=epoch + 1)
