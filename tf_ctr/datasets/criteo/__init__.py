"""Criteo's display advertising challenge: 45,840,617 impressions of seven days.

`load` returns a `SplitLog`, in the published split Criteo_x4.
"""

from tf_ctr.datasets.criteo.files import load

__all__ = ["load"]


def __dir__() -> list[str]:
    return [*__all__]
