"""The file `models.config`: the labels of the versions, which a server polls.

The server moves the labels before it looks for versions, and ignores the whole file if
one label is to move to a version that is not loaded. So the file has the server
load every version in the directory (the policy `all`), which needs no label.

People may edit the file. It is checked whenever it is read, and a comment in it holds
the sum of the rest, so that a change by others is said.
"""

import hashlib
import os
import pathlib
import re
import warnings
from collections.abc import Mapping

from google.protobuf import text_format

from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.serving.wire import protos

FILE = "models.config"
STABLE, CANARY = "stable", "canary"
HEAD = """\
# Written by tf_ctr. You may edit it: tf_ctr checks it when it reads it, and says that
# it was edited. The sha256 of the lines below, as they were written:
# {}
"""
# A label of tf_ctr 0.2, which had only the labelled versions loaded.
PREVIOUS = "previous"


def read_labels(directory: str | os.PathLike) -> dict[str, int]:
    """Returns `{label: version}` of a model's `models.config`; `{}` without one.

    Args:
        directory: The directory of the versions, e.g. `savedmodels/dcn`.

    Raises:
        ValueError: If the file is not in the format of TF Serving, or only has other
            models.
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    directory = pathlib.Path(directory)
    entry = _entry(_read(directory), directory)
    labels = dict(entry.version_labels)
    if entry.model_version_policy.specific.versions and STABLE in labels:
        # Of tf_ctr 0.2. A canary that no server loaded would block the whole file.
        labels.pop(PREVIOUS, None)
        if CANARY in labels:
            labels[CANARY] = labels[STABLE]
    return labels


def check_label(label: str) -> None:
    """Raises unless `label` can stand in a URL."""
    if not re.fullmatch("[A-Za-z0-9_.-]+", label):
        raise ValueError(
            explain(
                "a label of letters, digits, '_', '.' and '-'",
                repr(label),
                f"pass {STABLE!r}, {CANARY!r} or a name of your own",
            )
        )


def write_labels(directory: str | os.PathLike, labels: Mapping[str, int]) -> None:
    """Writes the labels, and has the server load every version in the directory.

    The rest of the file stays, except for comments. A server that polls the file
    follows, once it has loaded every version to which a label moves.

    Args:
        directory: The directory of the versions, e.g. `savedmodels/dcn`.
        labels: `{label: version}`.

    Raises:
        ValueError: If the file is not in the format of TF Serving, or only has other
            models.
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    directory = pathlib.Path(directory)
    config = _read(directory)
    entry = _entry(config, directory)
    entry.version_labels.clear()
    entry.version_labels.update(labels)
    entry.model_version_policy.all.SetInParent()
    with replacing(directory / FILE) as temporary:
        text = text_format.MessageToString(config)
        temporary.write_text(_head(text) + text, encoding="utf-8")


def _head(text):
    return HEAD.format(hashlib.sha256(text.encode()).hexdigest())


def _is_edited(text):
    """Whether someone else changed a text of ours; one of 0.2 has no head to tell."""
    lines = HEAD.count("\n")
    rest = "".join(text.splitlines(keepends=True)[lines:])
    is_ours = any(mark in text for mark in ("# Written by tf_ctr.", "The sha256 of"))
    return is_ours and text != _head(rest) + rest


def _read(directory):
    config = protos.load("config.model_server_config_pb2").ModelServerConfig()
    path = directory / FILE
    if path.exists():
        try:
            text = path.read_text(encoding="utf-8")
            text_format.Parse(text, config)
            if _is_edited(text):
                models = config.model_config_list.config
                labels = {each.name: dict(each.version_labels) for each in models}
                warnings.warn(
                    f"{path} was edited since tf_ctr wrote it; its labels are {labels}",
                    stacklevel=4,
                )
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise ValueError(
                explain(
                    f"{path} to be a ModelServerConfig of TF Serving, as text",
                    str(error).rstrip("."),
                    "correct the file, or remove it to get a new one",
                )
            ) from error
    return config


def _entry(config, directory):
    """The entry of the model in the configuration, added if there is none at all."""
    name = directory.resolve().name
    entries = {entry.name: entry for entry in config.model_config_list.config}
    if name in entries:
        return entries[name]
    if entries:  # The directory was renamed: a new entry would forget what is stable.
        raise ValueError(
            explain(
                f"{directory / FILE} to have the model {name!r}, as the directory",
                f"the models {sorted(entries)}",
                "give the directory its name back, rename the model in the file, or "
                "remove the file to get a new one",
            )
        )
    return config.model_config_list.config.add(
        name=name, base_path=f"/models/{name}", model_platform="tensorflow"
    )
