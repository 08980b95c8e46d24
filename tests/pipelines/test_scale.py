"""What starts many workers gives each its place; what is projected can be computed."""

import os
import pathlib
import subprocess

import pytest
import yaml

from pipelines.scale import cost, equal, faults, projection
from tf_ctr.training.cluster import read_cluster

FOLDER = pathlib.Path(cost.__file__).parent


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """An empty folder with a program that writes the TF_CONFIG that it is given."""
    program = (
        "import os, pathlib; pathlib.Path('seen').write_text(os.environ['TF_CONFIG'])"
    )
    (tmp_path / "train.py").write_text(program)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_CONFIG", "")
    return tmp_path / "seen"


def test_the_job_for_kubernetes_gives_every_pod_its_place(seen, monkeypatch):
    """As in kubernetes.io/docs/tasks/job/job-with-pod-to-pod-communication: the pods of
    an indexed job are reached as {job}-{index}.{subdomain} by a headless service."""
    service, job = yaml.safe_load_all((FOLDER / "job.yaml").read_text())
    name, spec = job["metadata"]["name"], job["spec"]
    pod = spec["template"]["spec"]
    (worker,) = pod["containers"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    assert service["spec"]["publishNotReadyAddresses"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert spec["completionMode"] == "Indexed" and pod["restartPolicy"] == "OnFailure"
    for variable in worker["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")  # Kubernetes sets it.
    assert worker["command"] == ["python", "-c"]
    exec(compile(worker["args"][0], "job.yaml", "exec"), {})
    cluster = read_cluster({"TF_CONFIG": seen.read_text()})
    port = worker["ports"][0]["containerPort"]
    assert cluster.index == 3
    assert cluster.count == spec["completions"] == spec["parallelism"]
    assert cluster.addresses[2] == f"{name}-2.{pod['subdomain']}:{port}"


def test_the_script_for_slurm_gives_every_task_its_place(seen, tmp_path):
    commands = {
        "scontrol": "printf 'node7\\nnode8\\n'",
        # Starts task 1 of the job, without the options.
        "srun": 'shift; SLURM_PROCID=1 exec "$@"',
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", FOLDER / "job.sbatch", "train.py"],
        env={**os.environ, "PATH": path, "SLURM_JOB_NODELIST": "node[7-8]"},
        check=True,
    )
    cluster = read_cluster({"TF_CONFIG": seen.read_text()})
    assert cluster.addresses == ("node7:2222", "node8:2222") and cluster.index == 1


def test_bytes_and_milliseconds_are_projected_as_the_page_says():
    one = {"ms": 20.0, "cpu_ms": 25.0, "unique_rows": 1000, "dense_parameters": 12_500}
    measured = {1: one, 2: {"cpu_ms": 30.0}, 4: {"cpu_ms": 34.0}}
    # Rows of 8 + 4 * 8 bytes for 7 others; 2 * 7 / 8 of 50 kB.
    assert projection.sent_kb(8, 1000, 8, 12_500) == 280 + 87.5
    own, fixed, merge, wait, send = projection.step_ms(measured, 8, 8, 10.0, 0.1)
    assert (own, merge) == (20.0, 14.0)  # 2 ms for the rows of each other worker.
    assert fixed == 3.0  # The rest of 30 ms, after 25 and 2.
    assert wait == pytest.approx(2.8)  # 4 * 7 messages.
    assert send == pytest.approx(0.294)  # 367.5 kB at 1.25 MB per ms.


@pytest.mark.parametrize("program", [cost, equal, faults, projection])
def test_every_program_explains_itself(program, capsys):
    with pytest.raises(SystemExit):
        program.parse(["--help"])
    assert f"python -m {program.__name__}" in capsys.readouterr().out
