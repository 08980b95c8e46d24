"""SpotTune: per instance, choose between frozen and fine-tuned layers."""

from tf_ctr.surgery.graph import Graph
from tf_ctr.transfer.autoft import autoft


def spottune(source, **options):
    """Returns a target model that routes each instance layer by layer.

    AutoFT without its policy on fields: the embeddings are fine-tuned.

    Source: Guo et al., SpotTune (arXiv 1811.08737), as a baseline of AutoFT (arXiv
    2106.04873), where "Cross & Deep" of Table 4 is this method.

    Args:
        source: A trained functional model, fresh or reloaded; it is not changed.
        **options: Those of `tf_ctr.transfer.autoft`, all but `which`.

    Returns:
        A new, uncompiled `keras.Model`; see `tf_ctr.transfer.autoft`.

    Raises:
        ValueError: If `source` has no hidden layer to route; or by `autoft`.

    Example:

    >>> import keras
    >>> inputs = {"age": keras.Input((1,), name="age")}
    >>> hidden = keras.layers.Dense(4, "relu", name="deep_0")(inputs["age"])
    >>> source = keras.Model(
    ...     inputs, keras.layers.Dense(1, "sigmoid", name="click")(hidden)
    ... )
    >>> [la.name for la in spottune(source, seed=1).layers if "router" in la.name]
    ['deep_router']
    """
    return autoft(source, which=tuple(Graph(source).components), **options)
