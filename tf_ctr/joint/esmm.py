"""ESMM: clicks and conversions, both over all impressions."""

from collections.abc import Sequence

import keras

from tf_ctr.backbones.pieces import concatenate, embed
from tf_ctr.features import Schema
from tf_ctr.joint.by_label import check_two_steps, is_by_label, label_tower, probability


def esmm(
    schema: Schema,
    embedding_dim: int = 16,
    tower_units: Sequence[int] = (256, 128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    embedding_l2: float = 0.0,
) -> keras.Model:
    """Builds ESMM: a tower for clicks, and one for conversions after a click.

    With the labels click and buy, in this order: `p(click) = sigmoid(tower_1(x))` and
    `p(buy) = p(click) * sigmoid(tower_2(x))`, the product over the entire space of
    impressions. Each loss runs over all impressions, so the conversion rate after a
    click is trained without the bias of clicked rows only. The label of a row without a
    click is buy 0, not missing.

    The conversion rate after a click is the layer `buy_given_click`:
    `keras.Model(model.input, model.get_layer("buy_given_click").output)`.

    Source: Ma et al., Entire Space Multi-Task Model: An Effective Approach for
    Estimating Post-Click Conversion Rate (SIGIR 2018, arXiv 1804.07931), Eqs. 2 and 3.

    Args:
        schema: A fitted `tf_ctr.Schema` with two labels, of which the second needs the
            first.
        embedding_dim: Embedding dim D; both towers share the tables.
        tower_units: Widths of the hidden layers of each tower; `()` for none.
        activation: Activation of the towers.
        dropout: Dropout rate of the towers.
        l2: L2 penalty on all kernels.
        embedding_l2: L2 penalty on the embedding rows in the batch.

    Returns:
        A functional `keras.Model` from `{field: ids or values}` to `{label: probability
        [B, 1]}`. Layers, for the labels click and buy: `{field}_embedding`,
        `{field}_pooling`, `embeddings`, `click_tower_{i}`, `click_logit`, `click`,
        `buy_tower_{i}`, `buy_logit`, `buy_given_click`, `buy`.

    Raises:
        ValueError: If the schema has not two labels.

    Example:

    >>> from tf_ctr import Categorical, Schema
    >>> from tf_ctr.joint import esmm
    >>> schema = Schema([Categorical("user", ["ann"])], labels=("click", "buy"))
    >>> sorted(esmm(schema, tower_units=(8,)).output)
    ['buy', 'click']
    """
    labels = schema.label_names
    check_two_steps("esmm", labels, most=2)
    is_by_label(schema, domain=None)
    click, buy = labels
    inputs = schema.inputs()
    x = concatenate(
        embed(schema, inputs, embedding_dim, embedding_l2, several_labels=True).values()
    )
    rates = []
    for label, name in ((click, click), (buy, f"{buy}_given_{click}")):
        hidden = label_tower(label, x, tower_units, activation, dropout, l2)
        rates.append(probability(label, hidden, l2, name))
    both = keras.layers.Multiply(name=buy, dtype="float32")(rates)
    return keras.Model(inputs, {click: rates[0], buy: both}, name="esmm")
