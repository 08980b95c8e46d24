"""What a transfer method declares, and how callers use the declaration."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import keras

from tf_ctr.surgery.names import FROZEN, SOURCE

Offer = Literal["target", "seed", "item", "history"]

F = TypeVar("F", bound=Callable[..., keras.Model])


@dataclasses.dataclass(frozen=True)
class Method:
    """A decorator that declares what a caller must know of a transfer method.

    A method is a function of a source model, and of options, that returns a new target
    model. Continual training, the experiments and the tests read here what they need
    instead of knowing methods by name. A function without a declaration is called as
    `function(source, target)`, and its model may hold copies of the source under any
    of the suffixes that the methods here use.

    Args:
        title: The name of the method in tables, that of its paper.
        takes: The arguments that a caller may have besides the source, if the method
            takes them: `"target"`, a model of the target domain; `"seed"`, the seed of
            its noise; `"item"` and `"history"`, names of fields.
        frozen: Suffixes of the layers that hold the source as it was, e.g.
            `("_source",)`. A newer source model is copied to these.
        losses: The terms that it adds to the training loss, in words, by default or
            on request.
        starts_as_source: Whether any source will do, without further arguments, and
            the model gives the scores of the source before training.

    Example:

    >>> from tf_ctr.transfer import fine_tune
    >>> @Method("Halved", takes=("target",))
    ... def halved(source, target=None):
    ...     return fine_tune(source, learning_rate_multipliers={"*": 0.5})
    >>> Method.of(halved).takes
    ('target',)
    """

    title: str
    takes: tuple[Offer, ...] = ()
    frozen: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    starts_as_source: bool = False

    def __call__(self, function: F) -> F:
        """Attaches the declaration to a function, and returns the function."""
        function.transfer_method = self  # type: ignore[attr-defined]  # Ours.
        return function

    @classmethod
    def of(cls, function: Callable[..., keras.Model]) -> "Method":
        """Returns the declaration of a function, or the default for one without."""
        title = getattr(function, "__name__", type(function).__name__)
        undeclared = cls(title, takes=("target",), frozen=(SOURCE, FROZEN))
        return _declaration(function) or undeclared


def apply(
    method: Callable[..., keras.Model],
    source: keras.Model,
    offered: Mapping[Offer, Any],
    **arguments: Any,
) -> keras.Model:
    """Returns the target model that a method makes.

    Args:
        method: A declared transfer method, or any `function(source, target)`.
        source: The source model.
        offered: The arguments that the caller has; the method gets those it takes.
        **arguments: Further arguments of the method.
    """
    declared = _declaration(method)
    if declared is None:
        return method(source, offered.get("target"), **arguments)
    given = {name: offered[name] for name in declared.takes if name in offered}
    return method(source, **given, **arguments)


def _declaration(function: Callable[..., keras.Model]) -> Method | None:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "transfer_method", None)
