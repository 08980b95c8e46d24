"""One user and many items in one request, with the user's part computed once."""

from tf_ctr.errors import explain, unknown_name


def candidate_fields(schema, item_fields=None) -> list:
    """Returns the names of the fields that every candidate item has values of its own.

    Args:
        schema: A `tf_ctr.Schema`.
        item_fields: Their names. `None` takes all but the schema's group and its
            sequences: what surely is the user's. A context field among the items'
            costs more, and moves no score.

    Returns:
        Names in the order of the schema; none if all fields are of one kind.

    Raises:
        ValueError: If a name is no field, or no field or all of them are the items'.

    Example:

    >>> from tf_ctr import Categorical, Schema, Sequence
    >>> fields = [Categorical("item"), Sequence("history", of="item")]
    >>> candidate_fields(Schema(fields))
    ['item']
    """
    names = [field.name for field in schema.fields]
    if item_fields is None:
        users = {schema.group} | {f.name for f in schema.fields if hasattr(f, "of")}
        items = [name for name in names if name not in users]
        return items if len(items) < len(names) else []
    chosen = {item_fields} if isinstance(item_fields, str) else set(item_fields)
    for name in sorted(chosen - set(names)):
        raise ValueError(unknown_name("field", name, names))
    if not 0 < len(chosen) < len(names):
        raise ValueError(
            explain(
                "some fields of the items, and some of the user",
                f"item_fields={sorted(chosen)} of the fields {names}",
                "name the items' only, or leave item_fields out",
            )
        )
    return [name for name in names if name in chosen]
