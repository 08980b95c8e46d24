"""How a model starts, and how it takes in a newer source model."""

import numpy as np

from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Schema
from tf_ctr.surgery import warm_start
from tf_ctr.surgery.grow import grow
from tf_ctr.surgery.rebuild import copy_weights, inputs_like, rebuild
from tf_ctr.transfer import METHODS, Method, apply

TARGET_ONLY = "target_only"


def check_method(method, source, target):
    """Raises unless `method` is known, and what it starts from is there.

    Args:
        method: Of `tf_ctr.transfer.METHODS`, `"target_only"`, or a function.
        source: Where source models come from, or `None`.
        target: Likewise the target model.
    """
    if not callable(method):
        check_name("method", method, (*METHODS, TARGET_ONLY))
    wrong = None
    if method == TARGET_ONLY and source is not None:
        wrong = "no source model, as target_only transfers nothing"
    elif method == TARGET_ONLY and target is None:
        wrong = "a target model to go on with"
    elif method != TARGET_ONLY and source is None:
        wrong = "a source model to transfer from"
    if wrong:
        raise ValueError(
            explain(
                f"{wrong}, for method={method!r}",
                f"source {'given' if source else 'none'}, "
                f"target {'given' if target else 'none'}",
                "pass source= for a transfer, target= for target_only",
            )
        )


def start(method, source, target, arguments, compile):
    """Returns a compiled model that starts from others.

    Args:
        method: As in `check_method`.
        source: A model, or `None`.
        target: Likewise.
        arguments: Of the method.
        compile: A function that compiles a model.

    Returns:
        The model, and what happened to the optimizer.
    """
    if method == TARGET_ONLY:
        model = rebuild(target, inputs_like(target), trainable=None)
        copy_weights(target, model)
    else:
        model = apply(_function(method), source, {"target": target}, **arguments)
    compile(model)
    return model, _carry_slots(target, model)


def _carry_slots(target, model):
    """Takes over the optimizer's slots, if the weights are the target's, too."""
    if target is None or not target.compiled:
        return "fresh"
    ours = {layer.name: layer for layer in model.layers if layer.weights}
    pairs = [(la, ours[la.name]) for la in target.layers if la.name in ours]
    known = {old.name for old, _ in pairs}
    added = [n for n, la in ours.items() if la.trainable_variables and n not in known]
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if added and hasattr(optimizer, "beta_1"):
        # Adam corrects all moments by one number of steps: with that of the target,
        # the new weights' first steps would be more than twice as long.
        return "fresh"
    for old, new in pairs:
        weights = zip(old.get_weights(), new.get_weights(), strict=False)
        if not all(np.array_equal(*pair) for pair in weights):
            return "fresh"
    return warm_start(target, model).optimizer if pairs else "fresh"


def frozen_suffixes(method, model):
    """Returns the suffixes of the layers that hold a source model in a model."""
    names = [layer.name for layer in model.layers if layer.weights]
    return [
        suffix
        for suffix in Method.of(_function(method)).frozen
        if any(name.endswith(suffix) for name in names)
    ]


def _function(method):
    return METHODS.get(method, method) if isinstance(method, str) else method


def refresh(method, model, source):
    """Replaces what a model holds of its source, and nothing else, in place.

    Source: CTNet (arXiv 2208.05728), Algorithm 1.
    """
    for suffix in frozen_suffixes(method, model):
        copy_weights(source, model, suffix)


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
