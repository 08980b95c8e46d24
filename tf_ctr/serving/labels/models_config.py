"""Which versions a server serves, and the labels that clients ask for them by."""

import pathlib
import re

from google.protobuf import text_format

from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.serving.labels.versions import next_version
from tf_ctr.serving.wire import protos

FILE = "models.config"
STABLE, CANARY = "stable", "canary"
# The version that was stable before; `promotion` keeps it.
PREVIOUS = "previous"


def read_labels(directory) -> dict:
    """Returns `{label: version}` of a model's `models.config`; `{}` without one.

    Args:
        directory: The directory of the versions, e.g. `savedmodels/dcn`.

    Raises:
        ValueError: If the file is none of TF Serving's, or of other models.
        ImportError: If `tensorflow-serving-api` is not installed.
    """
    directory = pathlib.Path(directory)
    return dict(_entry(_read(directory), directory).version_labels)


def check_label(label):
    """Raises unless `label` can be moved, and asked for in a URL."""
    if label == PREVIOUS or not re.fullmatch("[A-Za-z0-9_.-]+", label):
        raise ValueError(
            explain(
                "a label of letters, digits, '_', '.' and '-', other than "
                f"{PREVIOUS!r}, which follows {STABLE!r}",
                repr(label),
                f"pass {STABLE!r}, {CANARY!r} or a name of your own",
            )
        )


def write_labels(directory, labels):
    """Writes the labels, and serves the labelled versions and no other.

    All else in the file stays, but for comments. A server that polls it follows.

    Args:
        directory: The directory of the versions, e.g. `savedmodels/dcn`.
        labels: `{label: version}`.

    Raises:
        ValueError: If the file is none of TF Serving's, or of other models.
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


def label_newest(directory):
    """Makes the newest version the canary, and the first one ever `stable` too."""
    newest = next_version(directory) - 1
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
                    "mend the file, or remove it to have a new one",
                )
            ) from error
    return config


def _entry(config, directory):
    """The model's part of the configuration, added if it is missing."""
    name = directory.resolve().name
    entries = {entry.name: entry for entry in config.model_config_list.config}
    if name in entries:
        return entries[name]
    if entries:  # A new entry would forget which version is stable.
        raise ValueError(
            explain(
                f"{directory / FILE} to have the model {name!r}, as the directory",
                f"the models {sorted(entries)}",
                "give the directory its name back, rename the model in the file, or "
                "remove the file to have a new one",
            )
        )
    return config.model_config_list.config.add(
        name=name, base_path=f"/models/{name}", model_platform="tensorflow"
    )
