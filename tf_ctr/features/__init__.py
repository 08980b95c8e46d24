"""A schema: the fields of a data set, what they learn, and how they are encoded.

Four words. A *field* is a column of the data: `Categorical` and `Sequence` fields hold
ids, `Numeric` ones numbers. *Raw* values are those of a frame, a file or a request;
*encoded* ones are what a model gets: the row of an embedding table per id, and
standardised numbers. A *vocabulary* lists the ids that have a row each. A field is
*fitted* once it knows everything that it was told to learn from the data.

A new kind of field is a subclass of `tf_ctr.features.field.Field` in a file of its own,
and an import here. Other code asks a field what it needs, never what kind it is.
"""

from tf_ctr.features.categorical import Categorical
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.schema import Schema
from tf_ctr.features.sequence import Sequence

__all__ = ["Categorical", "Numeric", "Schema", "Sequence"]


def __dir__() -> list[str]:
    return [*__all__]
