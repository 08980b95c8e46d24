"""Checks what a server answers, before anyone ranks by it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_ctr.errors import explain
from tf_ctr.features import Schema
from tf_ctr.serving.wire.signatures import CLASSES

# The output of all signatures of an export that are asked by `predict`.
CLICK = "click"


def check_outputs(
    outputs: Mapping[str, np.ndarray],
    wanted: Sequence[str],
    shape: tuple[int, ...],
    schema: Schema | None = None,
) -> None:
    """Raises unless the outputs are those of a signature, and clicks probabilities.

    Args:
        outputs: `{output: array}`, as the server answered.
        wanted: The names of the signature's outputs.
        shape: The shape of the probabilities: `[B]`, or `[R, N]`.
        schema: The schema, whose labels name outputs of probabilities too.

    Raises:
        RuntimeError: For outputs of other names, another number of click
            probabilities, or values that are none.
    """
    if set(outputs) != set(wanted):
        raise _refused(f"the outputs {sorted(wanted)}", sorted(outputs))
    labels = () if schema is None else schema.label_names
    for name in {CLICK, *labels} & set(outputs):
        check_probabilities(outputs[name], shape)


def single(
    outputs: Mapping[str, np.ndarray], shape: tuple[int, ...] | None = None
) -> np.ndarray | dict[str, np.ndarray]:
    """Returns the only output, or several by name.

    Args:
        outputs: `{output: array}`.
        shape: The shape to give them; `None` keeps theirs.
    """
    if shape is not None:
        outputs = {name: each.reshape(shape) for name, each in outputs.items()}
    return {**outputs} if len(outputs) > 1 else next(iter(outputs.values()))


def check_probabilities(values: Any, shape: tuple[int, ...]) -> None:
    """Raises unless values are probabilities, as many as were asked for.

    Args:
        values: Numbers.
        shape: Their shape.

    Raises:
        RuntimeError: For another shape, or a value outside [0, 1], such as NaN.

    Example:

    >>> check_probabilities([0.2, float("nan")], (2,))
    Traceback (most recent call last):
    RuntimeError: Expected click probabilities between 0 and 1.
    Received: nan among 2 values.
    Fix: look at the version that is served: its weights, and its log.
    """
    array = np.asarray(values)
    if array.shape != shape:
        raise _refused(
            f"click probabilities of shape {list(shape)}", f"shape {list(array.shape)}"
        )
    is_number = array.dtype.kind == "f"
    wrong = array[~((array >= 0) & (array <= 1))] if is_number else array.ravel()
    if wrong.size:
        raise _refused(
            "click probabilities between 0 and 1",
            f"{wrong.tolist()[0]} among {array.size} values",
        )


def check_classes(rows: Sequence[Mapping[str, float]], size: int) -> None:
    """Raises unless each row has a probability of every class.

    Args:
        rows: `{class: score}` per row.
        size: How many rows were asked for.

    Raises:
        RuntimeError: For another number of rows, other classes, or scores that are no
            probabilities.
    """
    if len(rows) != size:
        raise _refused(f"{size} rows of classes", f"{len(rows)} rows")
    for row in rows:
        if set(row) != set(CLASSES):
            raise _refused(f"the classes {sorted(CLASSES)}", sorted(row))
        check_probabilities(np.array([*row.values()], "float32"), (len(CLASSES),))


def _refused(expected, received):
    fix = "look at the version that is served: its weights, and its log"
    return RuntimeError(explain(expected, received, fix))
