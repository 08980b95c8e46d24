"""The order in which TF Serving reads files, moves labels, loads and unloads.

A small state machine, written from the source of TensorFlow Serving, not from our code.
Each method names the file and the function that it follows, below `tensorflow_serving/`
in the repository tensorflow/serving. It reads the real `models.config` and the real
version directories. It runs no model: a `load` function says whether one would load.

One model only. Left out: retries of a failed load (`max_num_load_retries`), so that a
version that cannot be loaded ends at once, and requests that still run while their
version is unloaded (the server waits for them).
"""

import pathlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

AVAILABLE, LOADING, END = "AVAILABLE", "LOADING", "END"


class RefusedError(Exception):
    """An answer of the server other than OK.

    Args:
        code: The name of the gRPC code.
        message: The server's words.
    """

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass
class Harness:
    """A version that the manager knows (`core/loader_harness.h`).

    Attributes:
        aspired: Whether the source still asks for it.
        state: `"new"`, `"ready"`, `"disabled"` (unloaded) or `"error"`.
        whole: Whether it can answer; see `would_load`.
    """

    aspired: bool = True
    state: str = "new"
    whole: bool = True


def would_load(version: pathlib.Path) -> str | None:
    """Returns why a version cannot be loaded; `None` if it can."""
    if (version / "saved_model.pb").exists():
        return None
    return f"Could not find SavedModel .pb or .pbtxt at {version}"


