"""The pieces that the joint models are made of."""

import keras

from tf_ctr.backbones.pieces import click_of, penalty
from tf_ctr.errors import explain
from tf_ctr.layers import DomainDense


def num_domains(schema, domain):
    """Returns the number of domains of the field `domain`, missing and unseen ones too.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of a field with one id per example.

    Raises:
        ValueError: If there is no such field, or it has no ids or several.
    """
    field = schema.field(domain)
    if field.multivalent or field.table is None:
        raise ValueError(
            explain(
                "a domain field with one id per example",
                f"the field {domain!r}, a {type(field).__name__}",
                "name a Categorical field that is not multivalent",
            )
        )
    return field.table_size


def tower_network(count, units, activation="relu", dropout=0.0, l2=0.0, name="tower"):
    """Creates hidden layers of which each domain has its own.

    Args:
        count: Number of domains.
        units: Widths of the layers; `()` for none.
        activation: Activation of every layer.
        dropout: Dropout rate after every activation.
        l2: L2 penalty on the kernels of all domains.
        name: Prefix of the layer names `{name}_{i}` and `{name}_{i}_dropout`.

    Returns:
        A function of `x [B, N]` and the domain of each row, `[B]`, to
        `[B, units[-1]]`. Its calls share the layers.
    """
    depths = []
    for i, width in enumerate(units):
        layer = DomainDense(
            width,
            count,
            activation=activation,
            kernel_regularizer=penalty(l2),
            name=f"{name}_{i}",
        )
        drop = keras.layers.Dropout(dropout, name=f"{name}_{i}_dropout")
        depths.append((layer, drop))

    def network(x, domains):
        for layer, drop in depths:
            x = layer(x, domains)
            x = drop(x) if dropout else x
        return x

    return network


def domain_logit(count, l2=0.0, name="logit"):
    """Returns a prediction layer of which each domain has its own, always float32.

    Args:
        count: Number of domains.
        l2: L2 penalty on the kernels of all domains.
        name: Name of the layer.
    """
    regularizer = penalty(l2)
    return DomainDense(
        1, count, kernel_regularizer=regularizer, name=name, dtype="float32"
    )


def domain_click(x, domains, count, units, activation="relu", dropout=0.0, l2=0.0):
    """A tower and a prediction layer of which each domain has its own.

    Args:
        x: Input, `[B, N]`.
        domains: The domain of each row, `[B]`.
        count: Number of domains.
        units: As in `tower_network`, and so are the rest.
        activation: See `tower_network`.
        dropout: See `tower_network`.
        l2: See `tower_network`.

    Returns:
        The click probability `[B, 1]`.
    """
    hidden = tower_network(count, units, activation, dropout, l2)(x, domains)
    return click_of([domain_logit(count, l2)(hidden, domains)])
