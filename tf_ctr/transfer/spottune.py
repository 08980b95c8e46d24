"""SpotTune: chooses between frozen and fine-tuned layers for each instance."""

from collections.abc import Mapping
from typing import Any

import keras

from tf_ctr.layers import GumbelRouter
from tf_ctr.surgery import Graph
from tf_ctr.surgery.names import FROZEN
from tf_ctr.transfer.autoft import autoft
from tf_ctr.transfer.method import Method


@Method(
    "SpotTune",
    takes=("seed",),
    frozen=(FROZEN,),
    losses=("entropy and budget of the policies",),
    starts_as_source=True,
)
def spottune(
    source: keras.Model,
    router: GumbelRouter | Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Returns a target model that routes each instance layer by layer.

    This is AutoFT without its policy for fields: the embeddings are fine-tuned.

    Source: Guo et al., SpotTune (arXiv 1811.08737), as a baseline of AutoFT (arXiv
    2106.04873), where "Cross & Deep" of Table 4 is this method.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        router: As in `tf_ctr.transfer.autoft`.
        seed: As in `tf_ctr.transfer.autoft`.

    Returns:
        A new, uncompiled `keras.Model`; see `tf_ctr.transfer.autoft`.

    Raises:
        ValueError: If `source` has no hidden layer to route; or by `autoft`.

    Example:

    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [layer.name for layer in spottune(source, seed=1).layers][-3:]
    ['deep_router', 'deep_0_route', 'click']
    """
    return autoft(source, tuple(Graph(source).components), router, seed)
