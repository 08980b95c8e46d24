"""Writes and reads a schema as a JSON file."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, TypedDict

from tf_ctr.errors import explain
from tf_ctr.features.field import Field
from tf_ctr.features.outcomes import Weight
from tf_ctr.files import replacing
from tf_ctr.files.sealed import sealed, unsealed

FORMAT = "tf_ctr.Schema"
VERSION = 1
UNREADABLE = (OSError, KeyError, TypeError)
# All that a file of version 0.2 can have, which has no sum of its own.
OF_0_2 = {"format", "version", "label", "group", "weight", "coverage", "fields"}


class SchemaRecord(TypedDict):
    """The values of a saved schema.

    Attributes:
        labels: The columns of labels. A file with one has it as `label`, as older
            releases wrote it; they refuse a file without.
        group: The column of groups, or `None`.
        weight: The column of weights, or one per label, or `None`. A file without
            weights does not have it, so that it stays as older releases wrote it.
        coverage: By field the share of values with a row of their own.
        fields: Pairs of a fitted field and the same field before it was fitted.
    """

    labels: Sequence[str]
    group: str | None
    weight: Weight
    coverage: dict[str, float | None]
    fields: list[tuple[Field, Field]]


def write(path: str | os.PathLike, record: SchemaRecord) -> None:
    """Writes a schema; an existing file is replaced in one step."""
    fields = [_to_json(field, spec) for field, spec in record["fields"]]
    labels = record["labels"]
    named = {"label": labels[0]} if len(labels) == 1 else {"labels": [*labels]}
    values: dict[str, Any]
    values = {"format": FORMAT, "version": VERSION, **named, "group": record["group"]}
    if record["weight"] is not None:
        values["weight"] = record["weight"]
    values |= {"coverage": record["coverage"], "fields": fields}
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(sealed(text) + "\n", encoding="utf-8")


def read(path: str | os.PathLike) -> SchemaRecord:
    """Returns the schema that `write` wrote.

    Raises:
        ValueError: If there is no such file, it is of another kind or version, or it
            is not as it was written.
    """
    try:
        values, has_sum = _values(path)
        _check_version(path, values)
        if not has_sum and not OF_0_2.issuperset(values):
            raise ValueError(_corrupt(path, f"other entries than {sorted(OF_0_2)}"))
        return SchemaRecord(
            labels=values["labels"] if "labels" in values else [values["label"]],
            group=values["group"],
            weight=values.get("weight"),
            coverage=values["coverage"],
            fields=[_from_json(each) for each in values["fields"]],
        )
    except UNREADABLE as error:
        raise ValueError(_corrupt(path, repr(error))) from error


def _values(path):
    try:
        return unsealed(pathlib.Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(_corrupt(path, f"a file {error}")) from error


def _to_json(field: Field, spec: Field) -> dict[str, Any]:
    given, values = spec.arguments(), field.arguments()
    learned = [name for name in values if values[name] != given[name]]
    return {"kind": field.kind, **values, "learned": learned}


def _from_json(record: dict[str, Any]) -> tuple[Field, Field]:
    values = {**record}
    kinds = {kind.__name__: kind for kind in Field.__subclasses__()}
    kind, learned = kinds[values.pop("kind")], values.pop("learned")
    # An argument that was learned had not been given, so it was None.
    return kind.restored(values), kind.restored({**values, **dict.fromkeys(learned)})


def _check_version(path, values):
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(_corrupt(path, "other JSON"))
    if values.get("version") != VERSION:
        raise ValueError(
            explain(
                f"a schema file of version {VERSION}",
                f"version {values.get('version')} in {path}",
                "load it with the release of tf_ctr that wrote it, or fit it again",
            )
        )


def _corrupt(path, received):
    return explain(
        f"{path} to be a file that Schema.save wrote",
        received,
        "check the path, or fit the schema again and save it",
    )
