"""What an export did: printed, and kept beside the version."""

import dataclasses
import json

import keras
import tensorflow as tf


@dataclasses.dataclass
class Record:
    """The facts of one export.

    Attributes:
        model: The trained model.
        item_fields: Names of the items' fields, none without `candidates`.
        batch_sizes: The allowed batch sizes.
        differences: `{way: {signature: largest difference of a score}}`.
        batch_norm: A sentence on folded norms; empty if there are none.
        auc_loss: The AUC that static routes lose; `None` without.
        megabytes: Size of the SavedModel.
        parameters: Parameters that are served.
    """

    model: keras.Model
    item_fields: list
    batch_sizes: tuple
    differences: dict = dataclasses.field(default_factory=dict)
    batch_norm: str = ""
    auc_loss: float | None = None
    megabytes: float = 0.0
    parameters: int = 0

    def measure(self, directory, served):
        """Notes the size of a SavedModel and of the model in it."""
        files = [path for path in directory.rglob("*") if path.is_file()]
        self.megabytes = sum(path.stat().st_size for path in files) / 1e6
        self.parameters = served.count_params()

    def save(self, path):
        """Writes the record as JSON."""
        facts = {
            "format": "tf_ctr.export",
            "item_fields": self.item_fields,
            "batch_sizes": self.batch_sizes,
            "differences": self.differences,
            "static_routes_auc_loss": self.auc_loss,
            "parameters_served": self.parameters,
            "parameters_trained": self.model.count_params(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        }
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def report(self, version) -> str:
        """Returns the lines to print about the version at a path."""
        compared = ", ".join(
            f"{max(by_signature.values()):.1e} in a {way}".replace("a this", "this")
            for way, by_signature in self.differences.items()
        )
        lines = [
            f"Exported {version}: {self.megabytes:.2f} MB, largest difference of a "
            f"score {compared}.",
            f"Parameters: {self.parameters:,} served, "
            f"{self.model.count_params():,} trained.",
            self.batch_norm,
            "" if self.auc_loss is None else _static(self.auc_loss),
            f"To look at it: saved_model_cli show --dir {version} --all",
        ]
        return "\n".join(filter(None, lines))


def _static(auc_loss):
    return f"Static routes: the AUC on the sample is lower by {auc_loss:.5f}."
