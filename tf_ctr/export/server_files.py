"""What TF Serving reads beside the model: configuration, warm-up requests, samples."""

import pathlib
from collections.abc import Sequence

from tf_ctr.export import run_server
from tf_ctr.export.checks import check_batch_sizes, check_model_name
from tf_ctr.export.samples import FILE, write_samples, write_warmup
from tf_ctr.export.served import Served
from tf_ctr.files import replacing
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.labels.moves import label_newest
from tf_ctr.serving.labels.versions import locked, publish
from tf_ctr.serving.version import EXTRA

BATCHES_PER_REQUEST = 8
BATCHING = """\
# For this version only; start the server with
#   --enable_batching --enable_per_model_batching_parameters
# Rows of the largest request, and of the largest batch that it is cut into. The server
# asks for the former as the last allowed size, though no batch is that large.
max_batch_size {{ value: {request} }}
max_execution_batch_size {{ value: {largest} }}
enable_large_batch_splitting {{ value: true }}
batch_timeout_micros {{ value: 1000 }}
# Batches that may wait, for each signature: twice those of the largest request, which
# waits whole or is refused. Raise it if more clients than two send the largest at once.
max_enqueued_batches {{ value: 16 }}
{allowed}
# True would pad lists with a request's own first id, and move scores.
pad_variable_length_inputs: false
"""
README = """\
# {name}

Versions of a click model, written by `tf_ctr.export`. The server loads all of them.
`models.config` says which one is `stable` and which one is `canary`, and `pending.json`
which one is to be the canary, once a server has loaded it.

To serve them, on a machine with Docker, in this directory:

```
{command}
```

On a GPU, with the NVIDIA Container Toolkit:

```
{gpu_command}
```

`docker-compose.yml` starts the same: `docker compose up`, or `docker compose up gpu`.
Check a version first, without a server: `tf_ctr check {version}`.

The server answers once the label `stable` can be served:

```
curl -f http://localhost:8501{ready}
curl -d @{version}/assets.extra/requests/serving_default_row.json \\
    http://localhost:8501/v1/models/{name}/labels/stable:predict
curl -d @{version}/assets.extra/requests/classify.json \\
    http://localhost:8501/v1/models/{name}/labels/stable:classify
```

`*/assets.extra/requests/` has a sample for every signature: `.json` bodies for REST
(send `classify.json` and `regress.json` to `:classify` and `:regress`, the others to
`:predict`), and `.pbtxt` messages for gRPC on port 8500. The state of every version is
at `http://localhost:8501/v1/models/{name}`, and metrics are at
`http://localhost:8501/monitoring/prometheus/metrics`.

- A request to `:classify` and `:regress` must name its signature, as the samples do:
  `"signature_name": "classify"`. Without it the server answers 400.
- In the JSON of `:classify` and `:regress`, write the numbers of `float32` fields with
  a decimal point.

With `--enable_batching`:

- A request may have up to `max_batch_size` rows (see `batching_params.pbtxt` of the
  version); the server cuts it into batches.
- Pad lists in the client, with `""` or -1, to one length for all requests.
  `predict_examples` takes lists of any length.
- Send the same number of candidates in all requests to `candidates`.

To move labels while the server runs, in the parent directory:

```
tf_ctr status {name} --server localhost:8500
tf_ctr promote {name} --label canary --server localhost:8500 --wait
tf_ctr promote {name} --rows labelled.parquet --server localhost:8500 --wait
tf_ctr rollback {name} --server localhost:8500 --wait
```

Without `--server`, `promote` and `rollback` move `stable`, and the server follows.
"""
LEFT_OUT = (
    "Left out, as the package tensorflow-serving-api is missing: models.config with "
    "its labels, the README, docker-compose.yml, warm-up requests and gRPC samples. To "
    "have them, run "
    "pip install 'tf_ctr[serving]' and export again."
)


