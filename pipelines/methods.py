"""The transfer methods that the comparison knows, and what each may tune."""

import dataclasses

from tf_ctr import transfer
from tf_ctr.errors import explain
from tf_ctr.features import Sequence

# The defaults of `tf_ctr.transfer.autoft` first. What `pipelines.autoft_study` found to
# matter on validation rows is how soon the policies decide.
ROUTING = {
    "temperature": (5.0, 0.5),
    "policy_learning_rate_multiplier": (10.0, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Method:
    """A transfer method.

    Attributes:
        title: Its name in tables.
        function: A function of the source and the arguments of `space`.
        space: `{argument: values}` that it may tune, the default first.
        seeded: Whether it takes the seed.
        item_history: Whether it takes the fields of the item and of its history.
    """

    title: str
    function: callable
    space: dict = dataclasses.field(default_factory=dict)
    seeded: bool = False
    item_history: bool = False


def _pulled(source, alpha, **options):
    """AutoFT whose trainable copies are pulled to their frozen ones."""
    target = transfer.autoft(source, **options)
    return transfer.l2_sp(source, alpha, beta=0.0, target=target)


METHODS = {
    "fine_tune": Method("Fine-Tune", transfer.fine_tune),
    "l2_sp": Method("L2-SP", transfer.l2_sp, {"alpha": (1e-2, 1e-3, 1e-4)}),
    "progressive_nn": Method(
        "ProgressiveNN", transfer.progressive_nn, {"scale": (0.1, 1.0)}
    ),
    "ptu": Method("PTU", transfer.ptu, {"gated": (True, False)}),
    "spottune": Method("SpotTune", transfer.spottune, ROUTING, seeded=True),
    "natr": Method("NATR", transfer.natr, item_history=True),
    "autoft": Method("AutoFT", transfer.autoft, ROUTING, seeded=True),
    "autoft_l2_sp": Method(
        "AutoFT + L2-SP", _pulled, {"alpha": (1e-3, 1e-2), **ROUTING}, seeded=True
    ),
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
        ValueError: If the data has no history of items for a method that needs it.
    """
    method = METHODS[name]
    if which is not None:
        arguments["which"] = which
    if method.seeded:
        arguments["seed"] = seed
    if method.item_history:
        arguments |= {"item": domains.item, "history": _history(domains, method)}
    return method.function(source, **arguments)


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
