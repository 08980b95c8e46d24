"""Descriptions of tensors and signatures, without a graph behind them."""

from tensorflow.core.protobuf import meta_graph_pb2


def tensor_info(dtype, *sizes):
    """A tensor; `None` for a size that is open."""
    tensor = meta_graph_pb2.TensorInfo(name="x:0", dtype=dtype.as_datatype_enum)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=-1 if size is None else size)
    return tensor


def signature_def(outputs=None, method="predict", **inputs):
    """A signature of tensors by name."""
    signature = meta_graph_pb2.SignatureDef(method_name=f"tensorflow/serving/{method}")
    for name, tensor in inputs.items():
        signature.inputs[name].CopyFrom(tensor)
    for name, tensor in (outputs or {}).items():
        signature.outputs[name].CopyFrom(tensor)
    return signature
