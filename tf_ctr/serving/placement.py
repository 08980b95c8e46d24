"""Which operations of a version can run on a GPU, and which stay on the CPU."""

import os
import pathlib

import pandas as pd
import tensorflow as tf

# Not public, but the registry by which TensorFlow places operations: pinned by a test.
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

from tf_ctr.errors import explain
from tf_ctr.serving.version import read_meta_graph

PARTS = ("encode", "predict_encoded")
# "DEFAULT" kernels are for all devices.
GPU = ("GPU", "DEFAULT")
# Inputs, outputs and calls, which no kernel places.
STRUCTURAL = {
    "Placeholder",
    "Identity",
    "IdentityN",
    "NoOp",
    "PartitionedCall",
    "StatefulPartitionedCall",
}


def ops_placement(version: str | os.PathLike) -> pd.DataFrame:
    """Returns the operations of a version, and whether a GPU can run them.

    They are read from its graph; nothing of the version is run.

    Args:
        version: The directory of a version that `export` wrote.

    Returns:
        A frame with the columns `part`: `"encode"` for raw values to ids, or
        `"predict_encoded"` for ids to scores; `op`; `gpu_kernel`: whether a GPU has a
        kernel for it, of the dtypes in use; and `count`, of such operations.

    Raises:
        ValueError: If the version is damaged, or was not written by `export`.
        RuntimeError: If this TensorFlow was built without GPU kernels.
    """
    if not _has_gpu("MatMul"):
        raise RuntimeError(
            explain(
                "a TensorFlow with GPU kernels; no GPU is needed",
                f"TensorFlow {tf.__version__} for the CPU only",
                "on Linux, pip install tensorflow, not tensorflow-cpu",
            )
        )
    meta_graph = read_meta_graph(version)
    rows = []
    for part in PARTS:
        for node in _nodes(meta_graph, part, version):
            if node.op not in STRUCTURAL:
                rows.append((part, node.op, _has_gpu(node.op, node)))
    frame = pd.DataFrame(rows, columns=["part", "op", "gpu_kernel"])
    return frame.value_counts(sort=False).reset_index()


def placement_report(version: str | os.PathLike) -> str:
    """Returns `ops_placement` in a few lines of text.

    Args:
        version: The directory of a version that `export` wrote.

    Raises:
        ValueError: As `ops_placement`.
        RuntimeError: As `ops_placement`.
    """
    frame = ops_placement(version)
    lines = [f"Operations of {pathlib.Path(version)} without a GPU kernel:"]
    for part in PARTS:
        own = frame[frame.part == part]
        without = own[~own.gpu_kernel]
        names = ", ".join(f"{r.op} ({r['count']})" for _, r in without.iterrows())
        lines.append(
            f"{part}: {without['count'].sum()} of {own['count'].sum()}"
            + (f": {names}" if names else "")
        )
    return "\n".join(lines)


def _nodes(meta_graph, part, version):
    """All nodes of a function, also those inside the functions that it calls."""
    objects = meta_graph.object_graph_def.nodes
    children = objects[0].children if objects else []
    found = [each.node_id for each in children if each.local_name == part]
    names = list(objects[found[0]].function.concrete_functions) if found else []
    if not names:
        raise ValueError(
            explain(
                f"a version with the function '{part}'",
                f"{version}, which has none",
                "export the model again with this release of tf_ctr",
            )
        )
    library = {f.signature.name: f for f in meta_graph.graph_def.library.function}
    todo, done = names[:1], set()
    while todo:
        name = todo.pop()
        if name in done or name not in library:
            continue
        done.add(name)
        for node in library[name].node_def:
            yield node
            values = node.attr.values()
            todo += [node.op, *(v.func.name for v in values)]
            todo += [each.name for value in values for each in value.list.func]


def _has_gpu(op, node=None):
    """Returns whether an operation has a GPU kernel, for the dtypes of `node`."""
    kernels = get_registered_kernels_for_op(op).kernel
    return any(k.device_type in GPU and _takes(k, node) for k in kernels)


def _takes(kernel, node):
    if node is None:
        return True
    return all(
        node.attr[each.name].type in each.allowed_values.list.type
        for each in kernel.constraint
        if each.name in node.attr
    )
