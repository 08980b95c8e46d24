"""Avazu's click prediction challenge: 40,428,967 impressions of ten days.

`load` returns a `SplitLog`, in the published split Avazu_x4.
"""

from tf_ctr.datasets.avazu.files import load

__all__ = ["load"]


def __dir__() -> list[str]:
    return [*__all__]
