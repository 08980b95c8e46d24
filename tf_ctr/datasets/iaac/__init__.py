"""IAAC (IJCAI-18), ads in shop search: two domains by the user's gender, or one."""

from tf_ctr.datasets.iaac.loading import load, load_whole

__all__ = ["load", "load_whole"]


def __dir__() -> list[str]:
    return list(__all__)
