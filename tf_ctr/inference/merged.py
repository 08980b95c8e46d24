"""Merged."""

from tf_ctr.inference.collapse import collapse
from tf_ctr.inference.equal_layers import merge_equal_layers
from tf_ctr.inference.merge_historical import merge_historical
from tf_ctr.inference.static_routes import fix_routes
from tf_ctr.surgery import Graph


def merged(model):
    """Returns a model with fewer weights and the same scores.

    * APG: the factors of over-parameterised layers are multiplied out.
    * AutoFT: frozen and fine-tuned twins that are equal become one, without a route.
    * CTNet: what the source tower and the target tower both compute, such as shared
      attention on tables that were not trained, is computed once.
    * E-CDCTR: the historical embeddings of an id are joined once, in a table.

    BatchNorm is `tf_ctr.inference.batch_norm.fold_batch_norm`'s.

    Args:
        model: A functional `keras.Model` with dict inputs; it is not changed.

    Returns:
        A `keras.Model`; `model` itself, if there is nothing to merge.
    """
    model = merge_historical(collapse(model))
    if Graph(model).routes:
        model = fix_routes(model)
    return merge_equal_layers(model)