class ServerFiles:
    """The files that an export writes for the server, decided before any work.

    Labels, warm-up requests and gRPC samples are messages of the package
    `tensorflow-serving-api`. Without it they are left out, and all else is written.

    Args:
        directory: The directory of the model's versions.
        batch_sizes: The allowed batch sizes, increasing; `None` to write no file.

    Attributes:
        batch_sizes: The allowed batch sizes.
        left_out: A sentence that names the files left out and how to get them; empty
            if there are none.

    Raises:
        ValueError: If the batch sizes do not increase, the directory cannot give the
            model its name, or its `models.config` cannot be read.
    """

    def __init__(
        self, directory: pathlib.Path, batch_sizes: Sequence[int] | None
    ) -> None:
        wanted = batch_sizes is not None
        self.batch_sizes = tuple(batch_sizes or ())
        if wanted:
            check_batch_sizes(self.batch_sizes)
        self.left_out = ""
        self._directory = directory
        self._wanted = wanted
        self._name = directory.resolve().name
        self._has_messages = False
        if wanted:
            check_model_name(self._name)
            try:
                read_labels(directory)  # Raises now what would be raised at the end.
                self._has_messages = True
            except ImportError:
                self.left_out = LEFT_OUT

    def write(self, staged: pathlib.Path, served: Served) -> None:
        """Writes warm-up requests, samples and batching parameters into a version.

        Args:
            staged: The directory of the version, with its `assets.extra`.
            served: What is served, and the rows to make requests of.
        """
        if not self._wanted:
            return
        extra = staged / EXTRA
        write_samples(extra / "requests", served, self._name, self._has_messages)
        if self._has_messages:
            write_warmup(extra / FILE, served, self.batch_sizes, self._name)
        text = batching_text(self.batch_sizes)
        (staged / "batching_params.pbtxt").write_text(text, encoding="utf-8")

    def publish(self, staged: pathlib.Path) -> pathlib.Path:
        """Gives the version its number, with the configuration beside it.

        Args:
            staged: The complete version, on the file system of the directory.

        Returns:
            The path of the version. If anything raises, there is none.

        Raises:
            TimeoutError: If another process keeps changing the directory.
        """
        if not self._wanted:
            return publish(staged, self._directory)
        return publish_configured(staged, self._directory, self._has_messages)


def publish_configured(
    staged: pathlib.Path, directory: pathlib.Path, labels: bool = True
) -> pathlib.Path:
    """Publishes a version, with the configuration of the server beside it.

    A file that is there stays, as it may have been edited. In `models.config` the first
    version gets the labels `stable` and `canary`; a later one waits to be `canary`
    until a server has loaded it.

    Args:
        staged: The complete version, as for `versions.publish`.
        directory: The directory of the versions.
        labels: Whether to write `models.config`, and the README and the
            `docker-compose.yml` that start the server with it.

    Returns:
        The path of the version. If anything raises, there is none.

    Raises:
        TimeoutError: If another process keeps changing the directory.
    """
    directory.mkdir(exist_ok=True)
    with locked(directory):
        version = publish(staged, directory)
        try:
            for file, text in _texts(directory, version.name, labels).items():
                if not (directory / file).exists():
                    with replacing(directory / file) as temporary:
                        temporary.write_text(text, encoding="utf-8")
            if labels:
                label_newest(directory)
        except BaseException:
            version.rename(staged)
            raise
    return version


def _texts(directory, version, labels):
    """`{file: text}` of what is written once for all versions."""
    texts = {
        run_server.MONITORING_FILE: run_server.MONITORING_TEXT,
        run_server.SESSION_FILE: run_server.SESSION_TEXT,
        run_server.POOL_FILE: run_server.POOL_TEXT,
    }
    if labels:
        name = directory.resolve().name
        texts[run_server.COMPOSE_FILE] = run_server.compose_text(name)
        texts["README.md"] = README.format(
            name=name,
            version=version,
            command=run_server.docker_command(".", name),
            gpu_command=run_server.docker_command(".", name, gpu=True),
            ready=run_server.ready_path(name),
        )
    return texts


def batching_text(batch_sizes: Sequence[int]) -> str:
    """Returns the text of `batching_params.pbtxt` for increasing batch sizes.

    Source: TensorFlow Serving, `bundle_factory_util.cc` (`WrapSessionForBatching`): the
    last allowed size is `max_batch_size`, also where large requests are cut.
    """
    largest = batch_sizes[-1]
    request = BATCHES_PER_REQUEST * largest
    sizes = [*batch_sizes, request]
    allowed = "\n".join(f"allowed_batch_sizes: {size}" for size in sizes)
    return BATCHING.format(request=request, largest=largest, allowed=allowed)
