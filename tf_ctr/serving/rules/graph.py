"""Rules for the operations and variables that the signatures reach."""

import re

from tensorflow.python.framework import op_def_registry

from tf_ctr.serving.rules.findings import error
from tf_ctr.serving.version import INIT_OP, signatures

RULE = "graph"
TABLES = {"HashTableV2", "HashTable"}
IMPURE = re.compile("^Assign|^ResourceScatter|^ResourceApply|Random|PyFunc")


def check_graph(meta_graph):
    """Yields operations that a plain server lacks or must not run, and dead weight."""
    nodes = reached(meta_graph)
    ops = {node.op for node in nodes}
    functions = {each.signature.name for each in meta_graph.graph_def.library.function}
    if unknown := sorted(
        op for op in ops - functions if op_def_registry.get(op) is None
    ):
        yield error(RULE, f"operations that plain TensorFlow lacks: {unknown}")
    if impure := sorted(filter(IMPURE.search, ops)):
        yield error(RULE, f"operations that draw, write or call Python: {impure}")
    if _compiled(meta_graph):
        yield error(RULE, "functions compiled by XLA, which the server refuses")
    if ops & TABLES and INIT_OP not in meta_graph.signature_def:
        yield error(RULE, "lookup tables without an operation to fill them")
    if unused := sorted(_variables(meta_graph) - _shared_names(nodes)):
        yield error(
            RULE, f"variables that no signature reads, e.g. of the optimizer: {unused}"
        )


def reached(meta_graph):
    """Returns the nodes that any signature depends on, those of functions too."""
    graph = meta_graph.graph_def
    main = {node.name: node for node in graph.node}
    library = {each.signature.name: each.node_def for each in graph.library.function}
    outputs = [
        info.name
        for signature in signatures(meta_graph).values()
        for info in signature.outputs.values()
    ]
    found, names, called = [], {_node_name(name) for name in outputs}, set()
    todo = [main[name] for name in names if name in main]
    while todo:
        node = todo.pop()
        found.append(node)
        # The nodes of a function are all taken, so only those outside are followed.
        if main.get(node.name) is node:
            new = {_node_name(name) for name in node.input} - names
            names |= new
            todo.extend(main[name] for name in new if name in main)
        new = _functions(node, library) - called
        called |= new
        todo.extend(inner for name in new for inner in library[name])
    return found


def _node_name(tensor):
    return tensor.removeprefix("^").split(":")[0]


def _functions(node, library):
    attributes = node.attr.values()
    names = {each.func.name for each in attributes if each.HasField("func")}
    names |= {f.name for each in attributes for f in each.list.func}
    return (names | {node.op}) & set(library)


def _compiled(meta_graph):
    graph = meta_graph.graph_def
    functions = graph.library.function
    nodes = [*graph.node, *(node for f in functions for node in f.node_def)]
    return any(each.attr["_XlaMustCompile"].b for each in [*functions, *nodes])


def _variables(meta_graph):
    return _shared_names(meta_graph.graph_def.node)


def _shared_names(nodes):
    return {
        node.attr["shared_name"].s.decode() or node.name
        for node in nodes
        if node.op == "VarHandleOp"
    }
