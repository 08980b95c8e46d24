"""The JSON of TF Serving's REST API: inputs as bodies, and back.

Reading is as strict as the server's parser. Sources: TensorFlow Serving, RESTful API,
"Predict API" and "Classify and Regress API"; `json_tensor.cc`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tf_ctr.errors import check_name, explain
from tf_ctr.serving.wire.signatures import DEFAULT

INTEGERS = {tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8}


def json_values(array: np.ndarray) -> Any:
    """Returns an array as nested lists; bytes that are no UTF-8 text as base64.

    Example:

    >>> import numpy as np
    >>> json_values(np.array([b"ann", b"\\xff"], object))
    ['ann', {'b64': '/w=='}]
    """
    if array.dtype.kind in "OS":
        flat = [_text(value) for value in array.ravel().tolist()]
        # By hand: NumPy would look into the values.
        for length in reversed(array.shape[1:]):
            flat = [flat[i : i + length] for i in range(0, len(flat), length or 1)]
        return flat if array.size else np.empty(array.shape).tolist()
    if array.dtype == np.float32:  # The shortest number that reads back the same.
        array = array.astype(str).astype("float64")
    return array.tolist()


def json_example(example: tf.train.Example) -> dict[str, list[Any]]:
    """Returns an example as `{feature: list}`, without empty features.

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


def read_predict(
    body: Any, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
) -> tuple[str, dict[str, np.ndarray]]:
    """Returns the signature and the inputs of the body of a `:predict` request.

    A body has rows, `{"instances": [{input: value}]}`, or columns, `{"inputs": {input:
    values}}`. The name of a single input may be left out. An integer tensor takes no
    `1.0`, a string tensor takes text or `{"b64": ...}`, and lists must be rectangular.
    Further keys of the body are ignored, as are unknown inputs in a body of columns.

    Args:
        body: The parsed JSON.
        signatures: `{name: SignatureDef}`.

    Returns:
        `(name, {input: array})`.

    Raises:
        ValueError: For a body that the server answers with status 400.
    """
    if not isinstance(body, dict):
        raise _refusal(
            "a JSON object", type(body).__name__, 'write {"instances": [...]}'
        )
    formats = {"instances", "inputs"} & set(body)
    if len(formats) != 1:
        raise _refusal(
            "either 'instances' or 'inputs'", sorted(body), "give one of them"
        )
    name = body.get("signature_name", DEFAULT)
    check_name("signature", name if isinstance(name, str) else repr(name), signatures)
    inputs = signatures[name].inputs
    if "inputs" in body:
        columns = _columns(body["inputs"], inputs)
    else:
        rows = [_by_input(row, inputs) for row in _rows(body, "instances")]
        columns = {key: [row[key] for row in rows] for key in inputs}
    return name, {key: _tensor(columns[key], inputs[key], key) for key in inputs}


def read_examples(body: Any) -> tuple[str, dict[str, np.ndarray]]:
    """Returns the signature and the inputs of a `:classify` or `:regress` request.

    Integers become int64 features, numbers with a decimal point float features, text
    bytes. A feature of `context` is in every example that lacks it. Like `:predict`,
    both ask `serving_default` unless the body names a signature.

    Args:
        body: The parsed JSON.

    Returns:
        `(name, {"inputs": serialized examples})`.

    Raises:
        ValueError: For a body that the server answers with status 400.
    """
    rows = _rows(body, "examples")
    examples = [_example({**body.get("context", {}), **row}) for row in rows]
    return body.get("signature_name", DEFAULT), {"inputs": np.array(examples, object)}


def _refusal(expected, received, fix):
    """The error for what the server answers with status 400."""
    return ValueError(explain(expected, received, fix))


def _rows(body, key):
    rows = body.get(key) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        received = repr(rows)[:80]
        raise _refusal(f"a list of rows as {key!r}", received, "give at least one")
    return rows


def _columns(given, inputs):
    """As `_by_input`, without the columns that are no input."""
    if isinstance(given, dict) and set(given) > set(inputs):
        given = {key: given[key] for key in inputs}
    return _by_input(given, inputs)


def _by_input(given, inputs):
    """The values by name of the input, which a single input does not need."""
    if not isinstance(given, dict) or "b64" in given:
        given = {next(iter(inputs)): given} if len(inputs) == 1 else {}
    if set(given) != set(inputs):
        expected = f"the inputs {sorted(inputs)}"
        raise _refusal(expected, sorted(given), "give each by its name")
    return given


def _tensor(values, info, name):
    """JSON values as an array of the dtype of a `TensorInfo`."""
    dtype = tf.as_dtype(info.dtype)
    flat, size = [], _size(values)
    _flatten(values, size, flat, name)
    array = np.empty(len(flat), object if dtype == tf.string else dtype.as_numpy_dtype)
    for i, value in enumerate(flat):
        try:
            array[i] = _element(value, dtype, name)
        except OverflowError:
            expected = f"{name!r} as {dtype.name}"
            raise _refusal(expected, value, "give an id in its range") from None
    return array.reshape(size)


def _size(values):
    """The shape of nested lists, by the first element of each."""
    if not isinstance(values, list):
        return ()
    return (len(values), *(_size(values[0]) if values else ()))


def _flatten(values, size, flat, name):
    if not size and not isinstance(values, list):
        flat.append(values)
    elif not size or not isinstance(values, list) or len(values) != size[0]:
        raise _refusal(
            f"{name!r} with lists of one length",
            repr(values)[:80],
            "pad the lists of a request with the missing value",
        )
    else:
        for each in values:
            _flatten(each, size[1:], flat, name)


def _element(value, dtype, name):
    """One JSON value as an element of a tensor."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype == tf.string:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and set(value) == {"b64"}:
            try:
                return base64.b64decode(value["b64"], validate=True)
            except (binascii.Error, TypeError) as problem:
                expected = f"{name!r} in base64"
                raise _refusal(expected, problem, "encode it by base64") from None
    elif dtype in INTEGERS and number and isinstance(value, int):
        return value
    elif dtype == tf.bool and isinstance(value, bool):
        return value
    elif dtype.is_floating and number:
        largest = 2 ** (24 if dtype == tf.float32 else 53) - 1
        if isinstance(value, float) or abs(value) <= largest:
            return value
        expected = f"{name!r} as {dtype.name} without loss of precision"
        raise _refusal(expected, value, "write the number with a decimal point")
    fix = "write integers without a point" if dtype in INTEGERS else "convert it"
    raise _refusal(f"{name!r} as {dtype.name}", repr(value)[:80], fix)


def _example(values):
    features = {name: _feature(value, name) for name, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _feature(value, name):
    flat = value if isinstance(value, list) else [value]
    if all(isinstance(each, int) for each in flat):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))
    if all(isinstance(each, float) for each in flat):
        return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
    if any(isinstance(each, int | float) for each in flat):
        fix = "write either all or no numbers with a decimal point"
        raise _refusal(f"{name!r} with values of one kind", repr(value)[:80], fix)
    text = [_element(each, tf.string, name) for each in flat]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=text))


def _text(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
