"""What a version declares that no memory could hold, found before anything is read.

A constant of 4 TB takes a few bytes on the disk: its shape, and the one value that all
its elements have. The same holds for the shape of a variable, for which no data needs
to be there. What depends on the requests is left to the limit of memory.

Sources, of TensorFlow: `core/framework/tensor.cc` (`Tensor::FromProto` repeats the last
value), `core/util/tensor_bundle/tensor_bundle.cc` (`BundleReader::Lookup` allocates the
declared shape, then compares it with the bytes).
"""

import math
import pathlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2, tensor_pb2, types_pb2

from tf_ctr.files.archives import read_json

# Of all constants together: a `saved_model.pb` holds no more. And of a variable beyond
# its files.
MOST_BYTES = 2**31

# Of an array that is made of a constant size.
MOST_ELEMENTS = 2**30

# A float holds it, which not every product of sizes is.
BEYOND = 10**30

# `{operation: the number of the input that has the size of its output}`.
SIZES = {
    "BroadcastTo": 1,
    "Empty": 0,
    "Fill": 0,
    "OneHot": 1,
    "ParameterizedTruncatedNormal": 0,
    "RandomStandardNormal": 0,
    "RandomUniform": 0,
    "RandomUniformInt": 0,
    "ScatterNd": 2,
    "StatelessRandomNormal": 0,
    "StatelessRandomNormalV2": 0,
    "StatelessRandomUniform": 0,
    "StatelessRandomUniformV2": 0,
    "TensorListReserve": 1,
    "TensorListResize": 1,
    "Tile": 1,
    "TruncatedNormal": 0,
}
NUMBERS = {types_pb2.DT_INT32, types_pb2.DT_INT64, types_pb2.DT_FLOAT}
# Of a layer, as its configuration says.
DIMENSIONS = ("input_dim", "output_dim", "units")
PASSES_ON = {"Cast", "Identity", "Snapshot", "StopGradient"}

Nodes = Iterable[node_def_pb2.NodeDef]


def oversized(places: Mapping[str, Nodes]) -> Iterator[str]:
    """Yields what the constants of a graph ask for that is beyond all reason.

    Args:
        places: `{function: its nodes}`, those of the graph itself under any name.
    """
    total = 0
    for nodes in places.values():
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            total += sum(map(declared_bytes, _constants(node)))
            if (elements := _elements(node, by_name)) > MOST_ELEMENTS:
                count = float(min(elements, BEYOND))
                yield f"{node.op}, which makes an array of {count:.3g} elements"
    if total > MOST_BYTES:
        yield f"constants of {min(total, BEYOND) / 2**30:.1f} GiB"


def declared_bytes(tensor: tensor_pb2.TensorProto) -> int:
    """Returns the bytes of memory that a tensor takes, by its shape."""
    sizes = (max(each.size, 0) for each in tensor.tensor_shape.dim)
    return _bytes(tensor.dtype) * math.prod(sizes)


def _bytes(dtype):
    """Bytes of an element in memory; those of a string without its text."""
    try:
        dtype = tf.as_dtype(dtype)
    except TypeError:  # A number that stands for no dtype: TensorFlow refuses it.
        return 1
    return 24 if dtype == tf.string else dtype.size


def _constants(node):
    for value in node.attr.values():
        if value.HasField("tensor"):
            yield value.tensor
        yield from value.list.tensor


def _elements(node, by_name):
    """How many elements an operation makes, as far as constants say so."""
    if node.op in ("ParseExampleV2", "ParseExample", "ParseSingleExample"):
        shapes = node.attr["dense_shapes"].list.shape
        return max((math.prod(d.size for d in each.dim) for each in shapes), default=0)
    if node.op not in {*SIZES, "Range"}:
        return 0
    values = [_value(name, by_name) for name in node.input]
    known = [each for each in values[:3] if each is not None]
    if node.op == "Range" and len(known) == 3:
        start, limit, delta = (float(each.flat[0]) for each in known)
        return abs((limit - start) / delta) if delta else 0
    number = SIZES.get(node.op, len(values))
    if number >= len(values) or values[number] is None:
        return 0
    return math.prod(int(each) for each in values[number].flat)


def _value(name, by_name):
    """The value of a small constant; `None` for anything else."""
    node = by_name.get(name.split(":")[0])
    for _ in range(10):  # A cycle would never end.
        if node is None or node.op not in PASSES_ON or not node.input:
            break
        node = by_name.get(node.input[0].split(":")[0])
    if node is None or node.op != "Const":
        return None
    tensor = node.attr["value"].tensor
    if tensor.dtype not in NUMBERS or not 0 < declared_bytes(tensor) <= 1024:
        return None
    return tf.make_ndarray(tensor)


def oversized_variables(version: pathlib.Path) -> Iterator[str]:
    """Yields variables whose declared shapes are far larger than their files.

    Args:
        version: A version directory.
    """
    folder = version / "variables"
    if not (folder / "variables.index").is_file():
        return
    there = sum(file.stat().st_size for file in folder.glob("variables.data-*"))
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables"))
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, ValueError, RuntimeError):  # Damage, which rules name.
        return
    for name in sorted(shapes):
        # A string takes a byte of the file at least, for its length.
        size = 1 if dtypes[name] == tf.string else dtypes[name].size
        declared = size * math.prod(shapes[name])
        if declared > there + MOST_BYTES:  # Less is damage, which the rules name.
            yield (
                f"the variable {name!r} of {declared:,} bytes, in files of {there:,} "
                "bytes"
            )


def oversized_layers(archive: pathlib.Path) -> Iterator[str]:
    """Yields layers of a Keras model that are far larger than the file of its weights.

    Args:
        archive: A `.keras` file whose table of contents was checked.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            config = read_json(opened.read("config.json"), f"{archive}: config.json")
            there = opened.getinfo("model.weights.h5").file_size
    except (zipfile.BadZipFile, OSError, KeyError, ValueError):  # Damage.
        return
    todo = [config]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            todo += value.values()
            sizes = [
                value.get(name, 1) for name in ("input_dim", "output_dim", "units")
            ]
            elements = math.prod(each for each in sizes if type(each) is int)
            if 4 * elements > there + MOST_BYTES:
                yield (
                    f"the layer {value.get('name')!r} of {min(elements, BEYOND):,} "
                    f"numbers, in a file of {there:,} bytes"
                )
