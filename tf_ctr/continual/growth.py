"""Models and schemas of different periods, brought to one vocabulary."""

from tf_ctr.errors import explain
from tf_ctr.features import Categorical, Schema
from tf_ctr.surgery.grow import grow


def grown_schema(schema, others, frames):
    """Returns the schema with the ids of other schemas and of new rows.

    Args:
        schema: The schema; none of its ids changes its row.
        others: Schemas.
        frames: An iterable of frames, read one after another.
    """
    for other in others:
        schema = schema.union(other)
    return schema.extend(iter(frames))


def with_ids(schema, ids):
    """Returns the schema with more ids.

    Args:
        schema: The schema; none of its ids changes its row.
        ids: `{field: ids}`.
    """
    fields = [Categorical(name, list(own)) for name, own in ids.items() if len(own)]
    return schema.union(Schema(fields, schema.label)) if fields else schema


def grown_model(finished, schema):
    """Returns a copy of a model whose tables have the rows of a larger schema.

    A new id starts as what the model took it for so far, an unseen one; nothing else
    changes, to the bit. A model that knows all ids is returned as it is.

    Args:
        finished: A `tf_ctr.continual.store.Finished`.
        schema: A schema with all its fields and all its ids, in any order.

    Raises:
        ValueError: If the schema lacks one of its fields.
    """
    _check_has_fields(finished.schema, schema)
    own = Schema(
        [schema.field(field.name) for field in finished.schema.fields],
        schema.label,
        schema.group,
    )
    if own.fields == finished.schema.fields:
        return finished.model
    return grow(finished.model, finished.schema, own)


def _check_has_fields(own, schema):
    names = [field.name for field in schema.fields]
    lacking = [field.name for field in own.fields if field.name not in names]
    if lacking:
        raise ValueError(
            explain(
                f"the fields {lacking} of the other model's schema in this one",
                f"fields {names}",
                "give the target model a schema with them; its rows may have missing "
                "values there",
            )
        )
