"""Two processes train a model together, as one process does with all of their rows."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.scale.processes import addresses, start, wait
from tests.support import two_workers
from tests.support.frames import small_schema
from tf_ctr import evaluation, training
from tf_ctr.layers import GumbelRouter


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder that two workers wrote to, and what they printed."""
    folder = tmp_path_factory.mktemp("together")
    program, both = ["-m", two_workers.__name__, str(folder)], addresses(2)
    logs = [folder / f"log{index}" for index in range(2)]
    processes = [start(program, both, i, log) for i, log in enumerate(logs)]
    codes = wait(processes, 120)
    printed = [log.read_text() for log in logs]
    assert codes == [0, 0], "\n".join(printed)
    return folder, printed


@pytest.fixture(scope="module")
def by_itself(tmp_path_factory):
    """The same model, trained in this process on the rows of both."""
    folder, schema = tmp_path_factory.mktemp("alone"), small_schema()

    def noise(router, shape, own=GumbelRouter._gumbel_noise):
        # Both workers draw the noise of their rows from the same seed.
        half = own(router, (shape[0] // 2, *shape[1:]))
        return tf.concat([half, half], 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GumbelRouter, "_gumbel_noise", noise)
        return two_workers.train(schema, folder, 0, 1)


def test_two_workers_train_the_model_of_one_process(together, by_itself):
    model, history = by_itself
    expected = {variable.path: np.asarray(variable) for variable in model.weights}
    expected |= {f"history {key}": values for key, values in history.items()}
    for index in range(2):
        found = np.load(together[0] / f"{index}.npz")
        assert set(found.files) == set(expected)
        for key in expected:
            np.testing.assert_allclose(found[key], expected[key], atol=1e-6, rtol=0)
    assert history["loss"][0] != history["loss"][1]


def test_only_the_chief_writes_and_its_files_are_those_of_one_process(
    together, by_itself
):
    folder, printed = together
    names = {path.name for path in (folder / "run").iterdir()}
    assert names >= {"finished", "train", "training.json", "validation"}
    # One file of curves in each folder: not one of every worker.
    curves = [path.parent.name for path in folder.glob("run/*/*tfevents*")]
    assert curves and len(curves) == len(set(curves))
    assert "All workers start with the weights of worker 0" in printed[0]
    saved = keras.saving.load_model(folder / "model.keras")
    frame, schema = two_workers.rows(2), small_schema()
    np.testing.assert_allclose(
        evaluation.predict(saved, frame, schema),
        evaluation.predict(by_itself[0], frame, schema),
        atol=1e-6,
    )


def test_each_worker_predicts_its_own_rows(together, by_itself):
    schema, model = small_schema(), by_itself[0]
    for index in range(2):
        own = two_workers.batches(two_workers.rows(2), schema, index, 2)
        expected = model.predict(own, verbose=0)
        found = np.load(together[0] / f"scores-{index}.npy")
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("hosts", [[], ["localhost:1"]])
def test_a_process_by_itself_changes_nothing(hosts, monkeypatch):
    task = {"type": "worker", "index": 0}
    config = {"cluster": {"worker": hosts} if hosts else {}, "task": task}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with training.workers() as strategy:
        assert strategy.num_replicas_in_sync == 1
        assert not tf.distribute.has_strategy()
    assert training.shard() == (0, 1) and training.is_chief()
