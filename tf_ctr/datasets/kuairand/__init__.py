"""KuaiRand-Pure: short videos of one app, with a domain per tab or per video type."""

from tf_ctr.datasets.kuairand.tabs import load, load_ads, load_periods

__all__ = ["load", "load_ads", "load_periods"]


def __dir__() -> list[str]:
    return list(__all__)
