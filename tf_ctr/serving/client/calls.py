"""One call to a server: the version that it asks, its deadline, and its retries."""

import math
import random
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tf_ctr.errors import explain
from tf_ctr.serving.client.failures import Overloaded

# Seconds of the first pause before a retry, at most; each further pause may be twice as
# long, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0

Answer = TypeVar("Answer")


class Choice(NamedTuple):
    """Which version a call asks, and how long it may take.

    Attributes:
        version: The number of the version; `None` for the newest or the label's.
        label: The label of the version, e.g. `"stable"`.
        timeout: Seconds that the whole call may take.
        deadline: When it ends, by `time.monotonic()`.
    """

    version: int | None
    label: str | None
    timeout: float
    deadline: float


def choose(version: int | None, label: str | None, timeout: float) -> Choice:
    """Returns the choice of a call that starts now.

    Raises:
        ValueError: If both a version and a label are given, or for a wrong time-out.
    """
    if version is not None and label is not None:
        raise ValueError(
            explain(
                "a version or a label",
                f"version={version} and label={label!r}",
                "pass one of them, or neither for the newest version",
            )
        )
    check_timeout(timeout)
    return Choice(version, label, timeout, time.monotonic() + timeout)


def check_timeout(seconds: float) -> None:
    """Raises unless a time-out is more than 0 s; without an end, calls pile up."""
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(
            explain("`timeout` as seconds, more than 0", seconds, "pass timeout=5.0")
        )


def send_until_deadline(
    send: Callable[[float], Answer], choice: Choice, retries: int, late: Exception
) -> Answer:
    """Returns the answer to a request, sent again to a server that is overloaded.

    The length of each pause is drawn, so that clients do not all return at once.

    Args:
        send: Sends the request, given the seconds that are left.
        choice: The choice of the call.
        retries: How often to send the request again.
        late: What to raise if no time is left to send the request.

    Raises:
        Overloaded: After the last retry, or where the pause would outlast the deadline.
    """
    attempt = 0
    while (left := choice.deadline - time.monotonic()) > 0:
        try:
            return send(left)
        except Overloaded:
            pause = random.uniform(0, min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE))
            if attempt >= retries or pause >= choice.deadline - time.monotonic():
                raise
        time.sleep(pause)
        attempt += 1
    raise late
