"""A trained model as it is served: merged, with the scores that it had."""

import numpy as np

from tf_ctr.errors import explain
from tf_ctr.inference.batch_norm import fold_batch_norm
from tf_ctr.inference.static_routes import static_route
from tf_ctr.metrics import exact_auc
from tf_ctr.serving.reference import training_scores
from tf_ctr.surgery.graph import Graph


def folded_if_exact(model, schema, columns, tolerance):
    """Returns `fold_batch_norm(model)`, or `model` if that rounds too differently.

    A unit that is nearly constant has a norm that multiplies its rounding errors.

    Args:
        model: A functional `keras.Model`.
        schema: The fitted `tf_ctr.Schema` of its inputs.
        columns: `{field: array [N, ...]}`, raw rows to compare on.
        tolerance: The largest difference of a score to accept.

    Returns:
        The model to serve, and a sentence to print; empty if no norm can be folded.
    """
    folded = fold_batch_norm(model)
    if folded is model:
        return model, ""
    one, other = (training_scores(each, schema, columns) for each in (folded, model))
    moved = float(np.max(np.abs(one - other)))
    if moved <= tolerance:
        return folded, f"BatchNorm is folded; a score moves by {moved:.1e} at most."
    return model, f"BatchNorm is kept: folded, it would move a score by {moved:.1e}."


def most_frequent_route(model, schema, sample):
    """Returns the model of the branch that most rows take, and what that costs.

    Args:
        model: A model made by `tf_ctr.transfer.autoft`.
        schema: Its fitted `tf_ctr.Schema`.
        sample: Frame of real rows with labels of both classes.

    Returns:
        The static model, and the AUC that it loses on the sample.

    Raises:
        ValueError: If the model has no routes, or the sample no labels of both
            classes.
    """
    if not Graph(model).routes:
        raise ValueError(
            explain(
                "a model with routes, for static_routes=True",
                f"'{model.name}', which has none",
                "leave static_routes out, or make the model with autoft",
            )
        )
    if sample is None or schema.label not in sample or _one_class(sample, schema):
        raise ValueError(
            explain(
                f"a sample with labels {schema.label!r} of 0 and of 1, to choose the "
                "routes by and to say what they cost",
                "no sample" if sample is None else "no such labels in the sample",
                "pass sample=validation_rows with static_routes=True",
            )
        )
    columns = schema.raw_columns(sample)
    encoded = {name: ids.numpy() for name, ids in schema.encode(columns).items()}
    static, labels = static_route(model, encoded), schema.labels(sample)
    auc, static_auc = (
        exact_auc(labels, training_scores(each, schema, columns))
        for each in (model, static)
    )
    return static, auc - static_auc


def _one_class(sample, schema):
    return sample[schema.label].nunique() < 2
