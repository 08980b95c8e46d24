"""Checks that the tables of a model have the rows of a schema's ids."""

import keras

from tf_ctr.errors import explain
from tf_ctr.features.schema import Schema


def check_same_ids(model: keras.Model, schema: Schema) -> None:
    """Raises if a table has as many rows as the schema says, but for other ids.

    Tables of models that tf_ctr built keep the fingerprint of their ids. Models of the
    user's own, and those of older releases, have none and are not checked.

    Args:
        model: Any model.
        schema: A fitted schema.

    Raises:
        ValueError: With the first table of other ids.
    """
    tables = {field.table: field for field in schema.fields if field.table is not None}
    for layer in getattr(model, "layers", ()):
        kept = getattr(layer, "ids", None)
        named = [name for name in tables if layer.name.startswith(f"{name}_")]
        if not isinstance(kept, str) or not named:
            continue
        name = max(named, key=len)
        same_size = tables[name].table_size == getattr(layer, "input_dim", None)
        if same_size and schema.fingerprints[name] != kept:
            raise ValueError(
                explain(
                    f"the schema that '{model.name}' was built with, whose ids of "
                    f"{name!r} have the fingerprint {kept}",
                    f"a schema with other ids or another order, "
                    f"{schema.fingerprints[name]}",
                    "load the schema that was saved with the model; fitting it again "
                    "on other rows gives ids other rows of the table",
                )
            )


def other_ids(source: keras.Model, target: keras.Model) -> list[str]:
    """Returns the names of tables that have other ids in the two models.

    Args:
        source: A model.
        target: Another model.
    """
    kept = [
        {layer.name: getattr(layer, "ids", None) for layer in model.layers}
        for model in (source, target)
    ]
    return [
        name
        for name, ids in kept[1].items()
        if isinstance(ids, str) and isinstance(kept[0].get(name), str)
        if kept[0][name] != ids
    ]
