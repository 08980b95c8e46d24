"""How a model starts, takes in a newer source model, and grows with new ids."""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import keras
import numpy as np
import pandas as pd

from tf_ctr.continual.store import Finished
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Schema
from tf_ctr.surgery import copy_weights, grow, inputs_like, rebuild, warm_start
from tf_ctr.transfer import METHODS, Method, apply

TARGET_ONLY = "target_only"


def method_function(
    method: str | Callable[..., keras.Model], has_source: bool, has_target: bool
) -> Callable[..., keras.Model]:
    """Returns the function of a method, given by its name or as a function.

    Args:
        method: A name in `tf_ctr.transfer.METHODS`, `"target_only"`, or a function.
        has_source: Whether there are source models.
        has_target: Whether there is a target model.

    Raises:
        ValueError: If the name is unknown, arguments are bound by position, or there
            is no model that the method can start from.
    """
    if isinstance(method, str):
        check_name("method", method, (*METHODS, TARGET_ONLY))
    if isinstance(method, functools.partial) and method.args:
        raise ValueError(
            explain(
                "a method whose further arguments are bound by name",
                f"the positional arguments {method.args}",
                "bind them as functools.partial(method, name=value)",
            )
        )
    wrong = None
    if method == TARGET_ONLY and has_source:
        wrong = "no source model, as target_only transfers nothing"
    elif method == TARGET_ONLY and not has_target:
        wrong = "a target model to train"
    elif method != TARGET_ONLY and not has_source:
        wrong = "a source model to transfer from"
    if wrong:
        raise ValueError(
            explain(
                f"{wrong}, for method={method!r}",
                f"source {'given' if has_source else 'none'}, "
                f"target {'given' if has_target else 'none'}",
                "pass source= for a transfer, target= for target_only",
            )
        )
    if callable(method):
        return method
    return {**METHODS, TARGET_ONLY: target_only}[method]


@Method("Target only", takes=("target",))
def target_only(source: None, target: keras.Model) -> keras.Model:
    """Returns an uncompiled copy of the target model, without any transfer."""
    model = rebuild(target, inputs_like(target), trainable=None)
    copy_weights(target, model)
    return model


def settings(method: Callable[..., keras.Model]) -> dict[str, str]:
    """Returns the name and the bound arguments of a method, as saved in records."""
    function, bound = method, {}
    if isinstance(method, functools.partial):
        function, bound = method.func, method.keywords
    # A callable object has no name of its own.
    name = getattr(function, "__qualname__", type(function).__name__)
    return {"method": name, "arguments": repr(sorted(bound.items()))}


def start(
    method: Callable[..., keras.Model],
    source: keras.Model | None,
    target: keras.Model | None,
    compile: Callable[[keras.Model], None],
) -> tuple[keras.Model, str]:
    """Returns a compiled model made by a method.

    Args:
        method: The function that `method_function` returned.
        source: The source model, or `None`.
        target: The target model, or `None`.
        compile: A function that compiles a model in place.

    Returns:
        The model, and the fate of the target's optimizer: `"fresh"` if its slots are
        not used, otherwise how many slots were copied.
    """
    model = apply(method, source, {"target": target})
    compile(model)
    return model, _carry_slots(target, model)


def _carry_slots(target, model):
    """Copies the target's optimizer slots if the model starts with its weights."""
    if target is None or not target.compiled:
        return "fresh"
    ours = {layer.name: layer for layer in model.layers if layer.weights}
    pairs = [(layer, ours[layer.name]) for layer in target.layers if layer.name in ours]
    known = {old.name for old, _ in pairs}
    added = [
        name
        for name, layer in ours.items()
        if layer.trainable_variables and name not in known
    ]
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if added and hasattr(optimizer, "beta_1"):
        # Adam has one step count for the bias correction of all moments. With the
        # target's count, the first steps of new weights would be more than twice as
        # long.
        return "fresh"
    for old, new in pairs:
        weights = zip(old.get_weights(), new.get_weights(), strict=False)
        if not all(np.array_equal(*pair) for pair in weights):
            return "fresh"
    return warm_start(target, model).optimizer if pairs else "fresh"


def frozen_suffixes(
    method: Callable[..., keras.Model], model: keras.Model
) -> list[str]:
    """Returns the suffixes of the layers that hold a model's source model."""
    names = [layer.name for layer in model.layers if layer.weights]
    return [
        suffix
        for suffix in Method.of(method).frozen
        if any(name.endswith(suffix) for name in names)
    ]


def refresh(
    method: Callable[..., keras.Model], model: keras.Model, source: keras.Model
) -> None:
    """Copies a newer source model into a model's frozen layers, in place.

    Source: CTNet (arXiv 2208.05728), Algorithm 1.
    """
    for suffix in frozen_suffixes(method, model):
        copy_weights(source, model, suffix)


def grown_schema(
    schema: Schema, others: Sequence[Schema], frames: Iterable[pd.DataFrame]
) -> Schema:
    """Returns the schema with the ids of other schemas and of new rows.

    Args:
        schema: The schema; its ids keep their rows.
        others: Further schemas.
        frames: New rows, read one frame at a time.
    """
    for other in others:
        schema = schema.union(other)
    return schema.extend(iter(frames))


def with_ids(schema: Schema, ids: Mapping[str, Collection[int | str]]) -> Schema:
    """Returns the schema with further ids.

    Args:
        schema: The schema; its ids keep their rows.
        ids: `{field: ids}`.
    """
    fields = [Categorical(name, tuple(own)) for name, own in ids.items() if len(own)]
    return schema.union(Schema(fields)) if fields else schema


def grown_model(finished: Finished, schema: Schema) -> keras.Model:
    """Returns a model whose tables have a row for every id of a larger schema.

    A new id starts as a copy of the row for unseen ids, in which it was looked up
    before. Everything else stays equal to the last bit. If the model has all rows
    already, the model itself is returned.

    Args:
        finished: The model with its own schema.
        schema: A schema with at least the fields and ids of the model's, in any order.

    Raises:
        ValueError: If the schema lacks a field of the model.
    """
    names = [field.name for field in schema.fields]
    lacking = [f.name for f in finished.schema.fields if f.name not in names]
    if lacking:
        raise ValueError(
            explain(
                f"the fields {lacking} of the other model's schema in this one",
                f"fields {names}",
                "add them to the target model's schema; its rows may have missing "
                "values in them",
            )
        )
    own = schema.with_fields(
        schema.field(field.name) for field in finished.schema.fields
    )
    if own.fields == finished.schema.fields:
        return finished.model
    return grow(finished.model, finished.schema, own)
