"""Shape checks that the interaction layers share."""

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Shape


def check_vectors(x0_shape: Shape, x_shape: Shape) -> None:
    """Raises unless `x0` and `x` have the same shape `[B, N]`.

    Args:
        x0_shape: Shape of the input of a cross network.
        x_shape: Shape of the output of the previous cross layer.

    Raises:
        ValueError: If the shapes differ or are not of rank 2.
    """
    if len(x0_shape) != 2 or tuple(x0_shape) != tuple(x_shape):
        raise ValueError(
            explain(
                "x0 and x of the same shape [B, N]",
                f"x0 {tuple(x0_shape)}, x {tuple(x_shape)}",
                "concatenate the field embeddings into one vector per example",
            )
        )


def check_fields(shape: Shape, at_least: int = 1) -> None:
    """Raises unless an input has one vector per field, `[B, F, D]`.

    Args:
        shape: Shape of the input.
        at_least: Smallest number of fields F.

    Raises:
        ValueError: If the shape is not of rank 3, or has too few fields.
    """
    if len(shape) != 3 or shape[1] < at_least:
        raise ValueError(
            explain(
                f"an input [B, F, D] with at least {at_least} fields",
                tuple(shape),
                "stack the embeddings of the fields on axis 1",
            )
        )
