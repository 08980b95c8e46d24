"""Cross-domain click-through-rate prediction with TensorFlow and Keras 3."""

from tf_ctr.features import Categorical, Numeric, Schema, Sequence

__all__ = ["Categorical", "Numeric", "Schema", "Sequence"]
