"""Workers find each other, or say what is wrong, before TensorFlow starts."""

import importlib
import json
import socket
import types
from concurrent.futures import ThreadPoolExecutor

import keras
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow import trainer

from pipelines.scale.processes import addresses, free_ports
from tf_ctr import continual, training
from tf_ctr.export import export
from tf_ctr.training import agreement, meeting
from tf_ctr.training.agreement import check_alike, check_fit
from tf_ctr.training.cluster import Cluster, read_cluster
from tf_ctr.training.fit_of_keras import check_version
from tf_ctr.training.settings import model_settings

HOSTS = ["a:1", "b:1"]
# `training.workers` is the function.
MODULE = importlib.import_module("tf_ctr.training.workers")


def config(cluster=None, task=None):
    cluster = {"worker": HOSTS} if cluster is None else cluster
    task = {"type": "worker", "index": 0} if task is None else task
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def clusters(count, hosts=None):
    """The cluster of each of some workers."""
    hosts = tuple(hosts or addresses(count))
    names = tuple(f"worker {index}" for index in range(count))
    return [Cluster(hosts, index, names) for index in range(count)]


def meet(all_clusters, values=None, start_within=10):
    """What each worker hears, each in a thread, or the error that it raises."""

    def one(cluster):
        try:
            own = {"schema": (values or {}).get(cluster.index, "x")}
            return meeting.meet(cluster, own, start_within)
        except (training.LostWorkerError, OSError) as error:
            return error

    with ThreadPoolExecutor(len(all_clusters)) as pool:
        return list(pool.map(one, all_clusters))


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": " "}, {"TF_CONFIG": "{}"}])
def test_without_a_cluster_a_process_is_by_itself(environment):
    assert read_cluster(environment) is None


def test_a_chief_is_the_first_worker():
    roles = {"worker": HOSTS, "chief": ["c:1"]}
    cluster = read_cluster(config(roles, {"type": "worker", "index": 1}))
    assert cluster.addresses == ("c:1", "a:1", "b:1") and cluster.index == 2
    assert [cluster.named(i) for i in (0, 2)] == ["chief 0 (c:1)", "worker 1 (b:1)"]


@pytest.mark.parametrize(
    ("environment", "received", "fix"),
    [
        ({"TF_CONFIG": "{"}, "not JSON", "as in the example"),
        ({"TF_CONFIG": "[1]"}, r"\[1\]", "as in the example"),
        (config({"worker": "a:1"}), '"a:1"', "as in the example"),
        (config({"worker": ["a"]}), '"a"', "as in the example"),
        (config({"worker": ["a:70000"]}), "70000", "as in the example"),
        (config({"worker": []}), "no worker", "one 'host:port' per worker"),
        (config({"worker": ["a:1", "a:1"]}), "a:1 for several", "the same list"),
        (config({"worker": HOSTS, "ps": ["c:1"]}), "'ps', 'worker'", "as 'ps'"),
        (config(task={"type": "worker", "index": 2}), '"index": 2', "count from 0"),
        (config(task={}), "the task {}", "worker 0, worker 1|count from 0"),
    ],
)
def test_a_wrong_configuration_is_refused(environment, received, fix):
    with pytest.raises(ValueError, match=f"(?s)Expected.*{received}.*Fix: .*({fix})"):
        read_cluster(environment)


def test_workers_hear_what_all_of_them_say():
    everyone = meet(clusters(3), {0: "a", 1: "b", 2: "c"})
    assert everyone == [[{"schema": "a"}, {"schema": "b"}, {"schema": "c"}]] * 3


def test_workers_of_different_schemas_are_named():
    first, *_ = found = clusters(3)
    everyone = meet(found, {2: "y"})
    with pytest.raises(ValueError) as error:
        check_alike(first, everyone[0], {"schema": "load one file"})
    a, b, c = map(first.named, range(3))
    assert f"Received: x on {a}, {b}; y on {c}." in str(error.value)


