"""The checks of `tf_ctr.layers.APGDense`, of its arguments and of its shapes."""

from tf_ctr.errors import explain, unknown_name
from tf_ctr.layers.generator import AGGREGATIONS, STARTS

VERSIONS = ("v1", "v2", "v3", "v4", "v5")
BIASES = ("static", "generated", "none")


def check_arguments(layer):
    """Raises unless the arguments of an `APGDense` go together.

    Args:
        layer: The layer, its arguments set.

    Raises:
        ValueError: If one is unknown, out of range, or without a meaning here.
    """
    for argument, valid in [
        ("version", VERSIONS),
        ("bias", BIASES),
        ("generator_start", STARTS),
        ("aggregation", (*AGGREGATIONS, None)),
    ]:
        if getattr(layer, argument) not in valid:
            names = [name for name in valid if name is not None]
            raise ValueError(unknown_name(argument, getattr(layer, argument), names))
    if min(layer.units, layer.rank, *layer.generator_units) < 1:
        raise ValueError(
            explain(
                "units, rank and generator_units of at least 1",
                f"units={layer.units}, rank={layer.rank}, "
                f"generator_units={layer.generator_units}",
                "pass rank=4 and generator_units=()",
            )
        )
    _check_over_parameter(layer)
    if layer.aggregation and layer.version not in ("v4", "v5"):
        raise ValueError(
            explain(
                "version v4 or v5 to aggregate what several conditions generate",
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


def check_shapes(layer, x_shape, z_shape):
    """Raises unless an `APGDense` can be built on inputs of these shapes.

    Args:
        layer: The layer.
        x_shape: Shape of the input.
        z_shape: Shape of the condition.

    Raises:
        ValueError: If a number of axes is wrong, or the rank exceeds a width.
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
                f"pass rank={limit} or less: a low rank is what saves work",
            )
        )
