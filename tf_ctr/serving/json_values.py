"""Tensors and examples as the JSON of the REST API."""

import base64

import numpy as np


def json_values(array):
    """Returns an array as nested lists; bytes that are no UTF-8 text as base64.

    Example:

    >>> import numpy as np
    >>> json_values(np.array([b"ann", b"\\xff"], object))
    ['ann', {'b64': '/w=='}]
    """
    if array.dtype.kind in "OS":
        flat = [_text(value) for value in array.ravel().tolist()]
        return _nested(flat, array.shape)
    if array.dtype == np.float32:  # The shortest number that reads back the same.
        array = array.astype(str).astype("float64")
    return array.tolist()


def json_example(example):
    """Returns a `tf.train.Example` as `{feature: list}`, without empty ones.

    The server tells integers from floats by the decimal point, which Python writes.
    """
    values = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        dtype = {"bytes_list": object, "float_list": np.float32}.get(kind, np.int64)
        array = np.array(list(getattr(feature, kind).value), dtype)
        if array.size:
            values[name] = json_values(array)
    return values


def _text(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _nested(flat, size):
    """Lists of the shape `size`: NumPy would look into the values."""
    for length in reversed(size[1:]):
        flat = [flat[i : i + length] for i in range(0, len(flat), length or 1)]
    return flat if np.prod(size) else np.empty(size).tolist()
