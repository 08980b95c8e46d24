"""How a policy over two branches starts, and what keeps it from one extreme."""

import math

from keras import ops

from tf_ctr.errors import explain


def initial_logits(frozen_probability, literal_relu=False):
    """Returns the outputs of a policy network that give a probability.

    Args:
        frozen_probability: Probability of the frozen branch, in (0, 1).
        literal_relu: Whether the logits are `log(relu(output))`.

    Returns:
        The pair of outputs, frozen and fine-tuned.

    Example:

    >>> [round(logit, 3) for logit in initial_logits(0.9)]
    [1.099, -1.099]
    >>> initial_logits(0.75, literal_relu=True)
    (0.75, 0.25)
    """
    if literal_relu:
        return (frozen_probability, 1 - frozen_probability)
    half = math.log(frozen_probability / (1 - frozen_probability)) / 2
    return (half, -half)


def policy_penalty(logits, entropy_weight, budget, budget_weight):
    """Returns what a policy's entropy and its budget add to the loss.

    `- entropy_weight * mean H(p) + budget_weight * (mean p - budget) ** 2`, with `p`
    the probability of the frozen branch and means over instances and decisions.

    Args:
        logits: `[B, N, 2]`, category 0 the frozen branch.
        entropy_weight: Weight of the entropy, in nats.
        budget: Wanted share of the frozen branch; `None` for none.
        budget_weight: Weight of the budget.

    Returns:
        Scalar.

    Example:

    >>> import numpy as np
    >>> logits = np.array([[[20.0, -20.0]]], dtype="float32")  # p = 1
    >>> print(float(policy_penalty(logits, 1.0, budget=0.5, budget_weight=2.0)))
    0.5
    """
    difference = logits[..., 0] - logits[..., 1]
    probability = ops.sigmoid(difference)
    entropy = ops.softplus(difference) - difference * probability
    penalty = -entropy_weight * ops.mean(entropy)
    if budget is not None:
        gap = ops.mean(probability) - budget
        penalty = penalty + budget_weight * ops.square(gap)
    return penalty


def check_shares(initial_frozen_probability, budget, budget_weight):
    """Raises unless the start and the budget of a policy are shares."""
    p = initial_frozen_probability
    if p is not None and not 0 < p < 1:
        raise ValueError(
            explain(
                "initial_frozen_probability between 0 and 1, both left out",
                p,
                "pass 0.9 for nearly always frozen, None for random logits",
            )
        )
    if budget is not None and not (0 <= budget <= 1 and budget_weight > 0):
        raise ValueError(
            explain(
                "a budget in [0, 1] and a positive budget_weight",
                f"{budget} and {budget_weight}",
                "pass the share of frozen decisions, None for no budget",
            )
        )
