"""The fields of a schema together: checked, linked, and as Keras inputs."""

import keras
import tensorflow as tf

from tf_ctr.errors import check_name, explain
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.sequence import Sequence


def check_fields(fields, label, group):
    """Raises unless the names are unique and every sequence is of a known field."""
    for field in fields:
        if not isinstance(field, Categorical | Numeric | Sequence):
            raise TypeError(
                explain("fields only", repr(field), "pass e.g. Categorical('item')")
            )
    names = [field.name for field in fields]
    if not fields or label in names or len(set(names)) < len(names):
        raise ValueError(
            explain(
                "at least one field, each with a name of its own that is not the label",
                f"fields {names} and label {label!r}",
                "rename or drop the repeated one",
            )
        )
    if not isinstance(group, str | None):
        raise TypeError(
            explain(
                "a column name as `group`, or None", repr(group), "pass group='user'"
            )
        )
    owners = [field.name for field in fields if isinstance(field, Categorical)]
    for field in fields:
        if isinstance(field, Sequence):
            check_name("categorical field", field.of, owners)


def check_fitted(fields):
    """Raises unless every field is complete."""
    unfitted = [field.name for field in fields if not field.fitted]
    if unfitted:
        raise ValueError(
            explain("a fitted schema", f"open fields {unfitted}", "call schema.fit")
        )


def linked(fields) -> list:
    """Returns the fields, each sequence knowing the field it is `of`."""
    by_name = {field.name: field for field in fields}
    return [
        field.owned_by(by_name[field.of]) if isinstance(field, Sequence) else field
        for field in fields
    ]


def vocabulary_owner(field):
    """Returns the field whose vocabulary `field` uses; `None` if there is none."""
    owner = field.owner if isinstance(field, Sequence) else field
    has_one = isinstance(owner, Categorical) and owner.num_buckets is None
    return owner if has_one else None


def raw_spec(field) -> tf.TensorSpec:
    """Returns the specification of a field's raw values."""
    shape = [None, None] if field.multivalent else [None]
    return tf.TensorSpec(shape, field.dtype, field.name)


def keras_input(field) -> keras.KerasTensor:
    """Returns a Keras input for a field's encoded values."""
    if field.table is None:
        return keras.Input((1,), dtype="float32", name=field.name)
    shape = (field.max_length,) if field.multivalent else ()
    return keras.Input(shape, dtype="int64", name=field.name)
