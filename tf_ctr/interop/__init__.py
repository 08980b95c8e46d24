"""Schemas from the descriptions of fields in other libraries.

`from_deepctr` takes the feature columns of DeepCTR, `from_fuxictr` a dataset
configuration of FuxiCTR. Neither library needs to be installed: the descriptions are
read by the names of their attributes and keys. Each returns an `Imported`: a `Schema`
to fit, the embedding dims, and a sentence for everything that has no counterpart.
"""

from tf_ctr.interop.deepctr import from_deepctr
from tf_ctr.interop.fuxictr import from_fuxictr
from tf_ctr.interop.imported import Imported

__all__ = ["Imported", "from_deepctr", "from_fuxictr"]


def __dir__() -> list[str]:
    return [*__all__]
