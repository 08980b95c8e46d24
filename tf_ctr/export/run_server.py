"""How TensorFlow Serving is started on the versions of a model.

One list of flags, `server_flags`, is in every command that we write: `docker_command`,
to paste, and `compose_text`, the `docker-compose.yml` beside the versions.

Sources: TensorFlow Serving, `model_servers/main.cc` (the flags), `server.h` (their
defaults) and `server.cc` (`Server::BuildAndStart`); `tools/docker/Dockerfile` (the
ports, and the entry point, whose `--model_name` does not count beside
`--model_config_file`).
"""

import os
import pathlib
import shlex

from tf_ctr.export.checks import check_model_name

IMAGE, GPU_IMAGE = "tensorflow/serving:latest", "tensorflow/serving:latest-gpu"
GRPC_PORT, REST_PORT = 8500, 8501
# How soon a label moves. A poll reads one small file, and logs two lines.
POLL_SECONDS = 10
GPU_MEMORY = 0.9

MONITORING_FILE, MONITORING_TEXT = (
    "monitoring.config",
    """\
prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
""",
)
SESSION_FILE, SESSION_TEXT = (
    "session.config",
    """\
# ConfigProto, for a GPU. Memory is taken as it is needed, up to the share that the flag
# --per_process_gpu_memory_fraction sets; the server ignores a share set here.
gpu_options { allow_growth: true }
# Lookups and strings have no GPU kernel.
allow_soft_placement: true
""",
)
POOL_FILE, POOL_TEXT = (
    "batching_pool.config",
    """\
# BatchingParameters of the server: the threads that run the batches of all models. All
# else about batches is in the batching_params.pbtxt of a version, where the server does
# not look for threads. It reads this file only when it starts.
thread_pool_name { value: "model_server_batch_threads" }
# The default is one thread per CPU. For another number, remove the "#":
# num_batch_threads { value: 8 }
""",
)
COMPOSE_FILE = "docker-compose.yml"
COMPOSE = """\
# TensorFlow Serving with the versions in this folder. Start one of the two, here:
#   docker compose up        on the CPU
#   docker compose up gpu    on the GPUs, with the NVIDIA Container Toolkit
services:
  cpu: &server
    image: {image}
    command:
{flags}
    ports: ["{grpc}:{grpc}", "{rest}:{rest}"]
    volumes:
      - {{type: bind, source: ., target: /models/{name}, read_only: true}}
    init: true  # Without it, the server does not hear that it is to stop.
    restart: unless-stopped
    healthcheck:  # Can requests to the label stable be answered? The image has no curl.
      test:
        - CMD
        - bash
        - -c
        - >-
          {health}
      interval: 10s
      timeout: 5s
      start_period: 120s
  gpu:
    <<: *server
    profiles: [gpu]
    image: {gpu_image}
    command:
{gpu_flags}
    deploy:
      resources:
        reservations:
          devices: [{{driver: nvidia, count: all, capabilities: [gpu]}}]
"""


def docker_command(
    directory: str | os.PathLike = ".", name: str | None = None, gpu: bool = False
) -> str:
    r"""Returns the shell command that serves the versions of a model with Docker.

    The server reads the files that `export` writes beside the versions, and follows
    `models.config` and new versions while it runs.

    Args:
        directory: The directory of the versions. A relative one is meant from the
            directory where the command will be typed.
        name: The name of the model, which `models.config` must have as well; that of
            the directory for `None`.
        gpu: Whether to serve on a GPU.

    Returns:
        The command, in several lines that end with a backslash.

    Raises:
        ValueError: If the name cannot stand in a URL.

    Example:

    >>> print(docker_command("savedmodels/dcn"))
    docker run --rm -it -p 8500:8500 -p 8501:8501 \
        --mount type=bind,source="$PWD"/savedmodels/dcn,target=/models/dcn,readonly \
        tensorflow/serving:latest \
        --model_config_file=/models/dcn/models.config \
        --model_config_file_poll_wait_seconds=10 \
        --allow_version_labels_for_unavailable_models \
        --enable_batching \
        --enable_per_model_batching_parameters \
        --batching_parameters_file=/models/dcn/batching_pool.config \
        --monitoring_config_file=/models/dcn/monitoring.config
    """
    directory = pathlib.Path(directory)
    name = directory.resolve().name if name is None else name
    check_model_name(name)
    lines = [
        f"docker run --rm -it {'--gpus all ' if gpu else ''}"
        f"-p {GRPC_PORT}:{GRPC_PORT} -p {REST_PORT}:{REST_PORT}",
        f"--mount type=bind,source={_source(directory)},target=/models/{name},readonly",
        GPU_IMAGE if gpu else IMAGE,
        *server_flags(name, gpu),
    ]
    return " \\\n    ".join(lines)


