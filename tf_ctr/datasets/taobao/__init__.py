"""Taobao's display advertisements: 26,557,961 impressions of eight days in May 2017.

`load` returns a `SplitLog`, in the split by days that the data set is published with.
"""

from tf_ctr.datasets.taobao.files import load

__all__ = ["load"]


def __dir__() -> list[str]:
    return [*__all__]