@pytest.mark.parametrize(
    ("own", "other", "received"),
    [
        (10, "12", r"10 on worker 0 \(a:1\); 12 on worker 1 \(b:1\)"),
        (None, "12", r"batches without one on worker 0 \(a:1\)"),
        (10, "an unknown number", "batches without one on another worker"),
    ],
)
def test_workers_must_have_as_many_batches(monkeypatch, own, other, received):
    def gathered(strategy, value):
        return [value, {**value, "number of batches": other}]

    monkeypatch.setattr(agreement, "gathered", gathered)
    model = keras.Sequential([keras.Input((1,))])
    model.compile(loss="mse")
    with pytest.raises(ValueError, match=f"(?s)Received: {received}.*shard"):
        check_fit(None, clusters(2, HOSTS)[0], model, own)


def test_several_steps_per_execution_are_refused():
    model = keras.Sequential([keras.Input((1,))])
    model.compile(loss="mse", steps_per_execution=2)
    with pytest.raises(ValueError, match="(?s)Received: 2.*leave it out"):
        check_fit(None, clusters(2, HOSTS)[0], model, 10)


def test_workers_must_have_the_same_model(monkeypatch):
    model, other = (keras.Sequential([keras.Input((1,))]) for _ in range(2))
    model.compile(keras.optimizers.Adam(0.1), loss="mse")
    other.compile(keras.optimizers.Adam(0.2), loss="mse")
    theirs = json.loads(json.dumps(model_settings(other), default=str))

    def gathered(strategy, value):
        return [value, theirs if "optimizer" in value else {**value, "model": "x"}]

    monkeypatch.setattr(agreement, "gathered", gathered)
    with pytest.raises(ValueError, match="worker 1 .*learning_rate was 0.1 and is 0.2"):
        check_fit(None, clusters(2, HOSTS)[0], model, 10)


def test_all_end_in_time_if_a_worker_is_missing_and_name_it():
    first, second, third = clusters(3)
    for error in meet([first, third], start_within=0.5):
        assert isinstance(error, training.LostWorkerError)
        assert "within 0.5 s" in str(error)
        assert f"no message from {second.named(1)}." in str(error)


def test_a_worker_ends_in_time_if_the_chief_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(meeting, "QUIET", 0.1)
    first, second = clusters(2)
    (error,) = meet([second], start_within=0.5)
    assert f"no message from {first.named(0)}." in str(error)
    assert capsys.readouterr().out == f"Waiting for {first.named(0)}.\n"


def test_a_port_in_use_is_named():
    first, second = clusters(2)
    with socket.create_server(("", int(second.addresses[1].split(":")[1]))):
        (error,) = meet([second])
    assert isinstance(error, OSError) and not isinstance(error, TimeoutError)
    assert f"on the port of {second.named(1)}" in str(error)
    assert "Address already in use" in str(error) and "TF_CONFIG" in str(error)


def test_strangers_at_the_port_of_the_chief_do_no_harm(monkeypatch):
    monkeypatch.setattr(meeting, "MESSAGE", 0.2)
    first, second = clusters(2)
    other = Cluster((first.addresses[0], "x:1"), 1, second.names)
    port = int(first.addresses[0].split(":")[1])

    def knock():
        lost = {"addresses": first.addresses, "index": 7, "values": {}}
        strange = b"GET / HTTP/1.1\r\n\r\n", b"", b'{"index": 1}\n', b"[]\n"
        for message in (*strange, json.dumps(lost).encode() + b"\n"):
            with socket.create_connection(("127.0.0.1", port), 5) as stranger:
                stranger.sendall(message)

    with ThreadPoolExecutor(4) as pool:
        chief = pool.submit(meeting.meet, first, {"schema": "x"}, 10)
        wrong = pool.submit(meet, [other], None, 1.0)
        while True:
            try:
                knock()
                break
            except ConnectionRefusedError:  # The chief has not begun to listen.
                continue
        (error,) = wrong.result()
        assert isinstance(error, training.LostWorkerError)  # Of another cluster.
        worker = pool.submit(meeting.meet, second, {"schema": "x"}, 10)
        assert chief.result() == worker.result() == [{"schema": "x"}] * 2


