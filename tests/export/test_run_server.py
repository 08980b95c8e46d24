"""The commands that start TF Serving: one list of flags, the same in every place."""

import json
import pathlib
import re
import shlex
import subprocess
import textwrap

import pytest
import yaml
from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2

from pipelines.quickstart import how_to_serve
from tests.support.exported import user_model, user_schema
from tests.support.stand_in_server import StandInServer
from tf_ctr.export import docker_command, export
from tf_ctr.export.run_server import (
    MONITORING_TEXT,
    POOL_TEXT,
    SESSION_TEXT,
    compose_text,
    health_command,
    ready_path,
    server_flags,
)
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.labels.versions import version_numbers
from tf_ctr.serving.rules.batching import parse_batching_parameters

README = pathlib.Path(__file__).parents[2] / "savedmodels" / "README.md"

# Flags of TensorFlow Serving and their defaults, as text. Sources, all below
# tensorflow_serving/ of the repository tensorflow/serving: model_servers/main.cc,
# `flag_list` in `main` (a stored copy of 17,878 characters, without its commit), and
# server.h, `Server::Options` (of 5,747). What they do: server.cc at d16ceafa,
# `BuildAndStart`. The image's entry point adds --port=8500, --rest_api_port=8501,
# --model_name and --model_base_path: tools/docker/Dockerfile at 02c517d3,
# tools/docker/Dockerfile.gpu at 0428980e.
FLAGS = {
    "model_config_file": "",
    "model_config_file_poll_wait_seconds": "0",
    "allow_version_labels_for_unavailable_models": "false",
    "enable_batching": "false",
    "enable_per_model_batching_parameters": "false",
    "batching_parameters_file": "",
    "monitoring_config_file": "",
    "tensorflow_session_config_file": "",
    "per_process_gpu_memory_fraction": "0",
}
# Options of `docker run`, with whether they take a value.
# Source: docs.docker.com/reference/cli/docker/container/run.
DOCKER = {"--rm": False, "-it": False, "--gpus": True, "-p": True, "--mount": True}


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    directory = tmp_path_factory.mktemp("savedmodels") / "dcn"
    return export(
        user_model(),
        user_schema(),
        directory,
        fresh_process=False,
        verbose=False,
        batch_sizes=(1, 2),
    )


