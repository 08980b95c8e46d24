"""The transfer methods that the comparison knows, and what each may tune."""

import dataclasses

from tf_ctr import transfer
from tf_ctr.errors import explain, unknown_name
from tf_ctr.features import Sequence

# Temperatures: SpotTune's 5, which is also the default of `tf_ctr.transfer.autoft`.
ROUTING = {
    "temperature": (5.0, 1.0),
    "policy_learning_rate_multiplier": (0.1, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Method:
    """A transfer method.

    Attributes:
        title: Its name in tables.
        function: Its name in `tf_ctr.transfer`.
        space: `{argument: values}` that it may tune, the default first.
        seeded: Whether it takes the seed.
        item_history: Whether it takes the fields of the item and of its history.
    """

    title: str
    function: str
    space: dict = dataclasses.field(default_factory=dict)
    seeded: bool = False
    item_history: bool = False


METHODS = {
    "fine_tune": Method("Fine-Tune", "fine_tune"),
    "l2_sp": Method("L2-SP", "l2_sp", {"alpha": (1e-2, 1e-3, 1e-4)}),
    "progressive_nn": Method("ProgressiveNN", "progressive_nn", {"scale": (0.1, 1.0)}),
    "ptu": Method("PTU", "ptu", {"gated": (True, False)}),
    "spottune": Method("SpotTune", "spottune", ROUTING, seeded=True),
    "natr": Method("NATR", "natr", item_history=True),
    "autoft": Method("AutoFT", "autoft", ROUTING, seeded=True),
}


def transfer_by(name, source, domains, seed, which=None, **arguments):
    """Applies a method.

    Args:
        name: Of `METHODS`.
        source: The pre-trained model.
        domains: The `TwoDomains`.
        seed: Seed of the routers' noise.
        which: Components that AutoFT routes; `None` for all.
        **arguments: Of the method, those that are tuned.

    Returns:
        An uncompiled model.

    Raises:
        ValueError: If `tf_ctr.transfer` has no such method, or the data no history
            of items for one that needs it.
    """
    method = METHODS[name]
    if which is not None:
        arguments["which"] = which
    if method.seeded:
        arguments["seed"] = seed
    if method.item_history:
        arguments |= {"item": domains.item, "history": _history(domains, method)}
    function = getattr(transfer, method.function, None)
    if function is None:
        there = [name for name, m in METHODS.items() if hasattr(transfer, m.function)]
        raise ValueError(unknown_name("transfer method", method.function, there))
    return function(source, **arguments)


def _history(domains, method):
    for field in domains.schema.fields:
        if isinstance(field, Sequence) and field.of == domains.item:
            return field.name
    raise ValueError(
        explain(
            f"a field with the user's history of '{domains.item}' for {method.title}",
            [field.name for field in domains.schema.fields],
            "take a dataset with a history, or leave this method out",
        )
    )
