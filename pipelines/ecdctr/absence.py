"""For how long the users of advertisements have been absent from natural data.

Users who return after a long time are those that TPM's months may still know, when the
weeks that CPM was last trained on do not have them.
"""

import numpy as np
import pandas as pd

from pipelines.ecdctr.sources import Clocks

# The columns of an ad: days since its user was last in natural data, before the end of
# the newest CPM; and whether CPM was trained on the user in any week so far.
ABSENT, IN_CPM = "absent_days", "known_to_cpm"


def newest_cpm(days: pd.Series, clocks: Clocks) -> pd.Series:
    """Returns the day on which the newest CPM ended when an ad's period begins.

    Args:
        days: Day of every ad.
        clocks: The `Clocks`. The first CPM ends a week after a month before the start.
    """
    later = (days - clocks.start).clip(lower=0)
    begin = clocks.start + later // clocks.ad_days * clocks.ad_days
    first = clocks.start - clocks.month_days
    return first + (begin - first) // clocks.week_days * clocks.week_days


def days_absent(users: pd.Series, ends: pd.Series, natural: pd.DataFrame) -> np.ndarray:
    """Returns how many days before the end of CPM each ad's user was last seen.

    Args:
        users: User of every ad.
        ends: What `newest_cpm` returns.
        natural: Natural data: a frame of two columns, the user and `day`.

    Returns:
        Days, `[N]`: 1 or more, as only days before the end count; infinite for users
        who were never seen.
    """
    found = np.full(len(users), np.inf)
    for end in ends.unique():
        earlier = natural[natural["day"] < end]
        last = earlier.groupby(earlier.columns[0])["day"].max()
        chosen = (ends == end).to_numpy()
        found[chosen] = end - users[chosen].map(last)
    return np.where(np.isnan(found), np.inf, found)


def known_to_cpm(absent: np.ndarray, ends: pd.Series, clocks: Clocks) -> pd.Series:
    """Returns whether CPM was trained on each ad's user, in any of its weeks so far.

    CPM resumes from week to week, so it may know users that its last month lacks.

    Args:
        absent: What `days_absent` returns.
        ends: What `newest_cpm` returns.
        clocks: The `Clocks`. The weeks begin a month before the start.
    """
    return absent <= ends - (clocks.start - clocks.month_days)


def groups(lines: pd.DataFrame, month_days: int) -> dict[str, pd.Series]:
    """Returns which lines belong to users who were absent for how long.

    Args:
        lines: A frame with the columns `ABSENT` and `IN_CPM`.
        month_days: Users absent for longer are in none of the rows that the newest CPM
            was last trained on.

    Returns:
        `{group: booleans}`: `recent`; `absent` for longer than a month, and of these
        `absent_in_cpm`, on which CPM was trained before, and `absent_not_in_cpm`; and
        `new`, who were never in natural data.
    """
    days, in_cpm = lines[ABSENT], lines[IN_CPM]
    absent = (days > month_days) & np.isfinite(days)
    return {
        "recent": days <= month_days,
        "absent": absent,
        "absent_in_cpm": absent & in_cpm,
        "absent_not_in_cpm": absent & ~in_cpm,
        "new": np.isinf(days),
    }
