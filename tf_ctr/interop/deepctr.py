"""A schema from the feature columns of DeepCTR."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from tf_ctr import features
from tf_ctr.errors import explain
from tf_ctr.features.field import POOLINGS
from tf_ctr.interop.imported import Imported, Notes

KINDS = ("SparseFeat", "VarLenSparseFeat", "DenseFeat")


def from_deepctr(
    feature_columns: Iterable[Any],
    label: str | Sequence[str] = "click",
    group: str | None = None,
) -> Imported:
    """Returns the schema that feature columns of DeepCTR describe.

    DeepCTR takes ids that are numbers from 0 to `vocabulary_size` already. A `Schema`
    takes ids as they are, numbers or strings, and learns their rows by `fit`, so the
    label encoder before DeepCTR can go.

    Source: `deepctr/feature_column.py` of https://github.com/shenweichen/DeepCTR, with
    `SparseFeat`, `VarLenSparseFeat` and `DenseFeat`, read by their attributes.

    Args:
        feature_columns: The columns, e.g. those of the deep and of the linear part; a
            name that comes again is taken once.
        label: The column of the label, or of several; DeepCTR does not name it.
        group: The column of the group, for GAUC.

    Returns:
        An `Imported`.

    Raises:
        TypeError: For an object that is no feature column.
        ValueError: If there is no feature column.

    Example:

    >>> import collections
    >>> SparseFeat = collections.namedtuple(
    ...     "SparseFeat", "name vocabulary_size embedding_dim use_hash dtype"
    ... )
    >>> DenseFeat = collections.namedtuple("DenseFeat", "name dimension dtype")
    >>> columns = [SparseFeat("user", 9, 4, False, "int32"), DenseFeat("age", 1, "f")]
    >>> found = from_deepctr(columns)
    >>> [field.kind for field in found.schema.fields], found.embedding_dim
    (['Categorical', 'Numeric'], {'user': 4})
    """
    columns: dict[str, Any] = {}
    for column in feature_columns:
        _check_column(column)
        columns.setdefault(column.name, column)
    notes = Notes()
    # Tables of fields with one id per row, which others may share.
    tables = {
        column.name
        for column in columns.values()
        if _kind(column) == "SparseFeat"
        and getattr(column, "embedding_name", column.name) == column.name
    }
    for column in columns.values():
        if _kind(column) == "DenseFeat":
            _add_dense(column, notes)
        else:
            _add_ids(column, tables, notes)
    return notes.imported(label, group)


def _kind(column: Any) -> str:
    if hasattr(column, "sparsefeat"):
        return "VarLenSparseFeat"
    return "SparseFeat" if hasattr(column, "vocabulary_size") else "DenseFeat"


def _check_column(column: Any) -> None:
    is_dense = hasattr(column, "dimension")
    is_sparse = hasattr(column, "vocabulary_size")
    if not hasattr(column, "name") or not (is_dense or is_sparse):
        raise TypeError(
            explain(
                f"feature columns of DeepCTR: {', '.join(KINDS)}",
                f"{column!r}, a {type(column).__name__}",
                "pass the list that you pass to a model of DeepCTR",
            )
        )


def _add_dense(column: Any, notes: Notes) -> None:
    if getattr(column, "transform_fn", None) is not None:
        notes.add(column.name, "transform_fn", "compute it before, as a column")
    if column.dimension == 1:
        notes.fields.append(features.Numeric(column.name))
        notes.add(column.name, "DenseFeat", "standardised by fit, as DeepCTR does not")
    else:
        notes.fields.append(features.Vector(column.name, dim=column.dimension))


def _add_ids(column: Any, tables: set[str], notes: Notes) -> None:
    name, is_list = column.name, _kind(column) == "VarLenSparseFeat"
    arguments: dict[str, Any] = {"dtype": _dtype(column)}
    if getattr(column, "use_hash", False):
        arguments["num_buckets"] = column.vocabulary_size
    dim = getattr(column, "embedding_dim", None)
    table = getattr(column, "embedding_name", None) or name
    shares = table != name and table in tables
    if table != name and not shares:
        notes.add(name, f"embedding_name={table!r}", "no field has that table; its own")
    if isinstance(dim, int) and not shares:
        notes.dims[name] = dim
    for setting, meaning in (
        ("vocabulary_path", "fit learns the ids; or pass vocabulary=[...]"),
        ("length_name", "lists are as long as they are, so that it is not needed"),
    ):
        if getattr(column, setting, None) is not None:
            notes.add(name, f"{setting}={getattr(column, setting)!r}", meaning)
    if getattr(column, "trainable", True) is False:
        notes.add(name, "trainable=False", "freeze it: transfer.freeze_layers")
    pooling = _pooling(column, notes) if is_list else "mean"
    if is_list and not shares:
        arguments |= {"multivalent": True, "max_length": column.maxlen}
        arguments |= {"pooling": pooling}
        if arguments["dtype"] == "int64":
            arguments["padding"] = 0  # DeepCTR masks it.
    weight = getattr(column, "weight_name", None)
    if weight is not None and is_list and not shares:
        arguments["weights"] = weight
        if getattr(column, "weight_norm", True):
            notes.add(name, "weight_norm=True", "weights count as they are: no softmax")
        if pooling == "mean":
            notes.add(name, "combiner='mean'", "divided by the sum of the weights")
    elif weight is not None:
        notes.add(name, f"weight_name={weight!r}", "the ids of a list weigh the same")
    if is_list and shares:
        notes.add(name, "id 0", "an id here: leave the padding out of the lists")
        notes.fields.append(
            features.Sequence(name, of=table, max_length=column.maxlen, pooling=pooling)
        )
    elif shares:
        notes.fields.append(features.Categorical(name, table=table))
    else:
        notes.fields.append(features.Categorical(name, **arguments))


def _dtype(column: Any) -> Literal["string", "int64"]:
    return "string" if str(getattr(column, "dtype", "int32")) == "string" else "int64"


def _pooling(column: Any, notes: Notes) -> Literal["mean", "sum"]:
    combiner = getattr(column, "combiner", "mean")
    if combiner in POOLINGS:
        return "sum" if combiner == "sum" else "mean"
    notes.add(column.name, f"combiner={combiner!r}", "pooled by the mean")
    return "mean"
