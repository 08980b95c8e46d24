"""The file `models.config`: the versions that a server serves, and their labels."""

import os
import pathlib
import re
from collections.abc import Mapping

from google.protobuf import text_format

from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.serving.labels.versions import next_version
from tf_ctr.serving.wire import protos

FILE = "models.config"
STABLE, CANARY = "stable", "canary"
# The label of the version that was stable before; it moves with `stable`.
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
    return dict(_entry(_read(directory), directory).version_labels)


def check_label(label: str) -> None:
    """Raises unless `label` can be moved by itself, and stand in a URL."""
    if label == PREVIOUS or not re.fullmatch("[A-Za-z0-9_.-]+", label):
        raise ValueError(
            explain(
                "a label of letters, digits, '_', '.' and '-', other than "
                f"{PREVIOUS!r}, which follows {STABLE!r}",
                repr(label),
                f"pass {STABLE!r}, {CANARY!r} or a name of your own",
            )
        )


def write_labels(directory: str | os.PathLike, labels: Mapping[str, int]) -> None:
    """Writes the labels, and has the server serve the labelled versions only.

    The rest of the file stays, except for comments. A server that polls the file
    follows.

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
    versions = sorted(set(labels.values()))
    entry.model_version_policy.specific.versions[:] = versions
    with replacing(directory / FILE) as temporary:
        temporary.write_text(text_format.MessageToString(config))


def label_newest(directory: str | os.PathLike) -> None:
    """Makes the newest version `canary`, and `stable` too if no version is."""
    newest = next_version(pathlib.Path(directory)) - 1
    write_labels(directory, {STABLE: newest, **read_labels(directory), CANARY: newest})


def _read(directory):
    config = protos.load("config.model_server_config_pb2").ModelServerConfig()
    path = directory / FILE
    if path.exists():
        try:
            text_format.Parse(path.read_text(encoding="utf-8"), config)
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
