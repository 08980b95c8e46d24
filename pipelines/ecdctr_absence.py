"""How long the users of advertisements have been absent from natural data."""

import numpy as np
import pandas as pd

ABSENT, IN_CPM = "absent_days", "known_to_cpm"


def newest_cpm(days, clocks) -> pd.Series:
    """Returns when the newest CPM ended that there is at the begin of an ad's period.

    Args:
        days: Day of every ad.
        clocks: The `Clocks`. The first CPM ends a week after a month before the start.
    """
    later = (days - clocks.start).clip(lower=0)
    begin = clocks.start + later // clocks.ad_days * clocks.ad_days
    first = clocks.start - clocks.month_days
    return first + (begin - first) // clocks.week_days * clocks.week_days


def days_absent(users, cuts, natural) -> np.ndarray:
    """Returns how many days before its cut each ad's user was last in natural data.

    Args:
        users: User of every ad.
        cuts: Days, likewise.
        natural: Frame of two columns, the user and `day`.

    Returns:
        Days `[n]`, 1 or more, as only days before the cut count; infinite for never.
    """
    found = np.full(len(users), np.inf)
    for cut in cuts.unique():
        earlier = natural[natural["day"] < cut]
        last = earlier.groupby(earlier.columns[0])["day"].max()
        chosen = (cuts == cut).to_numpy()
        found[chosen] = cut - users[chosen].map(last)
    return np.where(np.isnan(found), np.inf, found)


def known_to_cpm(absent, cuts, clocks):
    """Returns whether CPM was trained on each ad's user, in any of its weeks so far.

    CPM goes on from week to week, so that it may know whom its last month has not.

    Args:
        absent: What `days_absent` returns.
        cuts: Days, likewise.
        clocks: The `Clocks`. The weeks begin a month before the start.
    """
    return absent <= cuts - (clocks.start - clocks.month_days)
