"""L2-SP: fine-tuning with a pull to the starting point."""

from tf_ctr.errors import check_name, explain
from tf_ctr.transfer.fine_tune import fine_tune
from tf_ctr.transfer.l2_sp_model import L2SPModel


def l2_sp(source, alpha=0.01, beta=0.01, target=None, new=()):
    """Returns a fine-tuned copy that is penalised for leaving its start.

    The training loss gets `alpha / 2 * sum((w - w_start) ** 2)` over the weights
    shared with the source and `beta / 2 * sum(w ** 2)` over new ones. Of an embedding
    table, each lookup adds the rows in the batch, divided by the batch size, as
    `tf_ctr.layers.Embedding(l2=...)` does, so that its gradient stays sparse. Frozen
    weights and BatchNorm statistics are left out.

    The result is a `tf_ctr.transfer.l2_sp_model.L2SPModel`, a functional model that
    holds the start beside its graph: a penalty layer in the graph could not reach the
    weights of another layer after reloading, and would be a layer with weights to
    every other method. Export and other methods drop the penalty.

    With `target=autoft(source)` it pulls AutoFT's trainable copies to their frozen
    ones, and `beta` is the weight decay of the policies.

    Source: Li et al., Explicit Inductive Bias for Transfer Learning (arXiv
    1802.01483); a baseline of AutoFT (arXiv 2106.04873), section 4.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        alpha: Weight on shared parameters. 0.01 is the default of
            Transfer-Learning-Library, as for `beta`; tune it.
        beta: Weight on new parameters.
        target: The model to train, made from `source` by another method; its layers
            are used, not copied. Defaults to `fine_tune(source)`, all of which is
            shared.
        new: Names of further layers of the target to count as new, e.g. the `skipped`
            of `fine_tune(source, which="embeddings", return_report=True)`; those that
            the source does not have always are.

    Returns:
        A new, uncompiled `keras.Model` with the graph of `target`.

    Raises:
        ValueError: If a weight is negative, `new` names no layer, no layer is
            shared, or the model is not a functional one with dict inputs.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> click = keras.layers.Dense(1, "sigmoid", name="click")(inputs["age"])
    >>> l2_sp(keras.Model(inputs, click), alpha=0.1).alpha
    0.1
    """
    if alpha < 0 or beta < 0:
        raise ValueError(
            explain(
                "alpha >= 0 and beta >= 0",
                f"{alpha} and {beta}",
                "pass 0 for no penalty",
            )
        )
    target = fine_tune(source) if target is None else target
    model = L2SPModel(
        target.input,
        target.output,
        name=target.name,
        alpha=alpha,
        beta=beta,
        new=_new_layers(source, target, new),
    )
    model.remember_start()
    return model


def _new_layers(source, target, new):
    ours = [layer.name for layer in target.layers if layer.weights]
    theirs = {layer.name for layer in source.layers if layer.weights}
    for name in new:
        check_name("layer with weights", name, ours)
    found = [name for name in ours if name not in theirs or name in new]
    if found == ours:
        raise ValueError(
            explain(
                "a layer of the target with the name of one of the source",
                f"source layers {sorted(theirs)}, new layers {found}",
                "make the target from this source, e.g. with fine_tune(source)",
            )
        )
    return found
