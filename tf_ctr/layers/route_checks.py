"""The check that the layers behind a router share."""

from tf_ctr.errors import explain


def check_decision(decision, gates_shape):
    """Raises unless `decision` is a column of the gates.

    Args:
        decision: The column.
        gates_shape: Shape `[B, N]` of the gates.

    Raises:
        ValueError: If it is none.
    """
    if not 0 <= decision < gates_shape[-1]:
        raise ValueError(
            explain(
                f"a decision in [0, {gates_shape[-1]})",
                decision,
                "build the router with more decisions",
            )
        )