class ServerModel:
    """A server that polls `models.config` and the directory of one model.

    Args:
        directory: The directory of the versions, with `models.config`.
        allow_unavailable: `--allow_version_labels_for_unavailable_models`.
        load: As `would_load`.

    Attributes:
        labels: `{label: version}` that requests go by.
        states: `{version: (state, message)}` as `GetModelStatus` answers.
        errors: What the last poll of the configuration logged; `None` if it was taken.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        allow_unavailable: bool = True,
        load: Callable[[pathlib.Path], str | None] = would_load,
    ):
        self.directory = directory
        self.labels: dict[str, int] = {}
        self.states: dict[int, tuple[str, str]] = {}
        self.error: str | None = None
        self.running = False
        self._allow_unavailable = allow_unavailable
        self._load = load
        self._policy: model_server_config_pb2.ModelConfig | None = None
        self._harnesses: dict[int, Harness] = {}
        self._pending: set[int] | None = None

    def start(self) -> None:
        """Starts the server, which answers once a version is available.

        `model_servers/server_core.cc`: `Create` calls `ReloadConfig`, and
        `AddModelsViaModelConfigList` waits in
        `ConnectAdaptersToManagerAndAwaitModelLoads`. The rest of the versions is loaded
        here as well: whoever sends traffic waits for `GetModelStatus`.
        """
        self.crash()
        self._reload()
        self.running = True
        self.poll_files()
        self.settle()
        if not any(state == AVAILABLE for state, _ in self.states.values()):
            reasons = "; ".join(message for _, message in self.states.values())
            self.crash()
            raise RefusedError(
                "UNKNOWN", f"1 servable(s) did not become available: {{{reasons}}}"
            )

    def crash(self) -> None:
        """Forgets everything, as a process that ends does."""
        self.labels, self.states, self.error = {}, {}, None
        self._harnesses, self._pending, self._policy = {}, None, None
        self.running = False

    def poll(self) -> None:
        """One round of both polls, and all loading and unloading that follows."""
        self.poll_config()
        self.poll_files()
        self.settle()

    def poll_config(self) -> None:
        """Reads `models.config` again; an error is logged, and the file read again.

        `model_servers/server.cc`: `PollFilesystemAndReloadConfig`, every
        `--model_config_file_poll_wait_seconds`.
        """
        if not self.running:
            return
        try:
            self._reload()
        except RefusedError as error:
            self.error = error.message
        else:
            self.error = None

    def poll_files(self) -> None:
        """Looks for the versions that the policy asks for.

        `sources/storage_path/file_system_storage_path_source.cc`:
        `PollFileSystemAndInvokeCallback`, every `--file_system_poll_wait_seconds` (1),
        on a thread of its own. A later request replaces one that waits:
        `core/aspired_versions_manager.cc`, `EnqueueAspiredVersionsRequest`.
        """
        if self.running:
            self._pending = self._aspired_versions()

    def settle(self) -> None:
        """Lets the manager work until nothing is left to do."""
        while self.manage():
            pass

    def manage(self) -> bool:
        """One turn of the manager's thread; returns whether it did anything.

        `core/aspired_versions_manager.cc`, the constructor's thread: `FlushServables`,
        `HandlePendingAspiredVersionsRequests`, `InvokePolicyAndExecuteAction`.
        """
        before = (repr(self._harnesses), self._pending)
        for version, each in list(self._harnesses.items()):  # FlushServables
            if not each.aspired and each.state in ("new", "disabled", "error"):
                del self._harnesses[version]
                self.states[version] = (END, self.states.get(version, (END, ""))[1])
        self._handle_pending()
        self._act()
        return before != (repr(self._harnesses), self._pending)

    def ask(self, label: str | None = None, version: int | None = None) -> int:
        """Returns the version that answers a request, or raises the server's refusal.

        `model_servers/server_core.cc`: `ServableRequestFromModelSpec`,
        `GetModelVersionForLabel`. Without a label, the newest available version.
        """
        if not self.running:
            raise RefusedError("UNAVAILABLE", "failed to connect to all addresses")
        name = self.directory.name
        if label is not None:
            if label not in self.labels:
                raise RefusedError(
                    "INVALID_ARGUMENT", f"Unrecognized servable version label: {label}"
                )
            version = self.labels[label]
        ready = self._ready()
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        if version is None and ready:
            version = max(ready)
        if version not in ready:
            raise RefusedError("NOT_FOUND", f"Servable not found for request: {asked}")
        if not self._harnesses[version].whole:
            # ../shared/serving-real.md, "Wrong today", 10.
            raise RefusedError("FAILED_PRECONDITION", "Could not find variable")
        return version

    def available(self) -> set[int]:
        """Returns the versions that are AVAILABLE."""
        return {n for n, (state, _) in self.states.items() if state == AVAILABLE}

    def _reload(self):
        """`model_servers/server_core.cc`: `ReloadConfig`: labels, then versions."""
        config = model_server_config_pb2.ModelServerConfig()
        try:
            text_format.Parse((self.directory / "models.config").read_text(), config)
        except (OSError, text_format.ParseError) as error:
            raise RefusedError(
                "INVALID_ARGUMENT", f"Invalid protobuf: {error}"
            ) from None
        (entry,) = config.model_config_list.config
        self._update_labels(entry.version_labels)
        self._policy = entry.model_version_policy

    def _update_labels(self, labels: Mapping[str, int]):
        """`model_servers/server_core.cc`: `UpdateModelVersionLabelMap`.

        The new map takes the place of the old one as a whole, or not at all.
        """
        for label, version in labels.items():
            moves = self.labels.get(label, version) != version
            allowed = self._allow_unavailable and not moves
            if not allowed and version not in self.available():
                raise RefusedError(
                    "FAILED_PRECONDITION",
                    f"Request to assign label to version {version} of model "
                    f"{self.directory.name}, which is not currently available for "
                    "inference",
                )
        self.labels = dict(labels)

    def _aspired_versions(self):
        """`sources/storage_path/file_system_storage_path_source.cc`:

        `AspireLatestVersions`, `AspireAllVersions`, `AspireSpecificVersions`; a name is
        a version if `ParseVersionNumber` reads it, complete or not.
        """
        names = [path.name for path in self.directory.iterdir()]
        versions = {int(name) for name in names if re.fullmatch(r"[+-]?\d+", name)}
        kind = self._policy.WhichOneof("policy_choice")
        if kind == "all":
            return versions
        if kind == "specific":
            return versions & set(self._policy.specific.versions)
        newest = sorted(versions, reverse=True)
        return set(newest[: max(self._policy.latest.num_versions, 1)])

    def _handle_pending(self):
        """`core/aspired_versions_manager.cc`: `HandlePendingAspiredVersionsRequests`.

        A version that is asked for again waits until it has left the manager:
        `ContainsAnyReaspiredVersions`, `ProcessAspiredVersionsRequest`.
        """
        wanted = self._pending
        if wanted is None:
            return
        if any(not h.aspired and n in wanted for n, h in self._harnesses.items()):
            return
        self._pending = None
        for version, each in self._harnesses.items():
            each.aspired = version in wanted
        for version in wanted - set(self._harnesses):
            self._harnesses[version] = Harness()
            self.states[version] = (LOADING, "")

    def _act(self):
        """`core/availability_preserving_policy.cc`: `GetNextAction`.

        Unloads the lowest version that is no longer asked for, if one that is asked for
        is ready, or none is asked for, or two go; else loads the highest new one.
        """
        aspired = {n: h for n, h in self._harnesses.items() if h.aspired}
        leaving = [n for n in self._ready() if n not in aspired]
        serving = any(each.state == "ready" for each in aspired.values())
        if leaving and (not aspired or serving or len(leaving) > 1):
            self._harnesses[min(leaving)].state = "disabled"
            self.states[min(leaving)] = (END, "")
            return
        new = [version for version, each in aspired.items() if each.state == "new"]
        if not new:
            return
        path = self._path(max(new))
        harness, reason = self._harnesses[max(new)], self._load(path)
        harness.state = "ready" if reason is None else "error"
        harness.whole = (path / "variables").is_dir()
        state = AVAILABLE if reason is None else END
        self.states[max(new)] = (state, reason or "")

    def _path(self, version):
        """The directory of a version; `007` is version 7."""
        for path in self.directory.iterdir():
            if re.fullmatch(r"[+-]?\d+", path.name) and int(path.name) == version:
                return path
        return self.directory / str(version)  # Gone since it was seen.

    def _ready(self):
        return {n for n, each in self._harnesses.items() if each.state == "ready"}