def parsed(command):
    """The options, the image and the flags of a command, as the shell reads it."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["docker", "run"]
    words, options = words[2:], []
    while words[0].startswith("-"):
        option = words.pop(0)
        options.append((option, words.pop(0) if DOCKER[option] else None))
    image, *flags = words
    return options, image, flags


def blocks(text):
    """The code blocks of a Markdown file."""
    found = re.findall(r"^( *)```\w*\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for _, block in found]


def flag(text):
    name, _, value = text.removeprefix("--").partition("=")
    return name, value or "true"


@pytest.mark.parametrize("gpu", [False, True])
def test_every_flag_is_one_of_the_server_and_changes_its_default(gpu):
    for name, value in map(flag, server_flags("dcn", gpu)):
        assert FLAGS[name] != value
    assert len(server_flags("dcn", gpu=True)) == len(FLAGS)


def test_the_command_mounts_the_versions_where_models_config_looks():
    options, image, flags = parsed(docker_command("/srv/m y/dcn"))
    assert image == "tensorflow/serving:latest"
    assert flags == server_flags("dcn")
    assert options == [
        ("--rm", None),
        ("-it", None),
        ("-p", "8500:8500"),
        ("-p", "8501:8501"),
        ("--mount", "type=bind,source=/srv/m y/dcn,target=/models/dcn,readonly"),
    ]


def test_the_command_for_a_gpu_has_the_image_and_the_memory():
    """Source of the tag: tensorflow.org/tfx/serving/docker, "Pull the GPU image"."""
    options, image, flags = parsed(docker_command("dcn", gpu=True))
    assert image == "tensorflow/serving:latest-gpu" and ("--gpus", "all") in options
    assert flags[-2:] == [
        "--tensorflow_session_config_file=/models/dcn/session.config",
        "--per_process_gpu_memory_fraction=0.9",
    ]


@pytest.mark.parametrize(
    ("directory", "source"),
    [(".", "/here"), ("savedmodels/dcn", "/here/savedmodels/dcn")],
)
def test_a_relative_directory_is_meant_from_where_the_command_is_typed(
    directory, source
):
    command = docker_command(directory, "dcn")
    mount = re.search(r"--mount (\S+)", command)[1]
    shell = ["bash", "-c", f"PWD=/here; echo {mount}"]
    said = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"type=bind,source={source},target=/models/dcn,readonly"


def test_a_name_that_no_url_can_hold_is_refused():
    with pytest.raises(ValueError, match="letters, digits"):
        docker_command("/srv/my model")


def test_three_places_give_the_same_commands(version):
    directory = version.parent
    own = blocks((directory / "README.md").read_text())
    assert own[:2] == [docker_command(".", "dcn", gpu) for gpu in (False, True)]
    general = blocks(README.read_text())
    for gpu in (False, True):
        assert docker_command("savedmodels/dcn", gpu=gpu) in general
    assert how_to_serve(directory).endswith("\n" + docker_command(directory))
    commands = [*own[:2], *general, how_to_serve(directory)]
    assert sum("docker run" in each for each in commands) == 5


def test_the_quickstart_says_what_an_export_without_labels_needs(tmp_path):
    assert "pip install 'tf_ctr[serving]'" in how_to_serve(tmp_path)


def test_every_file_that_a_flag_names_lies_beside_the_versions(version):
    directory = version.parent
    for _, value in map(flag, server_flags("dcn", gpu=True)):
        if value.startswith("/"):
            assert (
                directory / pathlib.Path(value).relative_to("/models/dcn")
            ).is_file()
    assert read_labels(directory)["stable"] == 1


def test_the_files_are_messages_of_the_server():
    """Source: server.cc, Server::BuildAndStart: text, read by ParseProtoTextFile."""
    pool = parse_batching_parameters(POOL_TEXT)
    # Without a field that is set, the TFRT factory would not batch at all.
    assert pool.thread_pool_name.value == "model_server_batch_threads"
    # The default is one thread per CPU: shared_batch_scheduler.h, Options.
    assert not pool.HasField("num_batch_threads")
    shown = POOL_TEXT.replace("# num_batch_threads", "num_batch_threads")
    assert parse_batching_parameters(shown).num_batch_threads.value == 8
    session = text_format.Parse(SESSION_TEXT, config_pb2.ConfigProto())
    assert session.gpu_options.allow_growth and session.allow_soft_placement
    # BuildAndStart overwrites it with the flag.
    assert session.gpu_options.per_process_gpu_memory_fraction == 0
    # config/monitoring_config.proto, which tensorflow-serving-api does not have.
    path = "/monitoring/prometheus/metrics"
    assert (
        MONITORING_TEXT.strip()
        == f'prometheus_config {{ enable: true path: "{path}" }}'
    )


def test_docker_compose_starts_the_same_server(version):
    """Sources: docs.docker.com, reference/compose-file: services, profiles, deploy."""
    text = (version.parent / "docker-compose.yml").read_text()
    assert text == compose_text("dcn") and "$" not in text  # Compose would replace it.
    services = yaml.safe_load(text)["services"]
    assert set(services) == {"cpu", "gpu"}
    for gpu, service in enumerate((services["cpu"], services["gpu"])):
        options, image, flags = parsed(docker_command(".", "dcn", bool(gpu)))
        assert (service["image"], service["command"]) == (image, flags)
        assert [("-p", ports) for ports in service["ports"]] == [
            each for each in options if each[0] == "-p"
        ]
        [volume] = service["volumes"]
        assert volume == {
            "type": "bind",
            "source": ".",
            "target": "/models/dcn",
            "read_only": True,
        }
        *shell, check = service["healthcheck"]["test"]
        assert shell == ["CMD", "bash", "-c"] and check == health_command("dcn")
    assert "profiles" not in services["cpu"] and services["gpu"]["profiles"] == ["gpu"]
    [device] = services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and device["capabilities"] == ["gpu"]


def healthy(port):
    command = health_command("dcn", port)
    return subprocess.run(["bash", "-c", command], capture_output=True).returncode == 0


def test_the_health_check_waits_for_the_label_stable(version):
    with StandInServer("dcn", {1: version}) as server:
        port = int(server.url.rpartition(":")[2])
        assert not healthy(port)  # Without the label.
        server.labels = {"stable": 2}
        assert not healthy(port)  # Its version is not loaded.
        server.labels = {"stable": 1}
        assert healthy(port)
    assert not healthy(port)


def test_the_manifest_for_kubernetes_starts_the_same_server():
    [text] = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    deployment, service = yaml.safe_load_all(text)
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert service["spec"]["selector"] == pod["metadata"]["labels"]
    [container] = pod["spec"]["containers"]
    assert container["image"] == "tensorflow/serving:latest"
    assert container["args"] == server_flags("dcn")
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    assert {each["targetPort"] for each in service["spec"]["ports"]} == set(ports)
    [mount], [volume] = container["volumeMounts"], pod["spec"]["volumes"]
    assert mount["mountPath"] == "/models/dcn" and mount["name"] == volume["name"]
    for probe in ("startupProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked == {"path": ready_path("dcn"), "port": "rest"}
    assert container["livenessProbe"]["httpGet"]["path"] == "/v1/models/dcn"


def test_a_version_that_is_being_copied_is_no_version(tmp_path):
    """Source: file_system_storage_path_source.cc, ParseVersionNumber."""
    source, host = tmp_path / "savedmodels/dcn/7", tmp_path / "srv/dcn"
    source.mkdir(parents=True)
    host.mkdir(parents=True)
    [copying] = [each for each in blocks(README.read_text()) if "scp" in each]
    copy, rename = (shlex.split(line) for line in copying.splitlines())
    copied, renamed = (path.removeprefix("/srv/dcn/") for path in rename[-2:])
    assert copy[-2:] == ["savedmodels/dcn/7", f"host:/srv/dcn/{copied}"]
    source.rename(host / copied)
    assert version_numbers(host) == []
    (host / copied).rename(host / renamed)
    assert version_numbers(host) == [7]


@pytest.mark.parametrize("name", ["classify", "regress"])
def test_samples_for_examples_name_their_signature(version, name):
    """Seen on a server: 400 "Expected one input Tensor." without the name."""
    body = (version / "assets.extra" / "requests" / f"{name}.json").read_text()
    assert json.loads(body)["signature_name"] == name
    for text in ((version.parent / "README.md").read_text(), README.read_text()):
        assert "must name" in text and '"signature_name"' in text


def test_the_samples_that_the_readme_sends_are_there(version):
    directory = version.parent
    sent = re.findall(r"curl -d @(\S+)", (directory / "README.md").read_text())
    assert len(sent) == 2 and all((directory / each).is_file() for each in sent)
