"""Amazon reviews of toys and games and of video games: a sample, or all of them."""

from tf_ctr.datasets.amazon.reviews import load_full
from tf_ctr.datasets.amazon.sample import load

__all__ = ["load", "load_full"]


def __dir__() -> list[str]:
    return list(__all__)
