"""Fields, vocabularies and the one encoder of raw values."""

from tf_ctr.features.categorical import Categorical
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.schema import Schema
from tf_ctr.features.sequence import Sequence

__all__ = ["Categorical", "Numeric", "Schema", "Sequence"]
