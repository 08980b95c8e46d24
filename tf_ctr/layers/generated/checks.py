"""The choices that an `APGDense` offers, and the checks of its arguments and shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from tf_ctr.errors import check_choice, check_positive, explain
from tf_ctr.layers.core.layer import Shape

if TYPE_CHECKING:
    from tf_ctr.layers.generated.apg_dense import APGDense

# The default first, as the errors recommend it.
Version = Literal["v5", "v4", "v3", "v2", "v1"]
Bias = Literal["static", "generated", "none"]
Start = Literal["identity", "glorot"]
Aggregation = Literal["concat", "mean", "attention"]


def check_arguments(layer: APGDense) -> None:
    """Raises unless the arguments of an `APGDense` are valid together.

    Args:
        layer: The layer, its arguments set.

    Raises:
        ValueError: If one is unknown, out of range, or has no effect with the others.
    """
    check_choice("version", layer.version, get_args(Version))
    check_choice("bias", layer.bias, get_args(Bias))
    check_choice("generator_start", layer.generator_start, get_args(Start))
    check_choice("aggregation", layer.aggregation, (None, *get_args(Aggregation)))
    check_positive(
        units=layer.units, rank=layer.rank, generator_units=layer.generator_units
    )
    _check_over_parameter(layer)
    if layer.aggregation and layer.version not in ("v4", "v5"):
        raise ValueError(
            explain(
                "version v4 or v5 to aggregate several conditions",
                f"version='{layer.version}', aggregation='{layer.aggregation}'",
                "share V and U with version='v4', or aggregate the conditions",
            )
        )


def _check_over_parameter(layer):
    if layer.over_parameter is None:
        return
    if layer.version != "v5":
        raise ValueError(
            explain(
                "an over_parameter for version v5 only",
                f"over_parameter={layer.over_parameter}, version='{layer.version}'",
                "pass version='v5', or leave over_parameter out",
            )
        )
    if layer.over_parameter < layer.rank:
        raise ValueError(
            explain(
                f"over_parameter (P) of at least the rank (K) {layer.rank}",
                layer.over_parameter,
                f"pass over_parameter={8 * layer.rank}, or a smaller rank",
            )
        )


def check_shapes(layer: APGDense, x_shape: Shape, z_shape: Shape) -> None:
    """Raises unless an `APGDense` can be built on inputs of these shapes.

    Args:
        layer: The layer.
        x_shape: Shape of the input, `[B, M]`.
        z_shape: Shape of the condition, `[B, D]`, or of J conditions, `[B, J, D]`.

    Raises:
        ValueError: If a number of axes is wrong, or the rank is above a width.
    """
    conditions = "[B, J, D]" if layer.aggregation else "[B, D]"
    if len(x_shape) != 2 or len(z_shape) != conditions.count(",") + 1:
        raise ValueError(
            explain(
                f"x of shape [B, M] and z of shape {conditions}",
                f"x {tuple(x_shape)}, z {tuple(z_shape)}",
                "stack J conditions on axis 1 for an aggregation, and only then",
            )
        )
    limit = min(x_shape[-1], layer.units)
    if layer.version != "v1" and layer.rank > limit:
        raise ValueError(
            explain(
                f"a rank of at most {limit}, the smaller width of '{layer.name}'",
                layer.rank,
                f"pass rank={limit} or less: only a low rank saves work",
            )
        )
