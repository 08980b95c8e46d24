"""Fits a trained model to other vocabularies: adds rows of new ids, drops others."""

import keras

from tf_ctr.errors import explain
from tf_ctr.features.field import Field
from tf_ctr.features.schema import Schema
from tf_ctr.surgery.graph import Graph
from tf_ctr.surgery.names import weights_by_path
from tf_ctr.surgery.rebuild import inputs_like, rebuild
from tf_ctr.surgery.rows import NewRows, schema_fields
from tf_ctr.surgery.warm_start import warm_start


def grow(
    model: keras.Model,
    old_schema: Schema,
    new_schema: Schema,
    new_rows: NewRows = "unseen",
) -> keras.Model:
    """Returns a copy of a model whose tables fit a schema with other vocabularies.

    It works for any functional model, also one made by a transfer method. All tables,
    including frozen ones, get the rows of `new_schema`. Every row moves with its id.
    The copy has exactly the same rows and other weights, frozen flags and learning rate
    multipliers, and, if `model` is compiled, the same compile options and optimizer
    slots. With `old_schema.extend(data)` as the new schema and the default `new_rows`,
    no score changes until the model is trained, not even that of a new id.

    Ids that the new schema lacks, such as those that `old_schema.prune` dropped, lose
    their rows and slots; they are unseen ids again. All other scores stay. The report
    counts the dropped rows of each table as `rows_dropped`.

    `pretrained` vectors are not read again: a new id starts as `new_rows` says, and in
    a frozen table it stays so. To start it from its vector, build a model of
    `new_schema`, which reads them, and `tf_ctr.surgery.warm_start` it from `model`.

    Args:
        model: A functional model, fresh or reloaded; it is not changed.
        old_schema: The schema that `model` was built with.
        new_schema: A schema of the same fields, e.g. `old_schema.extend(data)`, or
            `old_schema.prune(statistics, idle_periods=30)`.
        new_rows: `"unseen"`: the row of a new id starts as a copy of the row in which
            the id was looked up before. `"initial"`: the table's initializer draws it.

    Returns:
        A new `keras.Model`, compiled if `model` is. Its `weight_report` lists the
        outcome for every layer.

    Raises:
        ValueError: If the schemas differ in more than vocabularies, `old_schema` is
            not that of `model`, `model` holds weights outside its layers, or it has
            weights per domain and the domain's field has new ids.

    Example:

    >>> import keras, pandas
    >>> from tf_ctr.features import Categorical, Schema
    >>> old = Schema([Categorical("item")]).fit(pandas.DataFrame({"item": [7, 9]}))
    >>> inputs = old.inputs()
    >>> table = keras.layers.Embedding(4, 1, name="item_embedding")
    >>> model = keras.Model(inputs, table(inputs["item"]))
    >>> new = old.extend(pandas.DataFrame({"item": [9, 5]}))
    >>> grow(model, old, new).get_layer("item_embedding").input_dim
    5
    """
    _check_schemas(old_schema, new_schema)
    _check_weights(model)
    _check_domains(model, new_schema)
    fields = {
        table: new_schema.field(field.name)
        for table, field in schema_fields(model, old_schema).items()
    }
    rows = {table: field.table_size for table, field in fields.items()}
    new_ids = {t: new_schema.fingerprints[f.table or ""] for t, f in fields.items()}
    resized: dict[str, keras.Layer] = {}

    def call(layer, *args, **kwargs):
        name = layer.name
        if name not in rows:
            return layer(*args, **kwargs)
        if name not in resized:  # One table for all fields that share it.
            config = {**layer.get_config(), "input_dim": rows[name]}
            if "ids" in config:
                config["ids"] = new_ids[name]
            resized[name] = type(layer).from_config(config)
        return resized[name](*args, **kwargs)

    grown = rebuild(model, inputs_like(model), call, trainable=None)
    _copy_multipliers(model, grown)
    if model.compiled:
        grown.compile_from_config(model.get_compile_config())
    warm_start(
        model,
        grown,
        old_schema,
        new_schema,
        strict=True,
        expected=list(rows),
        new_rows=new_rows,
    )
    _copy_seeds(model, grown)
    return grown


def _copy_multipliers(model: keras.Model, grown: keras.Model) -> None:
    pairs = zip(weights_by_path(model), weights_by_path(grown), strict=True)
    for (_, old), (_, new) in pairs:
        if hasattr(old, "learning_rate_multiplier"):
            new.learning_rate_multiplier = old.learning_rate_multiplier


def _copy_seeds(model: keras.Model, grown: keras.Model) -> None:
    """Copies the state of dropout and other noise: variables that are not weights."""
    seeds = []
    for each in (model, grown):
        weights = {id(v) for v in each.weights}
        seeds.append([v for v in each.variables if id(v) not in weights])
    for old, new in zip(*seeds, strict=True):
        new.assign(old)


def _check_weights(model: keras.Model) -> None:
    own = len(model.weights) - sum(len(layer.weights) for layer in model.layers)
    if own:
        raise ValueError(
            explain(
                "a model without weights outside its layers",
                f"'{model.name}' ({type(model).__name__}) with {own} weights that "
                "belong to no layer",
                "grow the model it was made from, and apply the method, e.g. l2_sp, "
                "again",
            )
        )


def _check_domains(model: keras.Model, new_schema: Schema) -> None:
    for name, domain in Graph(model).domain_fields.items():
        known = model.get_layer(name).num_domains
        rows = new_schema.field(domain).table_size
        if rows != known:
            raise ValueError(
                explain(
                    f"the {known} domains that '{name}' has weights for",
                    f"{rows} in the field '{domain}' of the new schema",
                    f"give its ids: Categorical('{domain}', vocabulary=[...])",
                )
            )


def _check_schemas(old_schema: Schema, new_schema: Schema) -> None:
    new_schema.check_fitted()
    old, new = (
        {field.name: _without_ids(field) for field in schema.fields}
        for schema in (old_schema, new_schema)
    )
    wrong = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if wrong:
        raise ValueError(
            explain(
                "two schemas that differ in their vocabularies only",
                f"other differences in the fields {wrong}",
                "pass old_schema.extend(data) as new_schema; for other fields, build a "
                "model of the new schema and use tf_ctr.surgery.warm_start",
            )
        )


def _without_ids(field: Field) -> Field:
    return field.unfitted() if field.has_vocabulary else field
