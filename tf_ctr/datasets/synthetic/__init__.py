"""A synthetic world of two domains whose true click probabilities are known.

No model can beat these probabilities in expectation, so `best_possible` returns the
best metrics, to compare a model with. `WorldOptions` sets how much the domains share
and how they change over time.
"""

from tf_ctr.datasets.synthetic.generator import best_possible, generate, oracle_scores
from tf_ctr.datasets.synthetic.world import WorldOptions

__all__ = ["WorldOptions", "best_possible", "generate", "oracle_scores"]


def __dir__() -> list[str]:
    return list(__all__)
