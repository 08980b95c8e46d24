"""The shape check that the layers of several domains share."""

from tf_ctr.errors import explain
from tf_ctr.layers.core.layer import Shape


def check_rows_and_domains(x_shape: Shape, domains_shape: Shape) -> None:
    """Raises unless there is one vector and one domain per example.

    Args:
        x_shape: Shape of the input.
        domains_shape: Shape of the domains.

    Raises:
        ValueError: If they differ from `[B, N]` and `[B]`.
    """
    if len(x_shape) != 2 or len(domains_shape) != 1:
        raise ValueError(
            explain(
                "x of shape [B, N] and domains of shape [B]",
                f"x {tuple(x_shape)}, domains {tuple(domains_shape)}",
                "pass the input of a categorical field that is not multivalent",
            )
        )