def test_times_must_be_whole_seconds():
    with pytest.raises(ValueError, match="`lost_after` to be a whole number"):
        with training.workers(lost_after=0):
            pass


def test_a_lost_worker_is_named_and_other_errors_pass():
    (first, _) = clusters(2, HOSTS)
    aborted = "Collective ops is aborted by: target /job:worker/replica:0/task:1 while"
    with pytest.raises(training.LostWorkerError) as error:
        with MODULE._told_who_is_lost(first, 7):
            raise tf.errors.UnavailableError(None, None, aborted)
    assert "worker 1 (b:1) has ended, or gave no sign for 7 s" in str(error.value)
    assert "resume at the last backup" in str(error.value)
    with pytest.raises(tf.errors.UnavailableError, match="a file"):
        with MODULE._told_who_is_lost(first, 7):
            raise tf.errors.UnavailableError(None, None, "a file of /job:worker")


@pytest.fixture
def second(monkeypatch):
    """This process is the second of two workers."""
    one = types.SimpleNamespace(cluster=clusters(2, HOSTS)[1])
    monkeypatch.setattr(MODULE, "_strategy", one)


def test_runs_by_period_are_refused_with_what_to_do(second, tmp_path):
    with pytest.raises(ValueError, match=r"(?s)continual.run\..*model.fit for each"):
        continual.run([], tmp_path)
    with pytest.raises(ValueError, match="one process for continual.run_levels"):
        continual.run_levels([], tmp_path)
    assert not list(tmp_path.iterdir())


def test_only_the_chief_exports(second, tmp_path, capsys):
    assert training.shard() == (1, 2) and not training.is_chief()
    assert export(None, None, tmp_path) == tmp_path
    assert "Worker 1 leaves the export to the chief." in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_keras_still_needs_the_bypass_of_its_logs(monkeypatch):
    """If this fails, Keras has mended #20329: take the bypass out of fit_of_keras."""
    asked = []
    strategy = types.SimpleNamespace(
        reduce=lambda how, value, axis=None: asked.append((how, axis))
    )
    reduce = trainer.reduce_per_replica
    reduce = getattr(reduce, "__wrapped__", reduce)
    several = "_collective_all_reduce_multi_worker"
    monkeypatch.setattr(trainer, several, lambda strategy: True)
    reduce({"loss": tf.constant(0.5)}, strategy, "auto")
    assert asked == [("MEAN", 0)]  # A scalar has no axis 0.


def test_keras_still_needs_the_bypass_of_its_building():
    """If this fails, Keras has mended #20585: take the bypass out of fit_of_keras."""

    class Distributed(tf.distribute.DistributedValues):
        def __init__(self):
            pass

    asked = []

    def reduce(how, value, axis=None):
        asked.append(type(value))
        raise InterruptedError

    build = trainer.TensorFlowTrainer._maybe_symbolic_build
    build = getattr(build, "__wrapped__", build)
    strategy = types.SimpleNamespace(reduce=reduce)
    model = types.SimpleNamespace(
        _distribute_strategy=strategy, distribute_strategy=strategy
    )
    batches = iter([{"item": Distributed()}])
    with pytest.raises(InterruptedError):
        build(model, iterator=[(0, 0, batches)])
    assert asked == [dict]  # `Strategy.reduce` takes one tensor.


def test_a_version_of_keras_that_was_not_tested_is_refused():
    check_version(keras.__version__)
    with pytest.raises(RuntimeError, match=r"(?s)Keras 3\.16\.0.*pip install 'keras"):
        check_version("3.16.0")


def test_free_ports_differ():
    assert len(set(free_ports(4))) == 4
