"""MovieLens-1M: two domains by the user's gender or age, or all ratings as one."""

from tf_ctr.datasets.movielens.groups import load, load_whole

__all__ = ["load", "load_whole"]


def __dir__() -> list[str]:
    return list(__all__)
