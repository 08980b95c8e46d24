"""Two domains of a user's own files, described by a TOML file.

    name = "shop"
    label = "click"
    group = "user_id"        # GAUC, and the users of the summary
    item = "item_id"
    time = "day"             # the last value is the test, the one before chooses

    [fields]
    user_id = "categorical"
    item_id = "categorical"
    price = "numeric"
    history = {kind = "sequence", of = "item_id", max_length = 20}

    [source]
    rows = "shop.parquet"    # a file, a folder or a pattern

    [target]
    train = "outlet_train.parquet"
    validation = "outlet_validation.parquet"
    test = "outlet_test.parquet"

A domain has either `rows`, which `time` cuts, or its three parts. Paths are meant from
the folder of the TOML file. Further keys of a field are the arguments of its class.
"""

import pathlib
import tomllib
from collections.abc import Mapping

import pandas as pd

from tf_ctr.data import rows
from tf_ctr.datasets.domains import Splits, TwoDomains
from tf_ctr.errors import check_name, explain
from tf_ctr.features import Categorical, Numeric, Schema, Sequence

KINDS = {"categorical": Categorical, "numeric": Numeric, "sequence": Sequence}
KEYS = ("name", "label", "group", "item", "time", "fields", "source", "target")
NEEDED = ("group", "item", "fields", "source", "target")
PARTS = ("train", "validation", "test")


def load_own(path: pathlib.Path) -> TwoDomains:
    """Returns the two domains that a TOML file describes, held in memory.

    Args:
        path: The file.

    Raises:
        ValueError: If the file is no TOML, or a key, a kind or a column is wrong.
    """
    try:
        described = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            explain("a TOML file", f"{path}: {error}", "mend that line")
        ) from error
    for key in described:
        check_name(f"key of {path}", key, KEYS)
    for key in NEEDED:
        if key not in described:
            raise ValueError(
                explain(f"the key `{key}` in {path}", "none", "add it; see --help")
            )
    fields = [_field(name, given) for name, given in described["fields"].items()]
    label, group, item = (
        described.get(key, "click") for key in ("label", "group", "item")
    )
    schema = Schema(fields, label=label, group=group)
    time = described.get("time")
    kept = dict.fromkeys([label, group, item, *([time] if time else [])])
    domains = {
        name: _splits(name, described[name], path.parent, time, schema, list(kept))
        for name in ("source", "target")
    }
    return TwoDomains.fit(
        described.get("name", path.stem), schema, **domains, item=item
    )


def _field(name, given):
    given = {"kind": given} if isinstance(given, str) else dict(given)
    kind = given.pop("kind", None)
    check_name(f"kind of the field {name}", kind, KINDS)
    return KINDS[kind](name, **given)


def _splits(
    domain: str,
    given: Mapping[str, str],
    folder: pathlib.Path,
    time: str | None,
    schema: Schema,
    kept: list[str],
) -> Splits:
    for key in given:
        check_name(f"key of [{domain}]", key, ("rows", *PARTS))
    if set(given) == set(PARTS):
        read = {part: _read(folder, given[part], schema, kept) for part in PARTS}
        return Splits(**read)
    if set(given) != {"rows"} or time is None:
        raise ValueError(
            explain(
                f"in [{domain}] either `rows`, and `time` at the top, or "
                f"{', '.join(PARTS)}",
                ", ".join(given) or "none of them",
                "see --help",
            )
        )
    frame = _read(folder, given["rows"], schema, kept)
    moments = sorted(frame[time].unique())
    if len(moments) < 3:
        raise ValueError(
            explain(
                f"at least three values of `{time}` in [{domain}]",
                len(moments),
                "name a column such as the day",
            )
        )
    *_, before, last = moments
    return Splits(
        frame[frame[time] < before],
        frame[frame[time] == before],
        frame[frame[time] == last],
    )


def _read(folder, path, schema, kept) -> pd.DataFrame:
    columns = dict.fromkeys([*(f.column or f.name for f in schema.fields), *kept])
    where = path if "://" in path else str(folder / path)
    opened = rows(where)
    frames = [frame for _, frame in opened.frames(list(columns))]
    if not frames:
        raise ValueError(explain("rows", f"none in {where}", "check the path"))
    return pd.concat(frames, ignore_index=True)
