"""The state of a model: versions on the disk, their labels, and what is loaded."""

import os
import pathlib
from typing import NamedTuple

from tf_ctr.serving.labels.moves import read_files
from tf_ctr.serving.labels.server import END, Loaded, Server
from tf_ctr.serving.labels.versions import (
    check_directory,
    version_numbers,
    with_versions,
)
from tf_ctr.serving.rules.files import check_files, check_manifest
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.version import read_meta_graph


class VersionStatus(NamedTuple):
    """One version.

    Attributes:
        version: Its number.
        on_disk: Whether there is a directory of it.
        damage: Why it is not whole; empty if it is, or is not on the disk.
        labels: Its labels in `models.config`.
        pending: The labels that wait until a server has loaded it.
        loaded: What the server says of it; `None` without a server, or if the server
            does not know the version.
        server_labels: The labels that it has on the server.
    """

    version: int
    on_disk: bool
    damage: str
    labels: list[str]
    pending: list[str]
    loaded: Loaded | None
    server_labels: list[str]

    @property
    def ended(self) -> bool:
        """Whether the server had the version, or tried to, and has it no longer."""
        return self.loaded is not None and self.loaded.state == END


class Status(NamedTuple):
    """The versions of a model, by their numbers.

    Attributes:
        versions: One entry per version.
        asked: Whether a server was asked.
    """

    versions: list[VersionStatus]
    asked: bool

    @property
    def well(self) -> bool:
        """Whether every label has a version that is whole, and loaded if asked."""
        return all(
            each.on_disk
            and not each.damage
            and (not self.asked or each.labels == each.server_labels)
            for each in self.versions
            if each.labels
        )

    def __str__(self) -> str:
        rows = [("version", "on disk", "whole", "labels", "loaded", "ended")]
        notes = []
        for each in self.versions:
            whole = "-" if not each.on_disk else "no" if each.damage else "yes"
            loaded = "no" if each.loaded is None else each.loaded.state
            rows.append(
                (
                    str(each.version),
                    "yes" if each.on_disk else "no",
                    whole,
                    ", ".join([*each.labels, *(f"({p})" for p in each.pending)]) or "-",
                    loaded if self.asked else "?",
                    ("yes" if each.ended else "no") if self.asked else "?",
                )
            )
            if each.damage:
                notes.append(f"{each.version} is not whole: {each.damage}")
            if each.loaded is not None and each.loaded.message:
                notes.append(f"{each.version}, by the server: {each.loaded.message}")
            if self.asked and each.labels != each.server_labels:
                on = ", ".join(each.server_labels) or "no label"
                notes.append(f"{each.version} has {on} on the server")
        if any(each.pending for each in self.versions):
            notes.append(
                "A label in parentheses waits until a server has loaded the version, "
                "and a command is given that server with --server"
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            for row in rows
        ]
        return "\n".join([line.rstrip() for line in [*lines, *notes]])


def status(directory: str | os.PathLike, server: Server | None = None) -> Status:
    """Returns the state of every version; nothing is written.

    Args:
        directory: The directory of the versions, e.g. `"savedmodels/dcn"`.
        server: The server to ask.

    Raises:
        ValueError: If there are no versions, or a file of the labels is damaged.
        ConnectionError: If the server does not answer.
    """
    directory = pathlib.Path(directory)
    check_directory(directory)
    files = read_files(directory)
    there = set(version_numbers(directory))
    loaded = {} if server is None else server.versions()
    names = sorted(
        {*files.labels, *files.pending, *(e["label"] for e in files.history)}
    )
    on_server = (
        {} if server is None else {each: server.version_of(each) for each in names}
    )
    known = {*there, *files.labels.values(), *files.pending.values(), *loaded}
    if not known:
        with_versions(directory)  # Raises.
    found = []
    for version in sorted(known):
        on_disk = version in there
        labels, pending, served = (
            sorted(label for label, n in each.items() if n == version)
            for each in (files.labels, files.pending, on_server)
        )
        damage = _damage(directory / str(version)) if on_disk else ""
        found.append(
            VersionStatus(
                version,
                on_disk,
                damage,
                labels,
                pending,
                loaded.get(version),
                served,
            )
        )
    return Status(found, server is not None)


def _damage(version):
    try:
        found = errors(check_manifest(version))
        found = found or errors(check_files(version, read_meta_graph(version)))
    except (ValueError, OSError) as problem:
        return str(problem).splitlines()[0]
    return "; ".join(each.message for each in found)
