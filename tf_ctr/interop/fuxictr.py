"""A schema from a dataset configuration of FuxiCTR."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tf_ctr import features
from tf_ctr.errors import check_name, explain
from tf_ctr.interop.imported import Imported, Notes

# Settings that need nothing here, or are read below.
READ = {
    "name",
    "active",
    "dtype",
    "type",
    "source",
    "min_categr_count",
    "share_embedding",
    "max_len",
    "feature_encoder",
    "normalizer",
    "category_processor",
    "num_buckets",
    "embedding_dim",
    "pretrain_dim",
    "padding",
    "splitter",
}
MEANINGS = {
    "preprocess": "compute it before, as a column",
    "fill_na": "a missing value has a row of its own, or is the mean",
    "pretrained_emb": "write it as rows of ids and vectors: Categorical(pretrained=)",
    "freeze_emb": "Categorical(pretrained=, trainable=False)",
    "remap": "ids are always looked up",
    "vocab_size": "fit learns the ids",
}


def from_fuxictr(dataset_config: Mapping[str, Any]) -> Imported:
    """Returns the schema that a dataset configuration of FuxiCTR describes.

    Source: `fuxictr/preprocess/feature_processor.py` of
    https://github.com/reczoo/FuxiCTR, whose keys of `feature_cols`, `label_col`,
    `group_id` and `min_categr_count` are read.

    Args:
        dataset_config: The entry of one data set in `dataset_config.yaml`, as a dict.

    Returns:
        An `Imported`.

    Raises:
        TypeError: If it is not a dict with `feature_cols`.
        ValueError: For an unknown type of a field, or one that lacks its size.

    Example:

    >>> found = from_fuxictr({
    ...     "feature_cols": [
    ...         {"name": ["user", "item"], "active": True, "dtype": "str",
    ...          "type": "categorical"},
    ...         {"name": "clicks", "active": True, "dtype": "str", "type": "sequence",
    ...          "share_embedding": "item", "max_len": 50},
    ...     ],
    ...     "label_col": {"name": "click", "dtype": "float"},
    ...     "min_categr_count": 2,
    ... })
    >>> [field.kind for field in found.schema.fields]
    ['Categorical', 'Categorical', 'Sequence']
    """
    if not isinstance(dataset_config, Mapping) or "feature_cols" not in dataset_config:
        keys = sorted(dataset_config) if isinstance(dataset_config, Mapping) else ()
        raise TypeError(
            explain(
                "the configuration of one data set, a dict with 'feature_cols'",
                f"{type(dataset_config).__name__} with {', '.join(keys) or 'no keys'}",
                "pass yaml.safe_load(open('dataset_config.yaml'))['my_data']",
            )
        )
    notes = Notes()
    columns = [*_columns(dataset_config["feature_cols"])]
    least = dataset_config.get("min_categr_count", 1)
    single = {
        c["name"]
        for c in columns
        if c.get("type") == "categorical"
        and c.get("active") is not False
        and c.get("category_processor") != "quantile_bucket"
        and c.get("share_embedding") in (None, c["name"])
    }
    for column in columns:
        if column.get("active") is False:
            notes.add(column["name"], "active=False", "left out")
            continue
        kind = column.get("type")
        check_name("type of a feature column", kind, [*BUILDERS, "meta"])
        for setting in column:
            if setting in MEANINGS:
                value = repr(column[setting])
                notes.add(column["name"], f"{setting}={value}", MEANINGS[setting])
            elif setting not in READ:
                notes.add(column["name"], setting, "no counterpart")
        if kind != "meta":
            BUILDERS[kind]({"min_categr_count": least, **column}, single, notes)
    labels = dataset_config.get("label_col", {"name": "click"})
    labels = labels if isinstance(labels, list) else [labels]
    return notes.imported(
        [each if isinstance(each, str) else each["name"] for each in labels],
        dataset_config.get("group_id"),
    )


def _columns(given: Any) -> Iterator[dict[str, Any]]:
    """Yields a column per name, which may be a list of names."""
    for column in given if isinstance(given, list | tuple) else [given]:
        if not isinstance(column, Mapping) or "name" not in column:
            raise TypeError(
                explain(
                    "a list of dicts with 'name' as 'feature_cols'",
                    repr(column),
                    "write e.g. - {name: user, dtype: str, type: categorical}",
                )
            )
        names = column["name"]
        for name in names if isinstance(names, list) else [names]:
            yield {**column, "name": name}


def _numeric(column: Mapping[str, Any], single: set[str], notes: Notes) -> None:
    normalizer = column.get("normalizer")
    if normalizer != "StandardScaler":
        notes.add(column["name"], f"normalizer={normalizer!r}", "standardised by fit")
    notes.fields.append(features.Numeric(column["name"]))


def _embedding(column: Mapping[str, Any], single: set[str], notes: Notes) -> None:
    dim = column.get("pretrain_dim", column.get("embedding_dim"))
    if not isinstance(dim, int):
        raise ValueError(
            explain(
                f"the length of the vectors of {column['name']!r}, as 'pretrain_dim'",
                repr(dim),
                "add pretrain_dim to its column",
            )
        )
    notes.fields.append(features.Vector(column["name"], dim=dim))


def _categorical(column: Mapping[str, Any], single: set[str], notes: Notes) -> None:
    name, processor = column["name"], column.get("category_processor")
    buckets = column.get("num_buckets", 10)
    if processor == "quantile_bucket":
        notes.fields.append(
            features.Numeric(name, transform="quantile", num_bins=buckets)
        )
        return
    arguments = _ids(column, notes)
    if processor == "hash_bucket":
        arguments = {"dtype": arguments["dtype"], "num_buckets": buckets}
    elif processor is not None:
        notes.add(name, f"category_processor={processor!r}", "ids with a vocabulary")
    table = column.get("share_embedding")
    if table is not None and table != name:
        check_name("column to share the table of", table, single)
        notes.dims.pop(name, None)
        arguments = {"table": table}
    notes.fields.append(features.Categorical(name, **arguments))


def _sequence(column: Mapping[str, Any], single: set[str], notes: Notes) -> None:
    name, length = column["name"], column.get("max_len") or None
    encoder = str(column.get("feature_encoder", "MaskedAveragePooling"))
    pooling = "sum" if "Sum" in encoder else "mean"
    if "Average" not in encoder and "Sum" not in encoder:
        notes.add(
            name, f"feature_encoder={encoder!r}", "the backbone decides: din attends"
        )
    notes.add(
        name,
        f"splitter={column.get('splitter', '^')!r}",
        "tf_ctr.data.rows(path, separator=...) for text; Parquet may have lists",
    )
    table = column.get("share_embedding")
    arguments: dict[str, Any] = {"pooling": pooling}
    if length is not None:
        arguments["max_length"] = length
    if table in single:
        notes.fields.append(features.Sequence(name, of=str(table), **arguments))
        return
    if table is not None:
        notes.add(
            name, f"share_embedding={table!r}", "no such field; a table of its own"
        )
    arguments |= {"multivalent": True, **_ids(column, notes)}
    notes.fields.append(features.Categorical(name, **arguments))


def _ids(column: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    dim = column.get("embedding_dim")
    if isinstance(dim, int):
        notes.dims[column["name"]] = dim
    is_text = column.get("dtype", "str") in ("str", str)
    return {
        "dtype": "string" if is_text else "int64",
        "min_count": column["min_categr_count"],
    }


BUILDERS: dict[Any, Callable[[Mapping[str, Any], set[str], Notes], None]] = {
    "categorical": _categorical,
    "embedding": _embedding,
    "numeric": _numeric,
    "sequence": _sequence,
}
