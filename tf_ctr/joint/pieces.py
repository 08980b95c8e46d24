"""The pieces of joint models with weights per domain."""

from collections.abc import Callable, Sequence

import keras

from tf_ctr.backbones.pieces import click_of, penalty
from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.layers import DomainDense

# A function of `x [B, N]` and the domain of each row, `[B]`, to `[B, M]`.
Network = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def num_domains(schema: Schema, domain: str) -> int:
    """Returns how many domains a field has, counting the missing and the unseen one.

    Args:
        schema: A fitted `tf_ctr.Schema`.
        domain: Name of a field with one id per example.

    Raises:
        ValueError: If there is no such field, or it has no id or several per example.
    """
    field = schema.field(domain)
    if field.multivalent or field.table_size is None:
        raise ValueError(
            explain(
                "a domain field with one id per example",
                f"the field {domain!r}, a {field.kind}",
                "name a Categorical field that is not multivalent",
            )
        )
    return field.table_size


def tower_network(
    count: int,
    units: Sequence[int],
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    name: str = "tower",
) -> Network:
    """Creates the hidden layers of a tower per domain.

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


def domain_logit(count: int, l2: float = 0.0, name: str = "logit") -> DomainDense:
    """Creates a prediction layer with weights per domain, always float32.

    Args:
        count: Number of domains.
        l2: L2 penalty on the kernels of all domains.
        name: Name of the layer.
    """
    return DomainDense(
        1, count, kernel_regularizer=penalty(l2), name=name, dtype="float32"
    )


def domain_click(
    x: keras.KerasTensor,
    domains: keras.KerasTensor,
    count: int,
    units: Sequence[int],
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
) -> keras.KerasTensor:
    """Adds a tower and a prediction layer per domain, and the sigmoid.

    Args:
        x: Input, `[B, N]`.
        domains: The domain of each row, `[B]`.
        count: Number of domains.
        units: See `tower_network`.
        activation: See `tower_network`.
        dropout: See `tower_network`.
        l2: See `tower_network`.

    Returns:
        The click probability `[B, 1]`.
    """
    hidden = tower_network(count, units, activation, dropout, l2)(x, domains)
    return click_of([domain_logit(count, l2)(hidden, domains)])
