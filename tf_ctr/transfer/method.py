"""The declaration of a transfer method, and its use by callers."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast

import keras

from tf_ctr.surgery.names import FROZEN, SOURCE

Offer = Literal["target", "seed", "item", "history"]

F = TypeVar("F", bound=Callable[..., keras.Model])


@dataclasses.dataclass(frozen=True)
class Method:
    """A decorator that declares the properties of a transfer method.

    A method is a function of a source model, and of options, that returns a new target
    model. Continual training, the experiments and the tests read the declaration
    instead of knowing methods by name. A function without a declaration is called as
    `function(source, target)`, and its model may hold copies of the source under any
    of the suffixes that the methods here use.

    Args:
        title: The name of the method in tables, as in its paper.
        takes: The arguments besides the source that the method takes, of those that
            callers offer: `"target"`, a model of the target domain; `"seed"`, the seed
            of its noise; `"item"` and `"history"`, names of fields.
        frozen: Suffixes of the layers that hold an unchanged copy of the source, e.g.
            `("_source",)`. A newer source model is copied to these layers.
        losses: The terms that the method adds to the training loss, in words, by
            default or on request.
        starts_as_source: Whether the method takes any source without further
            arguments, and its model starts with the scores of the source.

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
        """Attaches the declaration to a function, and names the models that it makes.

        The model that `autoft` makes of `dcn` is `dcn_autoft`. A method that is applied
        again and again, such as day by day, adds its name once.
        """

        signature = inspect.signature(function)
        end = f"_{function.__name__}"

        @functools.wraps(function)
        def named(*args: Any, **kwargs: Any) -> keras.Model:
            model = function(*args, **kwargs)
            given = list(signature.bind(*args, **kwargs).arguments.values())
            # A method may train a target without a source, and return it as it is.
            new = all(model is not each for each in given)
            if new and isinstance(given[0], keras.Model):
                model.name = f"{given[0].name.removesuffix(end)}{end}"
            return model

        named.transfer_method = self  # type: ignore[attr-defined]  # Ours.
        return cast(F, named)

    @classmethod
    def of(cls, function: Callable[..., keras.Model]) -> "Method":
        """Returns the declaration of a function; a default if it has none."""
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
        offered: The arguments that the caller offers; the method gets those that it
            takes. An argument that a `functools.partial` has bound keeps its value.
        **arguments: Further arguments of the method.
    """
    declared = _declaration(method)
    if declared is None:
        return method(source, offered.get("target"), **arguments)
    # In a call of a partial, a keyword would replace the one that it has bound.
    bound: Mapping[str, Any]
    bound = method.keywords if isinstance(method, functools.partial) else {}
    given = {
        name: offered[name]
        for name in declared.takes
        if name in offered and name not in bound
    }
    return method(source, **given, **arguments)


def _declaration(function: Callable[..., keras.Model]) -> Method | None:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "transfer_method", None)
