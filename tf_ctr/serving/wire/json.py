"""Tensors and examples as the JSON of the REST API."""

import base64
import binascii

import numpy as np
import tensorflow as tf

from tf_ctr.errors import explain, unknown_name

INTEGERS = {tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8}


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


def predict_feeds(body, signatures):
    """Returns the signature and the tensors of the body of a `:predict` request.

    Row format `{"instances": [{input: value}]}` or column format `{"inputs": {input:
    values}}`; the name of a single input may be left out. An integer tensor takes no
    `1.0`, a string tensor takes text or `{"b64": ...}`, lists must be rectangular.

    Source: TensorFlow Serving, RESTful API, "Predict API"; `json_tensor.cc`.

    Args:
        body: The parsed JSON.
        signatures: `{name: SignatureDef}`.

    Returns:
        `(name, {input: array})`.

    Raises:
        ValueError: For a body that the server answers with status 400.
    """
    if not isinstance(body, dict):
        refuse("a JSON object", type(body).__name__, 'write {"instances": [...]}')
    formats = {"instances", "inputs"} & set(body)
    if len(formats) != 1:
        refuse("either 'instances' or 'inputs'", sorted(body), "give one of them")
    if unknown := set(body) - {"instances", "inputs", "signature_name"}:
        refuse("no further key", sorted(unknown), "remove it")
    name = body.get("signature_name", "serving_default")
    if not isinstance(name, str) or name not in signatures:
        raise ValueError(unknown_name("signature", name, signatures))
    inputs = signatures[name].inputs
    if "inputs" in body:
        columns = _columns(body["inputs"], inputs)
    else:
        columns = _of_rows(body["instances"], inputs)
    return name, {key: tensor(columns[key], inputs[key], key) for key in inputs}


def _columns(given, inputs):
    if not isinstance(given, dict) or "b64" in given:
        given = {next(iter(inputs)): given} if len(inputs) == 1 else {}
    if set(given) != set(inputs):
        refuse(f"the inputs {sorted(inputs)}", sorted(given), "give each by its name")
    return given


def _of_rows(rows, inputs):
    if not isinstance(rows, list) or not rows:
        refuse("a list of rows as 'instances'", repr(rows)[:80], "give one at least")
    columns = [_columns(row, inputs) for row in rows]
    return {key: [row[key] for row in columns] for key in inputs}


def tensor(values, info, name):
    """Returns JSON values as an array of the dtype of a `TensorInfo`.

    Raises:
        ValueError: For values of another type, or lists that are not rectangular.
    """
    dtype = tf.as_dtype(info.dtype)
    flat, size = [], _size(values)
    _flatten(values, size, flat, name)
    array = np.empty(len(flat), object if dtype == tf.string else dtype.as_numpy_dtype)
    for i, value in enumerate(flat):
        try:
            array[i] = json_value(value, dtype, name)
        except OverflowError:
            refuse(f"{name!r} as {dtype.name}", value, "give an id in its range")
    return array.reshape(size)


def _size(values):
    if not isinstance(values, list):
        return ()
    return (len(values), *(_size(values[0]) if values else ()))


def _flatten(values, size, flat, name):
    if not size and not isinstance(values, list):
        flat.append(values)
    elif not size or not isinstance(values, list) or len(values) != size[0]:
        refuse(
            f"{name!r} with lists of one length",
            repr(values)[:80],
            "pad the lists of a request with the missing value",
        )
    else:
        for each in values:
            _flatten(each, size[1:], flat, name)


def json_value(value, dtype, name):
    """Returns one JSON value as an element of a tensor of `dtype`, or raises."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype == tf.string:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and set(value) == {"b64"}:
            return _decoded(value["b64"], name)
    elif dtype in INTEGERS and number and isinstance(value, int):
        return value
    elif dtype == tf.bool and isinstance(value, bool):
        return value
    elif dtype.is_floating and number:
        return value
    fix = "write integers without a point" if dtype in INTEGERS else "convert it"
    return refuse(f"{name!r} as {dtype.name}", repr(value)[:80], fix)


def _decoded(text, name):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as problem:
        return refuse(f"{name!r} in base64", problem, "encode it by base64")


def refuse(expected, received, fix):
    """Raises what the server answers with status 400."""
    raise ValueError(explain(expected, received, fix))


def example_feeds(body):
    """Returns the serialized examples of the body of `:classify` or `:regress`.

    Integers become int64 features, numbers with a point float ones, text bytes. What
    `context` holds goes into every example that lacks it.

    Source: TensorFlow Serving, RESTful API, "Classify and Regress API".

    Args:
        body: The parsed JSON.

    Returns:
        A list of bytes.

    Raises:
        ValueError: For a body that the server answers with status 400.
    """
    rows = body.get("examples") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        refuse("a list of rows as 'examples'", repr(rows)[:80], "give one at least")
    if unknown := set(body) - {"examples", "context", "signature_name"}:
        refuse("no further key", sorted(unknown), "remove it")
    return [_example({**body.get("context", {}), **row}) for row in rows]


def _example(values):
    features = {name: _feature(value, name) for name, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _feature(value, name):
    flat = value if isinstance(value, list) else [value]
    if all(isinstance(each, int) for each in flat):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=flat))
    if all(isinstance(each, int | float) for each in flat):
        return tf.train.Feature(float_list=tf.train.FloatList(value=flat))
    text = [json_value(each, tf.string, name) for each in flat]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=text))
