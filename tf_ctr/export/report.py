"""What an export did: printed, and kept beside the version."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_ctr.export.served import Served
from tf_ctr.files import MANIFEST
from tf_ctr.serving.parity import Parity


@dataclasses.dataclass(frozen=True)
class Report:
    """The facts of one export.

    Attributes:
        served: The models and the rows.
        parity: How far the scores of the version are from the model's.
        megabytes: Size of the SavedModel.
        batch_sizes: The allowed batch sizes.
        left_out: Which files could not be written, a sentence; empty if all were.
    """

    served: Served
    parity: Parity
    megabytes: float
    batch_sizes: Sequence[int]
    left_out: str = ""

    def save(self, path: pathlib.Path) -> None:
        """Writes the facts as JSON."""
        facts = {
            "format": "tf_ctr.export",
            "manifest": MANIFEST,
            "item_fields": list(self.served.item_fields),
            "batch_sizes": list(self.batch_sizes),
            "differences": self.parity.differences,
            "static_routes_auc_loss": self.served.auc_loss,
            "parameters_served": self.served.model.count_params(),
            "parameters_trained": self.served.trained.count_params(),
            "left_out": self.left_out,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        }
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def lines(self, version: pathlib.Path) -> str:
        """Returns the lines to print about the version at a path."""
        compared = ", ".join(
            f"{max(by_signature.values()):.1e} ({way})"
            for way, by_signature in self.parity.differences.items()
        )
        auc_loss = self.served.auc_loss
        found = [
            f"Exported {version}: {self.megabytes:.2f} MB, largest difference of a "
            f"score {compared}.",
            f"Parameters: {self.served.model.count_params():,} served, "
            f"{self.served.trained.count_params():,} trained.",
            self.served.batch_norm,
            ""
            if auc_loss is None
            else f"Static routes: the AUC on the sample is lower by {auc_loss:.5f}.",
            self.left_out,
            f"To look at it: saved_model_cli show --dir {version} --all",
        ]
        return "\n".join(filter(None, found))
