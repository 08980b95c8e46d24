"""A trained model and its schema, written as a SavedModel for TF Serving."""

from tf_ctr.export.saved_model import export

__all__ = ["export"]
