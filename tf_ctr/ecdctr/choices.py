"""What the levels of E-CDCTR leave to choose, by name."""

import functools
import inspect

from tf_ctr.continual import run
from tf_ctr.ecdctr.exchange import take_nothing
from tf_ctr.ecdctr.snapshots import SnapshotStore
from tf_ctr.errors import check_name

# How a level starts its next period.
STARTS = {"warm": "frozen", "scratch": "restart"}
# When the advertisement model starts again from the pre-trained one.
REINITIALISE = {"arrival": "arrival", "never": "once", "always": "restart"}


def chosen(kind, name, choices):
    """Returns what a name stands for.

    Raises:
        ValueError: If the name is unknown, with those there are.
    """
    check_name(kind, name, choices)
    return choices[name]


def on_periods(function, **options):
    """Returns a function of periods: `run`, or one that passes what it gets to it.

    Args:
        function: The function.
        **options: Of `tf_ctr.continual.run`.

    Raises:
        ValueError: If `run` has no such option, with those that it has.
    """
    known = inspect.signature(run).parameters
    for name in options:
        check_name("option of tf_ctr.continual.run", name, known)
    return functools.partial(function, **options)


def preparing(take, snapshots):
    """Returns `take` with the snapshots of a folder; without one, what warns."""
    if snapshots is None:
        return take_nothing
    return functools.partial(take, SnapshotStore(snapshots))
