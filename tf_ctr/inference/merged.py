"""Applies all rewrites that remove weights, one after the other."""

import keras

from tf_ctr.inference.collapse import collapse
from tf_ctr.inference.equal_layers import merge_equal_layers
from tf_ctr.inference.merge_historical import merge_historical
from tf_ctr.inference.static_routes import fix_routes
from tf_ctr.surgery import Graph


def merged(model: keras.Model) -> keras.Model:
    """Returns a model with fewer weights and the same scores.

    * APG: the factors of over-parameterised layers are multiplied out.
    * E-CDCTR: the historical vector of each id is stored in a table.
    * AutoFT: frozen and fine-tuned copies that are equal become one, without a route.
    * CTNet: layers that compute the same in the source and the target tower, such as
      shared attention on tables that were not trained, are called once.

    BatchNorm is not folded: call `fold_batch_norm`, and check that its rounding is
    small enough, as `tf_ctr.export.export` does.

    Args:
        model: A functional `keras.Model` with dict inputs; it is not changed.

    Returns:
        A new, uncompiled `keras.Model`; `model` itself, if there is nothing to merge.
    """
    model = merge_historical(collapse(model))
    if Graph(model).routes:
        model = fix_routes(model)
    # Last, because the other rewrites can make layers equal.
    return merge_equal_layers(model)
