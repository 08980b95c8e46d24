"""What a version could do beyond computing, found by reading its protos.

Sources, of TensorFlow: `python/saved_model/load.py` (which functions run while it is
loaded), `cc/saved_model/loader.cc` (`RunRestore`, `RunInitOp`),
`core/common_runtime/function.cc` (a function that is called by the name of an operation
is that operation).
"""

import os
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tf_ctr.errors import explain
from tf_ctr.files.archives import check_archive
from tf_ctr.serving.untrusted.names import path_names
from tf_ctr.serving.untrusted.operations import ALLOWED, READS_ASSET
from tf_ctr.serving.untrusted.sizes import (
    oversized,
    oversized_layers,
    oversized_variables,
)
from tf_ctr.serving.version import EXTRA, check_version_directory

# Only in the function that restores the variables; the version's own are its input.
RESTORES = {"RestoreV2"}

# Only in the function that saves the variables, which nothing runs.
SAVES = {"SaveV2", "MergeV2Checkpoints", "ShardedFilename"}

# TensorFlow reads these rather than, or instead of, a `saved_model.pb`.
OTHER_FORMS = ("saved_model.cpb", "saved_model.pbtxt")

FIX = (
    "do not run this version; if you trust those who wrote it, run it with --trust "
    "(trust=True)"
)


def require_harmless(version: str | os.PathLike) -> None:
    """Raises unless a version can do nothing but compute.

    Args:
        version: A version directory.

    Raises:
        ValueError: With everything that `problems` finds.
    """
    if found := list(problems(version)):
        raise ValueError(
            explain(
                f"a version that only computes, in {version}", "; ".join(found), FIX
            )
        )


def problems(version: str | os.PathLike) -> Iterator[str]:
    """Yields what a version could do beyond computing. Nothing of it is run.

    Args:
        version: A version directory.

    Raises:
        ValueError: If there is no `saved_model.pb`.
    """
    version = check_version_directory(version)
    for name in OTHER_FORMS:
        if (version / name).exists():
            yield f"{name}, which TensorFlow would read beside the saved_model.pb"
    for path in sorted(version.rglob("*")):
        if path.is_symlink():
            yield f"the link {path.relative_to(version)}"
    for archive in sorted((version / EXTRA).glob("*.keras")):
        try:
            check_archive(archive)
        except (zipfile.BadZipFile, OSError):  # Damage, which the rules name.
            continue
        except ValueError as error:
            yield f"{EXTRA}/{archive.name}: {str(error).splitlines()[0]}"
            continue
        yield from oversized_layers(archive)
    yield from oversized_variables(version)
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString((version / "saved_model.pb").read_bytes())
    except DecodeError:  # `read_meta_graph` says so, and nothing loads it.
        return
    if len(saved_model.meta_graphs) != 1:
        yield f"{len(saved_model.meta_graphs)} graphs in place of one"
    for meta_graph in saved_model.meta_graphs:
        yield from path_names(meta_graph)
        yield from _Graph(meta_graph).problems()


