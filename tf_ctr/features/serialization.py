"""A schema as JSON."""

import dataclasses
import json
import pathlib

from tf_ctr.errors import explain
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.numeric import Numeric
from tf_ctr.features.sequence import Sequence
from tf_ctr.files import replacing

FORMAT = "tf_ctr.Schema"
VERSION = 1
PARTS = ("label", "group", "coverage")
UNREADABLE = (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError)
KINDS = {kind.__name__: kind for kind in (Categorical, Numeric, Sequence)}


def write(path, **record):
    """Writes `record` under the format's name and version."""
    record = {"format": FORMAT, "version": VERSION, **record}
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read(path) -> dict:
    """Returns what `write` wrote, the fields as `(field, spec)` pairs."""
    try:
        record = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        _check_version(path, record)
        pairs = [_from_record(each) for each in record["fields"]]
        return {name: record[name] for name in PARTS} | {"fields": pairs}
    except UNREADABLE as error:
        raise ValueError(_corrupt(path, repr(error))) from error


def to_record(field, spec) -> dict:
    """Returns a field as JSON values, and which of them were learned."""
    given, values = _arguments(spec), _arguments(field)
    learned = [name for name in values if values[name] != given[name]]
    return {"kind": type(field).__name__, **values, "learned": learned}


def _arguments(field):
    names = (entry.name for entry in dataclasses.fields(field) if entry.init)
    return {name: getattr(field, name) for name in names}


def _from_record(record):
    values = {**record}
    kind, learned = KINDS[values.pop("kind")], values.pop("learned")
    # All that can be learned is None where it was not given.
    return kind(**values), kind(**{**values, **dict.fromkeys(learned)})


def _check_version(path, record):
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(_corrupt(path, "other JSON"))
    if record.get("version") != VERSION:
        raise ValueError(
            explain(
                f"a schema file of version {VERSION}",
                f"version {record.get('version')} in {path}",
                "load it with the release of tf_ctr that wrote it, or fit anew",
            )
        )


def _corrupt(path, received):
    return explain(
        f"{path} to be a file that Schema.save wrote",
        received,
        "check the path, or fit the schema again and save it",
    )