def server_flags(name: str, gpu: bool = False) -> list[str]:
    """Returns the flags of the server for a model that is mounted at `/models/NAME`.

    Without `--allow_version_labels_for_unavailable_models` the server does not start,
    as the labels come before the versions. `--batching_parameters_file` sizes the pool
    of threads, and a version's own file all else about its batches.

    Args:
        name: The name of the model.
        gpu: Whether the server has a GPU.

    Example:

    >>> server_flags("dcn", gpu=True)[-1]
    '--per_process_gpu_memory_fraction=0.9'
    """
    folder = f"/models/{name}"
    flags = [
        f"--model_config_file={folder}/models.config",
        f"--model_config_file_poll_wait_seconds={POLL_SECONDS}",
        "--allow_version_labels_for_unavailable_models",
        "--enable_batching",
        "--enable_per_model_batching_parameters",
        f"--batching_parameters_file={folder}/{POOL_FILE}",
        f"--monitoring_config_file={folder}/{MONITORING_FILE}",
    ]
    if gpu:
        flags += [
            f"--tensorflow_session_config_file={folder}/{SESSION_FILE}",
            f"--per_process_gpu_memory_fraction={GPU_MEMORY}",
        ]
    return flags


def ready_path(name: str) -> str:
    """Returns the REST path that answers 200 once `stable` can be served.

    `GetModelStatus` (`/v1/models/NAME`) answers 200 for versions that are still being
    loaded, or have ended, as well, and does not look at the label.

    Source: TensorFlow Serving, `get_model_metadata_impl.cc` and
    `get_model_status_impl.cc`.
    """
    return f"/v1/models/{name}/labels/stable/metadata"


def health_command(name: str, port: int = REST_PORT) -> str:
    """Returns a command for bash that succeeds once `stable` can be served.

    It needs nothing but what the image has: bash, `head` and `grep`.

    Args:
        name: The name of the model.
        port: The port for REST, on the machine where the command runs.
    """
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && "
        f"printf 'GET {ready_path(name)} HTTP/1.0\\r\\n\\r\\n' >&3 && "
        "head -n 1 <&3 | grep -q ' 200 '"
    )


def compose_text(name: str) -> str:
    """Returns the `docker-compose.yml` to lie beside the versions of a model.

    The service `gpu` has a profile, so that it starts only by its name.

    Args:
        name: The name of the model.
    """
    return COMPOSE.format(
        name=name,
        image=IMAGE,
        gpu_image=GPU_IMAGE,
        grpc=GRPC_PORT,
        rest=REST_PORT,
        flags=_listed(server_flags(name)),
        gpu_flags=_listed(server_flags(name, gpu=True)),
        health=health_command(name).replace("&& ", "&&\n          "),
    )


def _source(directory: pathlib.Path) -> str:
    """The directory for the shell: Docker takes only absolute paths."""
    if directory.is_absolute():
        return shlex.quote(str(directory))
    inside = "" if directory == pathlib.Path(".") else f"/{shlex.quote(str(directory))}"
    return f'"$PWD"{inside}'


def _listed(flags: list[str]) -> str:
    return "\n".join(f"      - {flag}" for flag in flags)