class _Graph:
    """One graph, with the functions of its library."""

    def __init__(self, meta_graph: Any) -> None:
        self.meta_graph = meta_graph
        self.main = {node.name: node for node in meta_graph.graph_def.node}
        library = meta_graph.graph_def.library.function
        self.library = {each.signature.name: each for each in library}
        self.functions = {each.signature.name: each.node_def for each in library}
        self.places: Mapping[str, Any] = {"": self.main.values(), **self.functions}
        # `{function: [(the place of a call, the node that calls)]}`.
        self.calls: dict[str, list[tuple[str, Any]]] = {}
        for place, nodes in self.places.items():
            for node in nodes:
                for name in _called(node):
                    self.calls.setdefault(name, []).append((place, node))
        saver = meta_graph.saver_def
        self.saver_file = _node_name(saver.filename_tensor_name)
        self.saving = self._only_called_by(_node_name(saver.save_tensor_name))
        self.restoring = self._only_called_by(saver.restore_op_name)

    def problems(self) -> Iterator[str]:
        """Yields what may not run, each with its function."""
        yield from oversized(self.places)
        shown = set()
        for place, nodes in self.places.items():
            for node in nodes:
                for problem in self._of_node(place, node):
                    if problem not in shown:
                        shown.add(problem)
                        yield problem

    def _of_node(self, place, node):
        op = node.op
        if op in RESTORES:
            if not self._restores_its_own(place, node):
                yield f"{op}, which reads a file that is not the version's own"
        elif op in SAVES:
            if place == "" or place != self.saving:
                yield f"{op}, which writes files"
        elif op in READS_ASSET:
            if not self._reads_an_asset(place, node):
                yield f"{op}, which reads a file that is no asset of the version"
        elif op not in ALLOWED and op not in self.functions:
            yield f"{op}, which is not known to compute only"
        for name in _called(node) - {op}:
            # The name of an operation would call that operation.
            if name not in self.functions:
                yield f"{op} that calls {name!r}, which is no function of the version"

    def _only_called_by(self, node_name):
        """The function that one node of the graph calls, and nothing else does."""
        node = self.main.get(node_name)
        if node is None:
            return None
        names = _called(node) & set(self.functions)
        used = any(
            _node_name(each) == node_name and not each.startswith("^")
            for other in self.main.values()
            for each in other.input
        )
        if len(names) != 1 or used:
            return None
        [name] = names
        listed = self.meta_graph.object_graph_def.concrete_functions
        return name if len(self.calls[name]) == 1 and name not in listed else None

    def _restores_its_own(self, place, node):
        """Whether the prefix of the files is the one that the loader passes."""
        if place == "" or place != self.restoring:
            return False
        [(_, call)] = self.calls[place]
        arguments = [each.name for each in self.library[place].signature.input_arg]
        first = call.input[0] if call.input else ""
        given = self.main.get(_node_name(first))
        return (
            bool(arguments)
            and node.input[0] == arguments[0]
            and _node_name(first) == self.saver_file
            and given is not None
            and given.op == "Placeholder"
        )

    def _reads_an_asset(self, place, node):
        """Whether a function that fills a table is told an asset by every caller.

        TensorFlow exchanges the constant of an asset for its path only while a version
        is initialised. So nothing that a signature reaches may read it.
        """
        if place == "":
            return False
        arguments = [each.name for each in self.library[place].signature.input_arg]
        file = node.input[READS_ASSET[node.op]]
        calls = self.calls.get(place, [])
        if file not in arguments or not calls or any(where for where, _ in calls):
            return False
        number = arguments.index(file)
        assets = {
            each.tensor_info.name.removesuffix(":0")
            for each in self.meta_graph.asset_file_def
        }
        given = {_node_name(call.input[number]) for _, call in calls}
        callers = {call.name for _, call in calls}
        return (
            all(each in assets or self._holds(each, assets) for each in given)
            and not callers & self._reached_by_signatures()
            and self._is_bound_to_an_asset(place, number, len(arguments))
        )

    def _holds(self, name, assets):
        """Whether a node reads a variable that only ever holds the path of an asset.

        `TextFileInitializer` keeps its path in one.
        """
        read = self.main.get(name)
        if read is None or read.op != "ReadVariableOp":
            return False
        handle = self.main.get(_node_name(read.input[0]))
        if handle is None or handle.op != "VarHandleOp":
            return False
        alike = [
            (place, node)
            for place, nodes in self.places.items()
            for node in nodes
            if node.op == "VarHandleOp" and _shared(node) == _shared(handle)
        ]
        users = [
            node
            for node in self.main.values()
            if handle.name in map(_node_name, node.input)
        ]
        written = [node for node in users if node.op == "AssignVariableOp"]
        only = {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"}
        return (
            len(alike) == 1
            and {node.op for node in users} <= only
            and {_node_name(node.input[1]) for node in written} <= assets
        )

    def _is_bound_to_an_asset(self, function, number, count):
        """Whether the objects of the version, too, pass an asset to the function."""
        objects = self.meta_graph.object_graph_def
        if function not in objects.concrete_functions:
            return True
        bound = objects.concrete_functions[function].bound_inputs
        if len(bound) != count or not 0 <= bound[number] < len(objects.nodes):
            return False
        return objects.nodes[bound[number]].WhichOneof("kind") == "asset"

    def _reached_by_signatures(self):
        """The names of the graph's nodes that a signature depends on."""
        todo = [
            _node_name(info.name)
            for key, signature in self.meta_graph.signature_def.items()
            if key not in ("__saved_model_init_op", "__saved_model_train_op")
            for info in signature.outputs.values()
        ]
        found = set()
        while todo:
            name = todo.pop()
            if name not in found and name in self.main:
                found.add(name)
                todo.extend(map(_node_name, self.main[name].input))
        return found


def _shared(handle):
    return handle.attr["shared_name"].s.decode(errors="replace") or handle.name


def _node_name(tensor):
    return tensor.removeprefix("^").split(":")[0]


def _called(node):
    """The names of the functions that a node calls, by its kind or by an attribute."""
    values = node.attr.values()
    names = {each.func.name for each in values if each.HasField("func")}
    names |= {each.name for value in values for each in value.list.func}
    return names | {node.op}
