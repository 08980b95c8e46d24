"""The rows of a comparison, and the trials that each may choose from."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras

from pipelines.harness.runs import Settings
from pipelines.harness.trials import Trial, candidates
from tf_ctr import features, transfer
from tf_ctr.datasets import TwoDomains
from tf_ctr.errors import explain

BASELINE = "fine_tune"
# What AutoFT is also compared with.
RIVAL = "spottune"
PRETRAINED = "pretrained"
TARGET_ONLY = "target_only"
# The defaults of `tf_ctr.transfer.autoft` come first. On validation rows,
# `pipelines.autoft_study` found that the moment when the policies decide matters most.
ROUTING = {
    "temperature": (5.0, 0.5),
    "policy_learning_rate_multiplier": (10.0, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        group: `"target"`, `"source"` or `"all"`: the domains it was pre-trained on.
        method: A name of `METHODS`, `"target_only"`, or `"pretrained"` for the
            pre-trained model itself.
        components: The components that AutoFT routes, joined by `+`; empty for all.
    """

    group: str
    method: str
    components: str = ""

    @property
    def name(self) -> str:
        """A short name, which is also that of its folder."""
        parts = (self.group, self.method, self.components.replace("+", "_"))
        return "-".join(part for part in parts if part)

    @property
    def transfers(self) -> bool:
        """Whether it starts from a pre-trained model and trains on the target."""
        return self.method in METHODS

    @property
    def baselines(self) -> "list[Row]":
        """The other rows of its group that it is compared with."""
        methods = [BASELINE, RIVAL] if "autoft" in self.method else [BASELINE]
        return [Row(self.group, name) for name in methods if name != self.method]

    @property
    def which(self) -> list[str] | None:
        """The components, as AutoFT takes them."""
        return self.components.split("+") if self.components else None

    @property
    def title(self) -> str:
        """Its name in tables, which is the paper's."""
        if self.method == TARGET_ONLY:
            return "Target-only"
        if self.method == PRETRAINED:
            return {"source": "Source-only", "all": "All"}[self.group]
        title = f"{self.group.capitalize()}-{METHODS[self.method].title}"
        shown = self.components.replace("+", " & ")
        return f"{title} ({shown})" if shown else title


def rows(
    methods: Sequence[str], pretrain: Sequence[str], components: Sequence[str] = ()
) -> list[Row]:
    """Returns the rows of a table, in the order of the paper's.

    The pre-trained model itself is the first row of its group.

    Args:
        methods: Names of `METHODS`, or `"target_only"`.
        pretrain: The groups: `"source"`, `"all"` or both.
        components: The parts that AutoFT routes in further rows, e.g. `"cross+deep"`.
    """
    listed = [Row("target", TARGET_ONLY)] if TARGET_ONLY in methods else []
    for group in pretrain:
        listed.append(Row(group, PRETRAINED))
        listed += [Row(group, name) for name in METHODS if name in methods]
        listed += [Row(group, "autoft", parts) for parts in components]
    return listed


def trials(row: Row, settings: Settings, budget: int, seed: int = 0) -> list[Trial]:
    """Returns the trials of a row: as many, and with the same training, for all rows.

    Learning rate, penalties and dropout are drawn once, the same for every row; each
    trial also has values of the method's own arguments. The first trial has the
    defaults.

    Args:
        row: The `Row`.
        settings: `Settings`; all its learning rates are candidates.
        budget: The number of trials.
        seed: Seed of the draw.

    Raises:
        ValueError: If there are not that many.
    """
    space = {
        "learning_rate": settings.learning_rates,
        # As large as matrix factorisation's penalty per rating.
        "embedding_l2": _and(settings.embedding_l2, 1e-2, 1e-3),
        "dropout": _and(settings.dropout, 0.2),
        "l2": _and(settings.l2, 1e-5),
    }
    training = candidates(settings, space, budget, seed)
    if len(training) < budget:
        raise ValueError(
            explain(
                f"a budget of at most {len(training)} trials",
                budget,
                "give more --learning-rates, or a smaller --budget",
            )
        )
    method = METHODS.get(row.method)
    own = candidates(settings, method.space, budget, seed) if method else []
    arguments = itertools.cycle([trial.arguments for trial in own] or [{}])
    return [
        Trial(trial.settings, chosen)
        for trial, chosen in zip(training, arguments, strict=False)
    ]


