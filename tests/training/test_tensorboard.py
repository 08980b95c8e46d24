"""What TensorBoard shows of a run; a real TensorBoard shows it without an error."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipelines import tensorboard_tour
from tests.support import two_labels
from tests.support.frames import click_frame
from tf_ctr import Categorical, Numeric, Schema, backbones, data, evaluation, training
from tf_ctr.training import tensorboard
from tf_ctr.training.board.scores import row_name, scalars, score
from tf_ctr.transfer import autoft

FRAME = click_frame(rows=48).assign(city=["a", "b", "b"] * 16)


@pytest.fixture(scope="module")
def schema():
    fields = [Categorical("user"), Categorical("city"), Numeric("price")]
    return Schema(fields, label="click", group="user").fit(FRAME)


@pytest.fixture(scope="module")
def run(schema, tmp_path_factory):
    """The folder of a run of AutoFT with everything, and its model."""
    run_dir = tmp_path_factory.mktemp("runs") / "autoft"
    source = backbones.dcn(schema, 2, (3,), num_cross_layers=1)
    model = training.compile(autoft(source), 0.01)
    model.run_eagerly = True
    valid = data.from_frame(FRAME, schema, 16)
    chosen = training.callbacks(run_dir, valid, patience=1, schema=schema)
    chosen[-1].by, chosen[-1].settings = "city", {"dataset": "small"}
    options = {"epochs": 2, "callbacks": chosen, "shuffle": False, "verbose": 0}
    model.fit(valid, validation_data=valid, **options)
    training.log_test(
        run_dir, {"auc": np.float32(0.75), "rows": 48, "gauc": float("nan")}
    )
    return run_dir, model


def events(folder):
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    found.Reload()
    return found


def last(folder, tag):
    proto = events(folder).Tensors(tag)[-1].tensor_proto
    return (
        np.frombuffer(proto.tensor_content, "float32")
        if proto.tensor_content
        else (proto.float_val[0])
    )


def test_scores_of_validation_rows_are_exact_and_by_domain(run, schema):
    run_dir, model = run
    history = tensorboard.read_history(run_dir)
    best = int(np.argmax([epoch["val_auc"] for epoch in history]))
    scores = model.predict(data.from_frame(FRAME, schema, 48), verbose=0)[:, 0]
    clicks = FRAME["click"].to_numpy()
    found = history[best]  # Its weights were restored.
    of_b = (FRAME["city"] == "b").to_numpy()
    assert found["val_auc/city=b"] == pytest.approx(
        roc_auc_score(clicks[of_b], scores[of_b])
    )
    assert found["val_log_loss/city=b"] == pytest.approx(
        log_loss(clicks[of_b], scores[of_b].astype("float64"))
    )
    assert found["val_calibration"] == pytest.approx(scores.sum() / clicks.sum())
    by_user = pd.DataFrame({"user": FRAME["user"], "y": clicks, "p": scores})
    aucs = [
        (roc_auc_score(rows["y"], rows["p"]), len(rows))
        for _, rows in by_user.groupby("user")
        if rows["y"].nunique() > 1
    ]
    gauc = np.average([auc for auc, _ in aucs], weights=[rows for _, rows in aucs])
    assert found["val_gauc"] == pytest.approx(gauc)
    tags = events(run_dir / "validation").Tags()["tensors"]
    assert {"epoch_gauc", "epoch_calibration/city=a", "pr_curve/pr_curves"} <= {*tags}
    assert "logits" in tags
    assert tags.count("epoch_auc") == 1


def test_rows_count_by_the_weights_of_each_label_where_it_is_known():
    rows, schema = two_labels.rows(), two_labels.schema(two_labels.WEIGHTS)
    model = two_labels.build("esmm", schema)

    def scored(frame):
        valid = data.from_frame(frame, schema, 25)
        return score(model, valid, schema, None, len(frame))

    expected = evaluation.evaluate(model, rows, schema)
    for label, found in scored(rows).items():
        shown = dict(scalars(found, schema, None))
        for name in ("auc", "log_loss", "calibration"):
            assert shown[name] == pytest.approx(expected[f"{label}_{name}"], rel=1e-6)
    assert set(scored(rows.assign(buy=np.nan))) == {"click"}


def test_the_best_epoch_is_a_point_in_the_charts_of_the_curves(run):
    run_dir, _ = run
    history = tensorboard.read_history(run_dir)
    best = int(np.argmax([epoch["val_auc"] for epoch in history]))
    (point,) = events(run_dir / "best").Tensors("epoch_auc")
    assert point.step == best
    assert last(run_dir / "best", "epoch_auc") == pytest.approx(
        history[best]["val_auc"]
    )


def test_settings_and_final_metrics_are_comparable(run):
    run_dir, model = run
    found = events(run_dir)
    plugins = found.PluginTagToContent("hparams")
    text = plugins["_hparams_/session_start_info"]
    for setting in (b"learning_rate", b"dataset", b"small", b"SparseAdam"):
        assert setting in text
    tags = found.Tags()["tensors"]
    assert {"final/val_auc", "final/best_epoch", "test/auc"} <= {*tags}
    assert "test/gauc" not in tags  # Undefined.
    assert last(run_dir, "test/auc") == 0.75
    assert json.loads((run_dir / "test.json").read_text())["metrics"]["rows"] == 48
    assert found.Graph().node
    assert {"settings", "schema", "custom_scalars__config__"} <= {*tags}


def test_tables_and_pictures_are_there(run):
    run_dir, model = run
    tags = events(run_dir).Tags()["tensors"]
    assert {"reliability", "routes", "routes_by_epoch"} <= {*tags}
    assert {"table_norms/user_embedding", "table_norms/user_embedding_frozen"} <= {
        *tags
    }
    ids = (run_dir / "projector" / "city_embedding_ids.tsv").read_text().split("\n")
    assert ids[:4] == ["(missing)", "(unseen 0)", "b", "a"]
    vectors = np.loadtxt(run_dir / "projector" / "city_embedding.tsv")
    table = model.get_layer("city_embedding").embeddings.numpy()
    np.testing.assert_allclose(vectors, table, rtol=1e-4)
    assert "frozen" not in (run_dir / "projector_config.pbtxt").read_text()


def test_a_finished_run_writes_nothing_more(run, schema):
    run_dir, model = run
    before = {path: path.read_bytes() for path in run_dir.rglob("events*")}
    board = training.TensorBoard(run_dir, schema)
    board.set_model(model)
    board.set_params({"epochs": 2})
    board.on_train_begin()
    board.on_train_end()
    after = {path: path.read_bytes() for path in run_dir.rglob("events*")}
    assert all(after[path] == content for path, content in before.items())


def test_without_matplotlib_one_line_says_so(run, monkeypatch, tmp_path, capsys):
    _, model = run
    monkeypatch.setattr(tensorboard, "_has_matplotlib", lambda: False)
    tensorboard._say_no_pictures.cache_clear()
    board = training.TensorBoard(tmp_path, validation=[])
    board.set_model(model)
    board.set_params({"epochs": 1})
    board.on_train_begin()
    board.on_epoch_begin(0)
    board.on_epoch_end(0, {"val_auc": 0.5})
    board.on_train_end()
    assert 'pip install "tf_ctr[plots]"' in capsys.readouterr().out
    assert "final/val_auc" in events(tmp_path).Tags()["tensors"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda s: training.TensorBoard("r", s, by="town"), "of a field.*one of: city"),
        (lambda s: training.TensorBoard("r", by="city"), "of a field.*there is none"),
        (lambda s: training.TensorBoard("r", mode="best"), "'max', 'min'"),
        (lambda s: training.TensorBoard("r", rows=0), "`rows` to be a whole number"),
        (lambda s: training.log_test("none", {}), "the folder of a run"),
    ],
)
def test_wrong_arguments_are_explained(make, message, schema):
    with pytest.raises(ValueError, match=f"(?s){message}") as error:
        make(schema)
    assert "Fix: " in str(error.value)


def test_ids_are_one_line_each():
    assert row_name("two\twords\nand more") == "two words and more"
    assert row_name("") == "(empty)"
    assert row_name(("hashed", 5, 16)) == "(hashed 5)"


# TensorBoard's own copy of html5lib warns when it is imported.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_real_tensorboard_shows_every_dashboard(run):
    if tensorboard_tour.chromium() is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    run_dir, _ = run
    with tensorboard_tour.serving(run_dir.parent) as url:
        with tensorboard_tour.browser() as page:
            wrong = [
                each
                for name in tensorboard_tour.DASHBOARDS
                for each in tensorboard_tour.visit(page, url, name)
            ]
    assert not wrong, wrong
