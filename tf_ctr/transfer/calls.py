"""The calls of a functional model's layers.

Read from `model.get_config()`, the public form that is also in a `.keras` file, so
that they are alike on a fresh model, a reloaded one and a user's own.
"""

import keras

from tf_ctr.errors import explain


def check_functional(model):
    """Returns `{name: Input}` of a functional model, or says what is wrong."""
    if not isinstance(model, keras.Model) or isinstance(model, keras.Sequential):
        raise ValueError(_not_functional(type(model).__name__))
    inputs = getattr(model, "input", None)
    if not isinstance(inputs, dict):
        raise ValueError(
            _not_functional(f"{type(model).__name__} with inputs {inputs}")
        )
    for key, tensor in inputs.items():
        if tensor.name != key:
            raise ValueError(
                explain(
                    "every Input to be named as its key",
                    f"key '{key}' for Input(name='{tensor.name}')",
                    f"write keras.Input(..., name='{key}')",
                )
            )
    return inputs


def graph_calls(model):
    """Returns `(layer name, names of its parents)` per call, in graph order."""
    check_functional(model)
    calls = []
    for config in model.get_config()["layers"]:
        for node in config["inbound_nodes"]:
            calls.append((config["name"], _tensor_sources(node)))
    return calls


def upstream(calls):
    """Yields, per call, the layer and the names of all that comes before it."""
    found = {}
    for name, parents in calls:
        before = set().union(*(found.get(p, set()) | {p} for p in parents))
        found[name] = found.get(name, set()) | before
        yield name, before


def _not_functional(received):
    return explain(
        "a functional keras.Model with a dict of inputs by field name",
        received,
        "build it with a function of tf_ctr.backbones, or with keras.Model(inputs="
        "{'user': keras.Input((), name='user'), ...}, outputs=...)",
    )


def _tensor_sources(node):
    """Returns the names of the layers whose outputs a call takes."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            return [node["config"]["keras_history"][0]]
        node = list(node.values())
    if isinstance(node, list | tuple):
        return [name for part in node for name in _tensor_sources(part)]
    return []
