"""The only place where files of Keras are loaded: nothing runs that came with them.

A `.keras` file names the classes to build, and Keras imports what it names. So the
archive and its `config.json` are read first, as data, and refused if they name

- a class of Keras that runs code of the file or reads other files (`REFUSED`);
- a class or function that is neither Keras's, nor registered in this process
  (`keras.saving.register_keras_serializable`), nor in `custom_objects`.

Then Keras loads with `safe_mode=True`. The rules of Keras's own lookup are in
`_retrieve_class_or_fn` of its `saving/serialization_lib.py` (3.15).
"""

import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_ctr.errors import explain
from tf_ctr.files.archives import check_archive, read_json

# They run code that the file brings, or read a file that it names.
REFUSED = {
    "Lambda",
    "__lambda__",
    "TorchModuleWrapper",
    "JaxLayer",
    "FlaxLayer",
    "TFSMLayer",
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
}

# Values that Keras writes with a class name, and builds by itself
# (`deserialize_keras_object`).
VALUES = {"__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
VALUES |= {"__typespec__", "__keras_tensor__", "__tuple__"}

# What Keras and TensorFlow raise for files that are damaged, or too large to build.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tf.errors.OpError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    MemoryError,
)


def load_model(
    path: str | os.PathLike,
    compile: bool = True,
    custom_objects: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Returns the Keras model of a file, and runs nothing that came with it.

    Args:
        path: A `.keras` file.
        compile: Whether to restore the optimizer, the loss and the metrics.
        custom_objects: `{name: class or function}` that the file may name, beside those
            of Keras and those registered in this process.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it names what may not be built, is damaged, or cannot be built.
            The message names the file.

    Example:

    >>> load_model("no-such-model.keras")
    Traceback (most recent call last):
    FileNotFoundError: Expected a Keras model in no-such-model.keras...
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            explain(
                f"a Keras model in {path}",
                "no such file",
                "pass the path of a file that model.save wrote, e.g. model.keras",
            )
        )
    try:
        check_archive(path)
        with zipfile.ZipFile(path) as archive:
            content = archive.read("config.json")
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    _check_names(path, read_json(content, f"config.json in {path}"), custom_objects)
    try:
        return keras.saving.load_model(
            path,
            custom_objects=dict(custom_objects or {}),
            compile=compile,
            safe_mode=True,
        )
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def check_weights(model: keras.Model) -> None:
    """Raises unless all weights are finite; a model with NaN may score all rows alike.

    Args:
        model: A built model.

    Raises:
        ValueError: With the weights that hold NaN or infinite values.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="d")])
    >>> check_weights(model)
    >>> _ = model.get_layer("d").kernel.assign([[float("nan")]])
    >>> check_weights(model)
    Traceback (most recent call last):
    ValueError: Expected finite weights...
    """
    wrong = [
        weight.path
        for weight in model.weights
        if keras.backend.is_float_dtype(weight.dtype)
        and not bool(tf.reduce_all(tf.math.is_finite(weight.value)))
    ]
    if wrong:
        raise ValueError(
            explain(
                "finite weights",
                f"NaN or infinite values in {wrong}",
                "train the model again, e.g. with a smaller learning rate; do not "
                "serve it",
            )
        )


def _unreadable(path, error):
    text = str(error) if isinstance(error, ValueError) else repr(error)
    return ValueError(
        explain(
            f"a Keras model in {path} that can be built",
            text[:500].rstrip("."),
            "copy or write the file again; import the code that registers layers of "
            "your own first",
        )
    )


def _check_names(path, config, custom_objects):
    for each in _objects(config):
        problem = _problem(each, custom_objects or {})
        if problem is not None:
            raise ValueError(
                explain(
                    f"classes of Keras, of tf_ctr or registered by your code in {path}",
                    problem,
                    "import the code that registers it if it is yours; a Lambda must "
                    "become a registered layer; else do not use this file",
                )
            )


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yields everything in a configuration that names a class."""
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            if "class_name" in each:
                yield each
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)


def _problem(found, custom_objects):
    """What is wrong with one object of a configuration; `None` if it may be built."""
    name, module = found["class_name"], found.get("module")
    registered = found.get("registered_name")
    known = {*custom_objects, *keras.saving.get_custom_objects()}
    if name in REFUSED:
        return f"{name}, which runs code or reads files that the file names"
    if name in known or registered in known:
        return None
    if name in VALUES and module in (None, "builtins"):
        return None
    if module == "builtins" and name == "function":
        # Keras looks its own functions up by the name in `config`.
        return None
    # Keras leaves the registered name of its own classes out, or repeats the class.
    own = registered in (None, name, f"keras>{name}") or name == "function"
    if module == "keras" or str(module).startswith("keras."):
        if own:
            return None
    return f"{registered or name} of {module or 'no module'}, which is not registered"
