"""Decides when a model restarts from its source, and on which periods it is trained."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from tf_ctr.continual.periods import Period
from tf_ctr.errors import check_choice, check_count, explain


@dataclasses.dataclass(frozen=True)
class Refresh:
    """The effect of a newer source model, and the periods that a model is trained on.

    By default a newer source model replaces the frozen copies of the older one, and
    each period is trained on once (CTNet, arXiv 2208.05728, Algorithm 1).

    Attributes:
        every: When to take in a source model. `"arrival"`: in each period by whose end
            a newer one is ready. `"period"`: in each period. `"never"`: only in the
            first period, so that the model is transferred once.
        restart: How to take it in. `False`: it replaces only the frozen copies, the
            layers `..._source` and `..._frozen`; a model without them ignores newer
            source models. `True`: the model restarts, that is, the method is applied
            again to the newest source and target models.
        window: The number of newest periods to train on; `None` for all periods since
            the first one.
        window_when: `"always"`: the window applies in every period. `"restart"`: a
            model that does not restart is trained on the newest period only, so that
            it sees no row twice.
        first: Number of the first period in which to train a model; earlier periods
            only fill windows. Defaults to the first period.

    Raises:
        ValueError: If a choice is unknown, or `window` is not at least 1.

    Example:

    >>> transferred_once = Refresh(every="never")
    >>> fine_tuned_daily_on_a_week = Refresh(every="period", restart=True, window=7)
    """

    every: Literal["arrival", "period", "never"] = "arrival"
    restart: bool = False
    window: int | None = 1
    window_when: Literal["always", "restart"] = "always"
    first: int | None = None

    def __post_init__(self) -> None:
        check_choice("every", self.every, ("arrival", "period", "never"))
        check_choice("window_when", self.window_when, ("always", "restart"))
        if self.window is not None:
            check_count("window", self.window, least=1)

    def settings(self) -> dict[str, Any]:
        """Returns the values that two calls must share to continue one run."""
        # The words of version 0.1, so that its runs can resume.
        refresh = "frozen"
        if self.every == "never":
            refresh = "once"
        elif self.restart:
            refresh = "restart" if self.every == "period" else "arrival"
        settings = {"refresh": refresh, "window": self.window}
        if self.window_when != "always":  # The settings of older runs lack it.
            settings["window_when"] = self.window_when
        return settings

    def periods_to_train(
        self,
        period: Period,
        given: Sequence[Period],
        finished: Iterable[int],
        restarts: bool,
    ) -> list[Period]:
        """Returns the periods to train on when a run reaches `period`, newest last.

        Args:
            period: The newest period.
            given: All periods given to the run.
            finished: Numbers of the periods that the run has finished.
            restarts: Whether the model restarts in this period.

        Raises:
            ValueError: If a period of the window was not given.
        """
        if self.window_when == "restart" and not restarts:
            return [period]
        first = min([*finished, period.number])
        if self.first is not None:
            first = min(first, given[0].number)
        if self.window is not None:
            first = max(first, period.number - self.window + 1)
        older = [each for each in given if first <= each.number < period.number]
        oldest = [*older, period][0].number
        if oldest > first:
            raise ValueError(
                explain(
                    f"the periods {first} to {period.number}, to train on together",
                    f"none before {oldest}",
                    "also pass the finished periods of the window",
                )
            )
        return [*older, period]
