"""Rules for the operations and variables that the signatures reach.

Sources: TensorFlow, `cc/saved_model/loader.cc` (an operation that is not registered
fails the load); the answers to `PyFunc`, random operations, XLA and unread variables
were seen on a server.
"""

import re
from collections.abc import Iterator

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import op_def_registry

from tf_ctr.serving.rules.findings import Finding, error, note
from tf_ctr.serving.version import INIT_OP, signatures

RULE = "graph"
TABLES = {"HashTableV2", "HashTable"}
WRITES = re.compile("^Assign|^ResourceScatter|^ResourceApply")
RANDOM = re.compile("Random")
PYTHON = re.compile("PyFunc")


def check_graph(meta_graph: meta_graph_pb2.MetaGraphDef) -> Iterator[Finding]:
    """Yields operations that a server lacks or should not run, and unused variables."""
    nodes = _reached(meta_graph)
    ops = {node.op for node in nodes}
    graph = meta_graph.graph_def
    functions = graph.library.function
    own = {each.signature.name for each in functions}
    if unknown := sorted(op for op in ops - own if op_def_registry.get(op) is None):
        yield error(
            RULE,
            "operations that plain TensorFlow lacks, so the version does not load: "
            f"{unknown}",
        )
    if python := sorted(filter(PYTHON.search, ops)):
        yield error(
            RULE,
            f"operations that call Python: {python}: the version loads, and then "
            "answers 400",
        )
    if writes := sorted(filter(WRITES.search, ops)):
        yield error(
            RULE,
            f"operations that write: {writes}: a row's score depends on earlier "
            "requests",
        )
    if random := sorted(filter(RANDOM.search, ops)):
        yield note(RULE, f"operations that draw: {random}: a row's score may vary")
    everywhere = [*graph.node, *(node for each in functions for node in each.node_def)]
    if any(each.attr["_XlaMustCompile"].b for each in [*functions, *everywhere]):
        yield note(
            RULE, "functions compiled by XLA, which not every server is built with"
        )
    if ops & TABLES and INIT_OP not in meta_graph.signature_def:
        yield error(
            RULE,
            "lookup tables without an operation to fill them: the version loads, and "
            "then answers 400",
        )
    if unused := sorted(_variables(graph.node) - _variables(nodes)):
        yield note(
            RULE,
            "variables that no signature reads, e.g. of the optimizer, take memory: "
            f"{unused}",
        )


def _reached(meta_graph):
    """The nodes that any signature depends on, including those of functions."""
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
        # All nodes of a function are taken, so only the inputs of others are followed.
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


def _variables(nodes):
    """The names of the variables that nodes hold, except for paths of assets.

    TensorFlow saves the path of an asset as a variable of one string.
    """
    return {
        node.attr["shared_name"].s.decode() or node.name
        for node in nodes
        if node.op == "VarHandleOp" and node.attr["dtype"].type != types_pb2.DT_STRING
    }
