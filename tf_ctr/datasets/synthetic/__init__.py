"""A synthetic world of two domains whose true click probabilities are known.

No model can beat these probabilities in expectation, so `best_possible` says how far
a model is from the best one.
"""

from tf_ctr.datasets.synthetic.generator import best_possible, generate, oracle_scores

__all__ = ["best_possible", "generate", "oracle_scores"]


def __dir__() -> list[str]:
    return list(__all__)
