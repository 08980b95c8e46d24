"""Schemas: the fields of a data set, what they learn from it, and their encoding.

A *field* is a column of the data: `Categorical` and `Sequence` fields hold ids,
`Numeric` fields hold numbers, `Vector` fields lists of numbers, `TimeOf` fields the
hours or weekdays of timestamps. *Raw* values come from a frame, a file or a request;
*encoded* values go into a model: each id as a row of an embedding table, and
standardised numbers. A *vocabulary* lists the ids that have a row of their own. A field
is *fitted* once it has learned everything that its arguments leave open.

To add a kind of field, subclass `tf_ctr.features.field.Field` in a new file and import
it here. Other code uses the methods of `Field` and never checks the class of a field.
"""

from tf_ctr.features.categorical import Categorical
from tf_ctr.features.cross import Cross
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.schema import Schema
from tf_ctr.features.sequence import Sequence
from tf_ctr.features.statistics import Statistics
from tf_ctr.features.time_of import TimeOf
from tf_ctr.features.vector import Vector

__all__ = [
    "Categorical",
    "Cross",
    "Numeric",
    "Schema",
    "Sequence",
    "Statistics",
    "TimeOf",
    "Vector",
]


def __dir__() -> list[str]:
    return [*__all__]
