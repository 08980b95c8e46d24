"""Synthetic worlds with few fields, for tests that train and trace many models."""

import dataclasses

from tf_ctr import Schema
from tf_ctr.datasets import TwoDomains, synthetic

# A field of each kind: text, integers, lists, numbers and a history.
FIELDS = ("user_id", "item_id", "tags", "price", "history")
# Tests replace the attribute of the module.
_generate = synthetic.generate


def five_fields(**arguments) -> TwoDomains:
    """Returns `synthetic.generate(**arguments)` with only the fields of `FIELDS`."""
    data = _generate(**arguments)
    fields = [data.schema.field(name) for name in FIELDS]
    schema = Schema(fields, data.schema.label, data.schema.group)
    return dataclasses.replace(data, schema=schema)
