"""The checked arguments of a run."""

import dataclasses

from tf_ctr.continual.training import Training, name_of

REFRESHES = ("frozen", "once", "restart", "arrival")
WINDOWS = ("always", "restart")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The arguments of `tf_ctr.continual.run`, checked."""

    target: object
    source: object
    method: object
    arguments: dict
    refresh: str
    window: int | None
    window_when: str
    first: int | None
    training: Training
    slices: tuple
    known: object
    matrix: bool
    ids: object
    prepare: object
    publish: object
    export: object
    seed: int
    verbose: int

    def settings(self):
        """What two calls must share to be one run."""
        method = self.method
        # Runs that never knew of it go on.
        odd = {} if self.window_when == "always" else {"window_when": self.window_when}
        return {
            **odd,
            "method": name_of(method) if callable(method) else method,
            "arguments": repr(sorted(self.arguments.items())),
            "refresh": self.refresh,
            "window": self.window,
            "slices": list(self.slices),
            "seed": self.seed,
            **self.training.settings(),
        }
