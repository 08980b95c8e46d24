"""Configuration of TF Serving beside a model's versions, and how to start it."""

import re

from tf_ctr.errors import explain
from tf_ctr.files import replacing
from tf_ctr.serving.labels.models_config import label_newest
from tf_ctr.serving.labels.versions import locked, publish

BATCHES_PER_REQUEST = 8
BATCHING = """\
# Of this version alone; start the server with
#   --enable_batching --enable_per_model_batching_parameters
# Rows of the largest request, and of the largest batch that it is cut into.
max_batch_size {{ value: {request} }}
max_execution_batch_size {{ value: {largest} }}
enable_large_batch_splitting {{ value: true }}
batch_timeout_micros {{ value: 1000 }}
# Twice what the largest request is cut into: it waits whole, or is refused.
max_enqueued_batches {{ value: 16 }}
num_batch_threads {{ value: 8 }}
{allowed}
# It would pad with a request's own first id, and move scores.
pad_variable_length_inputs: false
"""
MONITORING_TEXT = """\
prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""
SESSION_TEXT = """\
# ConfigProto. Without it TensorFlow takes nearly all memory of the GPU at once.
gpu_options { per_process_gpu_memory_fraction: 0.9 allow_growth: true }
# Lookups and strings have no GPU kernel.
allow_soft_placement: true
"""
README = """\
# {name}

Versions of a click model, written by `tf_ctr.export`. `models.config` says which are
served: `canary`, the newest, and `stable`.

On a machine with Docker, in this directory:

```
docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD:/models/{name}" \\
    tensorflow/serving --model_config_file=/models/{name}/models.config \\
    --model_config_file_poll_wait_seconds=60 \\
    --allow_version_labels_for_unavailable_models \\
    --enable_batching --enable_per_model_batching_parameters \\
    --monitoring_config_file=/models/{name}/monitoring.config
```

On a GPU: `docker run --gpus all`, the image `tensorflow/serving:latest-gpu`, and
`--tensorflow_session_config_file=/models/{name}/session.config`.

```
curl -d @1/assets.extra/requests/serving_default_row.json \\
    http://localhost:8501/v1/models/{name}/labels/stable:predict
```

`*/assets.extra/requests/` has a sample for every signature: `.json` bodies for REST
(`classify.json` and `regress.json` go to `:classify` and `:regress`, the others to
`:predict`), `.pbtxt` messages for gRPC on port 8500. Metrics:
`http://localhost:8501/monitoring/prometheus/metrics`.

- Under `--enable_batching` a request has at most `max_batch_size` rows, of the
  version's `batching_params.pbtxt`; the server cuts it into batches.
- Write numbers of `float32` fields with a decimal point in `:classify` and `:regress`.
- Under `--enable_batching` lists of a request are padded by the client to one length
  (`""`, -1), the same in all requests; `predict_examples` takes any.
- `candidates` under `--enable_batching`: as many candidates in all requests.
"""


def publish_labelled(staged, directory):
    """Publishes a version, with the configuration beside it and the label `canary`.

    Args:
        staged: A directory, as for `versions.publish`.
        directory: `pathlib.Path` of the directory of the versions.

    Returns:
        The path of the version. If anything raises, there is none.

    Raises:
        TimeoutError: If another process is changing the directory all the time.
    """
    directory.mkdir(exist_ok=True)
    with locked(directory):
        version = publish(staged, directory)
        try:
            write_server_files(directory)
        except BaseException:
            version.rename(staged)
            raise
    return version


def write_server_files(directory):
    """Writes the configuration beside the versions, after a new one is there.

    What lies there already stays, it may have been edited; but the newest version
    becomes the canary in `models.config`.

    Args:
        directory: `pathlib.Path` of the directory of the versions.
    """
    name = directory.resolve().name
    texts = {
        "README.md": README.format(name=name),
        "monitoring.config": MONITORING_TEXT,
        "session.config": SESSION_TEXT,
    }
    for file, text in texts.items():
        if not (directory / file).exists():
            with replacing(directory / file) as temporary:
                temporary.write_text(text, encoding="utf-8")
    label_newest(directory)


def batching_text(batch_sizes) -> str:
    """Returns the text of `batching_params.pbtxt` for increasing batch sizes."""
    allowed = "\n".join(f"allowed_batch_sizes: {size}" for size in batch_sizes)
    largest = batch_sizes[-1]
    request = BATCHES_PER_REQUEST * largest
    return BATCHING.format(request=request, largest=largest, allowed=allowed)


def check_batch_sizes(batch_sizes) -> tuple:
    """Returns the sizes as a tuple, or says what is wrong with them."""
    sizes = tuple(batch_sizes)
    whole = all(isinstance(size, int) and size > 0 for size in sizes)
    if not sizes or not whole or list(sizes) != sorted(set(sizes)):
        raise ValueError(
            explain(
                "one or more batch sizes, increasing",
                f"batch_sizes={sizes}",
                "pass batch_sizes=(1, 16, 64, 256)",
            )
        )
    return sizes


def check_name(name):
    """Raises unless `name` can stand in a URL and in a container's path."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(
            explain(
                "a directory named as the model: letters, digits, '_', '.' and '-'",
                repr(name),
                "pass a directory such as savedmodels/dcn",
            )
        )
