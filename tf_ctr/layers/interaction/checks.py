"""The checks that the layers of feature interactions share."""

from tf_ctr.errors import explain


def check_vectors(x0_shape, x_shape):
    """Raises unless `x0` and `x` have one shape `[B, N]`.

    Args:
        x0_shape: Shape of the input of a cross network.
        x_shape: Shape of the output of the cross layer before.

    Raises:
        ValueError: If the shapes differ or are not of rank 2.
    """
    if len(x0_shape) != 2 or tuple(x0_shape) != tuple(x_shape):
        raise ValueError(
            explain(
                "x0 and x of one shape [B, N]",
                f"x0 {tuple(x0_shape)}, x {tuple(x_shape)}",
                "concatenate the field embeddings to one vector per example",
            )
        )


def check_fields(shape, at_least=1):
    """Raises unless an input is one vector per field, `[B, F, D]`.

    Args:
        shape: Shape of the input.
        at_least: Least number of fields.

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