def _and(default, *others):
    return tuple(dict.fromkeys((default, *others)))


@dataclasses.dataclass(frozen=True)
class Method:
    """A transfer method and what it may tune.

    Attributes:
        function: A declared transfer method.
        space: `{argument: values}` to choose from, the default first.
    """

    function: Callable[..., keras.Model]
    space: dict[str, tuple] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name in tables."""
        return transfer.Method.of(self.function).title

    @property
    def takes(self) -> tuple[str, ...]:
        """What it takes besides the source; see `tf_ctr.transfer.Method`."""
        return transfer.Method.of(self.function).takes


# Options of `GumbelRouter` under the names that recorded trials use for them.
RECORDED = {
    "policy_units": "hidden_units",
    "policy_learning_rate_multiplier": "learning_rate_multiplier",
    "stop_policy_gradient": "stop_gradient",
}


def _routed(function):
    """Returns a method that takes each option of its router as an argument."""

    @functools.wraps(function)  # Keeps the declaration.
    def method(source, **arguments):
        own = {
            name: arguments.pop(name)
            for name in ("which", "seed", "alpha")
            if name in arguments
        }
        router = {RECORDED.get(name, name): arguments[name] for name in arguments}
        return function(source, router=router, **own)

    return method


@transfer.Method("AutoFT + L2-SP", takes=("seed",))
def _pulled(source, alpha, **options):
    """Applies AutoFT with an L2 pull of trainable copies to their frozen ones."""
    target = transfer.autoft(source, **options)
    return transfer.l2_sp(source, alpha, beta=0.0, target=target)


METHODS = {
    "fine_tune": Method(transfer.fine_tune),
    "l2_sp": Method(transfer.l2_sp, {"alpha": (1e-2, 1e-3, 1e-4)}),
    "progressive_nn": Method(transfer.progressive_nn, {"scale": (0.1, 1.0)}),
    "ptu": Method(transfer.ptu, {"gated": (True, False)}),
    "spottune": Method(_routed(transfer.spottune), ROUTING),
    "natr": Method(transfer.natr),
    "autoft": Method(_routed(transfer.autoft), ROUTING),
    "autoft_l2_sp": Method(_routed(_pulled), {"alpha": (1e-3, 1e-2), **ROUTING}),
}


def transfer_by(
    name: str,
    source: keras.Model,
    domains: TwoDomains,
    seed: int,
    which: Sequence[str] | None = None,
    **arguments: Any,
) -> keras.Model:
    """Applies a method.

    Args:
        name: A name of `METHODS`.
        source: The pre-trained model.
        domains: The `TwoDomains`.
        seed: Seed of the routers' noise.
        which: Components that AutoFT routes; `None` for all.
        **arguments: The method's own arguments.

    Returns:
        An uncompiled model.

    Raises:
        ValueError: If the data has no history of items for a method that needs it.
    """
    method = METHODS[name]
    if which is not None:
        arguments["which"] = which
    offered = {"seed": seed}
    if "history" in method.takes:
        offered |= {"item": domains.item, "history": _history(domains, method)}
    return transfer.apply(method.function, source, offered, **arguments)


def _history(domains, method):
    for name, field in domains.schema.of_kind(features.Sequence).items():
        if field.of == domains.item:
            return name
    raise ValueError(
        explain(
            f"a field with the user's history of '{domains.item}' for {method.title}",
            [field.name for field in domains.schema.fields],
            "take a data set with a history, or leave this method out",
        )
    )
