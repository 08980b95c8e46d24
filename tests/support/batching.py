"""How TensorFlow Serving joins the requests of a batch, for tests.

Sources: TensorFlow Serving, `batching_session.cc` (`BatchingSession::MergeInputTensors`
and `AreShapesEqualExceptZeroDim`, padding turned off); TensorFlow,
`core/framework/tensor_util.cc` (`tensor::Concat`).
"""

import numpy as np

from tf_ctr.serving.wire.protos import read_request


def merged(requests):
    """Returns the signature and the inputs of a batch; raises where all would fail."""
    names, inputs = zip(*map(read_request, requests), strict=True)
    (name,) = set(names)  # Each signature has a queue of its own.
    (keys,) = {frozenset(each) for each in inputs}
    joined = {}
    for key in keys:
        tensors = [each[key] for each in inputs]
        if len({tensor.shape[1:] for tensor in tensors}) > 1:
            raise ValueError(
                f"Tensors with name '{key}' from different tasks have different shapes "
                "and padding is turned off."
            )
        if len({tensor.dtype for tensor in tensors}) > 1:
            raise ValueError(
                "Cannot concatenate tensors that have different data types"
            )
        joined[key] = np.concatenate(tensors)
    return name, joined
