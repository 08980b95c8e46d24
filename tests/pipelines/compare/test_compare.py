"""The comparison: one budget, test rows last and once, nothing done twice."""

import dataclasses
import functools
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from pipelines.compare import __main__ as compare
from pipelines.compare import comparison
from pipelines.compare import training as row_training
from pipelines.compare.comparison import Comparison, Plan
from pipelines.compare.rows import METHODS, Row, rows, trials
from pipelines.compare.training import RowTraining
from pipelines.harness import scoring
from pipelines.harness.datasets import SMALL
from pipelines.harness.results import ResultLines
from tests.support.small_worlds import five_fields
from tf_ctr.datasets import synthetic
from tf_ctr.evaluation import predict
from tf_ctr.metrics import exact_auc

TINY = dataclasses.replace(
    SMALL, embedding_dim=2, hidden_units=(4, 2), num_cross_layers=1, epochs=1
)
FINE_TUNE, AUTOFT = Row("source", "fine_tune"), Row("source", "autoft")


@pytest.fixture(scope="module")
def domains():
    return synthetic.generate(
        source_rows=600, target_rows=400, num_users=20, num_items=10
    )


class KilledError(Exception):
    """Stands for the end of the process."""


class Fakes:
    """Training and testing without models, which records every call.

    The validation AUC grows with the learning rate, so that the choice is known.
    """

    def __init__(self, monkeypatch):
        self.events, self.trained, self.dies_at = [], set(), None
        monkeypatch.setattr(row_training, "tune", self.tune)
        monkeypatch.setattr(scoring, "test", self.test)
        monkeypatch.setattr(scoring, "routes", lambda *_: {})
        monkeypatch.setattr(scoring, "curve", lambda *_: [0.5])

    def note(self, *event):
        if len(self.events) == self.dies_at:
            self.dies_at = None
            raise KilledError
        self.events.append(event)

    def tune(self, build, splits, schema, trials, seed, run_dir, verbose):
        tried = []
        for trial in trials:
            key = (run_dir.parent.name, seed, str(trial))
            if key not in self.trained:  # As the engine's runs on disk.
                self.note("train", *key)
                self.trained.add(key)
            rate = trial.settings.learning_rates[0]
            tried.append({"chosen": trial.chosen(), "validation_auc": 0.5 + rate})
        best = int(np.argmax([one["validation_auc"] for one in tried]))
        kept = dict.fromkeys(("epochs_run", "seconds", "parameters", "train_rows"), 1)
        return None, {**kept, **tried[best], "trial": best, "tried": tried}

    def test(self, model, domains, path):
        row, seed = path.parent.parent.name, int(path.parent.name[-1])
        self.note("test", row, seed)
        labels = domains.schema.labels(domains.target.test)
        noise = np.random.default_rng([seed, *row.encode()]).normal(size=len(labels))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, labels + noise)
        auc = exact_auc(labels, labels + noise)
        groups = {"rows": [1], "least": [0], "most": [1], "auc": [auc]}
        metrics = {"auc": auc, "log_loss": 0.5, "gauc": 0.6, "calibration": 1.0}
        return {**metrics, "user_groups": groups, "item_groups": groups}


@pytest.fixture
def fakes(monkeypatch):
    return Fakes(monkeypatch)


@pytest.fixture
def run(domains, tmp_path, monkeypatch):
    """Runs a plan of three rows; returns its records."""
    monkeypatch.setattr(RowTraining, "check", lambda *_: None)  # Builds real models.

    def run(folder="run", seeds=2, budget=3, settings=TINY):
        listed = rows(["fine_tune", "autoft"], ["source"])
        plan = Plan("synthetic", "dcn", listed, settings, seeds, budget)
        lines = ResultLines(tmp_path / folder / "results.jsonl")
        Comparison(plan, domains, tmp_path / folder, lines).run()
        return lines.records

    return run


def test_rows_have_the_order_and_the_names_of_the_paper():
    listed = rows(
        ["autoft", "fine_tune", "target_only"], ["source", "all"], ["cross+deep"]
    )
    assert [row.title for row in listed] == [
        "Target-only",
        "Source-only",
        "Source-Fine-Tune",
        "Source-AutoFT",
        "Source-AutoFT (cross & deep)",
        "All",
        "All-Fine-Tune",
        "All-AutoFT",
        "All-AutoFT (cross & deep)",
    ]
    assert listed[-1].which == ["cross", "deep"]
    assert len({row.name for row in listed}) == len(listed)


def test_every_row_gets_the_same_budget_and_training():
    listed = rows([*METHODS, "target_only"], ["source", "all"], ["embedding"])
    offered = [trials(row, TINY, budget=5) for row in listed]
    settings = [[trial.settings for trial in of_row] for of_row in offered]
    assert all(of_row == settings[0] for of_row in settings)
    assert len(settings[0]) == 5 == len(set(map(str, settings[0])))
    assert len({s.learning_rates for s in settings[0]}) == len(TINY.learning_rates)
    first = trials(AUTOFT, TINY, budget=1)[0]
    assert first.settings.learning_rates == TINY.learning_rates[:1]
    assert first.arguments == {k: v[0] for k, v in METHODS["autoft"].space.items()}
    tried = {str(trial.arguments) for trial in trials(AUTOFT, TINY, budget=5)}
    assert len(tried) == 4  # The whole grid of its two arguments.


def test_a_budget_above_the_grid_is_refused():
    one_rate = dataclasses.replace(TINY, learning_rates=(1e-3,))
    with pytest.raises(ValueError, match="at most 12 trials.*\n.*\n.*smaller --budget"):
        trials(FINE_TUNE, one_rate, budget=13)


def test_test_rows_are_read_once_per_run_after_all_choices(run, fakes):
    run(seeds=2, budget=3)
    kinds = [event[0] for event in fakes.events]
    first_test = kinds.index("test")
    assert kinds[:first_test] == ["train"] * 9  # Three rows, three trials each.
    tests = [event[1:] for event in fakes.events if event[0] == "test"]
    assert len(tests) == len(set(tests)) == 3 * 2
    assert kinds.count("train") == 9 + 3  # The chosen trial with the second seed.


def test_the_first_seed_chooses_the_settings_of_all_seeds_by_validation(run, fakes):
    records = run(seeds=2, budget=3)
    highest = max(TINY.learning_rates)
    chosen = [r["chosen"]["learning_rate"] for r in records if r["kind"] == "run"]
    assert chosen == [highest] * 6
    (choice,) = (
        r for r in records if r["kind"] == "choice" and r["row"] == "source-autoft"
    )
    assert [t["chosen"]["learning_rate"] for t in choice["tried"]].count(highest) == 1
    assert choice["start"]["learning_rate"] == highest
    assert choice["versions"]["keras"] and "commit" in choice
    assert choice["configuration"]["settings"]["batch_size"] == TINY.batch_size


@pytest.mark.parametrize("dies_at", [0, 4, 9, 12, 17])
def test_a_killed_comparison_resumes(run, fakes, dies_at, capsys):
    whole = [_key(record) for record in run("whole")]
    events, fakes.events, fakes.trained = fakes.events, [], set()
    fakes.dies_at = dies_at
    with pytest.raises(KilledError):
        run("broken")
    assert [_key(record) for record in run("broken")] == whole
    assert fakes.events == events  # Nothing twice, nothing left out.
    assert f"[{3 * (3 + 1)}/12" in capsys.readouterr().out


def _key(record):
    return {name: record.get(name) for name in ("kind", "row", "seed", "chosen", "low")}


def test_a_finished_comparison_trains_nothing_and_more_seeds_add_only_their_runs(
    run, fakes
):
    run(seeds=1)
    fakes.events.clear()
    run(seeds=1)
    assert not fakes.events
    records = run(seeds=2)
    assert [event[2] for event in fakes.events] == [1] * len(fakes.events)
    aucs = [r["aucs"] for r in records if r["kind"] == "interval"]
    assert [len(of_row) for of_row, _ in aucs] == [1, 1, 2, 2]


def test_a_newly_tuned_source_retrains_its_rows(run, fakes, monkeypatch):
    run(seeds=1)
    fakes.events.clear()
    offered = comparison.trials

    def turned(row, *arguments):
        found = offered(row, *arguments)
        return found[::-1][:2] if row.method == "pretrained" else found

    monkeypatch.setattr(comparison, "trials", turned)
    best = {
        t.settings.learning_rates[0]
        for t in turned(Row("source", "pretrained"), TINY, 3)
    }
    assert max(TINY.learning_rates) in best  # Chosen again, from another offer.
    records = run(seeds=1)
    choices = [r["row"] for r in records if r["kind"] == "choice"]
    assert choices.count("source-pretrained") == 2


def test_results_of_another_configuration_are_not_mixed(run, fakes):
    run(budget=2)
    with pytest.raises(ValueError, match="another --run-dir, or --fresh"):
        run(budget=3)
    with pytest.raises(ValueError, match="another --run-dir, or --fresh"):
        run(budget=2, settings=dataclasses.replace(TINY, epochs=2))


def test_the_interval_of_another_run_s_scores_is_left_out(run, fakes, tmp_path, capsys):
    run(seeds=1)
    (path,) = (tmp_path / "run").rglob(f"{AUTOFT.name}/seed_0/test_scores.npy")
    np.save(path, np.load(path)[::-1])
    lines = ResultLines(tmp_path / "run" / "results.jsonl")
    kept = [r for r in lines.records if r["kind"] != "interval"]
    lines.path.write_text("".join(json.dumps(record) + "\n" for record in kept))
    records = run(seeds=1)
    assert "Source-AutoFT: no interval" in capsys.readouterr().out
    assert [r["row"] for r in records if r["kind"] == "interval"] == [
        "source-pretrained"
    ]


def test_an_interval_without_scores_is_left_out(run, fakes, tmp_path, capsys):
    run(seeds=1)
    lines = ResultLines(tmp_path / "run" / "results.jsonl")
    lines.records = [r for r in lines.records if r["kind"] != "interval"]
    lines.append(lines.records.pop())
    for path in (tmp_path / "run").rglob("test_scores.npy"):
        path.unlink()
    records = run(seeds=1)
    assert not [r for r in records if r["kind"] == "interval"]
    assert "Source-AutoFT: no interval" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Row("all", "autoft", "crossing"), "name of a component"),
        (Row("all", "natr"), "'natr'|history"),
    ],
)
def test_a_row_that_cannot_be_built_is_refused_before_work(
    row, message, domains, tmp_path, fakes
):
    plan = Plan("synthetic", "dcn", [row], TINY, 1, 1)
    without_history = dataclasses.replace(domains, item="brand")
    with pytest.raises(ValueError, match=message):
        Comparison(plan, without_history, tmp_path, ResultLines(tmp_path / "r.jsonl"))
    assert not fakes.events


def test_rows_start_from_their_source_with_the_dropout_of_the_trial(
    domains, tmp_path, monkeypatch
):
    training = RowTraining("dnn", domains, tmp_path)
    source = training._backbone(TINY)
    pretrained = lambda *_: (source, {})  # noqa: E731
    monkeypatch.setattr(row_training, "tune", pretrained)
    build = training._builder(FINE_TUNE, 0, trials(FINE_TUNE, TINY, 1)[0])
    model = build(dataclasses.replace(TINY, dropout=0.5, l2=0.1))
    assert model is not source
    rows = domains.target.test
    expected, found = (predict(m, rows, domains.schema) for m in (source, model))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    names = [layer.name for layer in model.get_layer("deep_0").layers]
    assert "dropout" in names
    assert len(model.losses) == len(source.losses) + 3  # Two kernels and the logit's.


def test_pretraining_on_both_domains_never_reads_test_rows(domains, tmp_path):
    splits = RowTraining("dcn", domains, tmp_path)._splits["all"]
    both = pd.concat([domains.source.train, domains.target.train])
    pd.testing.assert_frame_equal(splits.train, both.reset_index(drop=True))
    assert splits.validation is domains.target.validation


@pytest.fixture
def arguments(tmp_path, monkeypatch):
    small = functools.partial(
        five_fields,
        source_rows=1200,
        target_rows=800,
        num_users=30,
        num_items=20,
    )
    monkeypatch.setattr(synthetic, "generate", small)
    sizes = "--embedding-dim 2 --hidden-units 4 --num-cross-layers 1 --epochs 1"
    plan = "--methods autoft --pretrain all --budget 1"
    return [*sizes.split(), *plan.split(), "--run-dir", str(tmp_path)]


def test_the_command_trains_and_reports(arguments, tmp_path, monkeypatch, capsys):
    """Real trainings, tiny: two rows, then the report without any."""
    scored = []
    predict = scoring.evaluation.predict

    def counted(model, frame, schema, *rest):
        scored.append(len(frame))
        return predict(model, frame, schema, *rest)

    monkeypatch.setattr(scoring.evaluation, "predict", counted)
    compare.main(arguments)
    out = capsys.readouterr().out
    assert scored.count(200) == 2  # The test rows, once per row.
    table = (tmp_path / "report.md").read_text()
    assert table in out
    titles = [line.split("|")[1].strip() for line in table.splitlines() if "|" in line]
    assert titles[2:] == ["**All-based**", "All", "All-AutoFT"]

    records = ResultLines(tmp_path / "results.jsonl").records
    runs = {r["row"]: r for r in records if r["kind"] == "run"}
    assert runs["all-pretrained"]["train_rows"] == 1250
    assert runs["all-autoft"]["train_rows"] == 500
    assert set(runs["all-autoft"]["routes"]) >= {
        "cross_0",
        "deep_0",
        "user_id_embedding",
    }
    assert len(runs["all-autoft"]["curve"]) == 1
    scores = np.load(tmp_path / "dcn/all-autoft/seed_0/test_scores.npy")
    auc = scoring.exact_auc(synthetic.generate().target.test["click"], scores)
    assert runs["all-autoft"]["auc"] == pytest.approx(auc)
    assert sum(runs["all-autoft"]["user_groups"]["rows"]) == 200
    assert (tmp_path / "figures/dcn/all-autoft/routes_by_layer.png").exists()
    assert (tmp_path / "figures/dcn/all_auc_by_item_frequency.png").exists()

    session = EventAccumulator(str(tmp_path / "hparams/dcn/all-autoft/0")).Reload()
    (event,) = session.Tensors("validation_auc")
    tried = next(r for r in records if r["row"] == "all-autoft")["tried"][0]
    logged = tf.make_ndarray(event.tensor_proto)
    assert logged == pytest.approx(tried["validation_auc"])
    metadata = session.SummaryMetadata("_hparams_/session_start_info")
    start = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    rate = start.session_start_info.hparams["learning_rate"].number_value
    assert rate == tried["chosen"]["learning_rate"]

    monkeypatch.setattr(compare, "compare", None)  # Any work would be a TypeError.
    for figure in (tmp_path / "figures").rglob("*.png"):
        figure.unlink()
    compare.main([*arguments, "--report-only"])
    assert table in capsys.readouterr().out
    assert (tmp_path / "figures/dcn/all_curves.png").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--backbone", "dcm"], "invalid choice: 'dcm'"),
        (["--methods", "autofit"], "invalid choice: 'autofit'"),
        (["--pretrain", "both"], "invalid choice"),
        (["--budget", "0"], "0 is not in [1, inf]"),
        (["--data-dir", "/does/not/exist"], "there is no folder"),
        (["--fresh", "--report-only"], "--fresh would delete"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(wrong, message, monkeypatch, capsys):
    monkeypatch.setattr(compare, "compare", None)
    with pytest.raises(SystemExit):
        compare.main(wrong)
    assert message in capsys.readouterr().err


def test_fresh_deletes_only_the_runs(tmp_path):
    (tmp_path / "dcn").mkdir()
    (tmp_path / "results.jsonl").write_text("{}\n")
    (tmp_path / "thesis.txt").write_text("keep")
    compare.forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_curve_has_every_epoch(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path / "validation"))
    with writer.as_default():
        for epoch in range(25):
            tf.summary.scalar("epoch_auc", epoch / 100, step=epoch)
    writer.close()
    found = scoring.curve(tmp_path)
    np.testing.assert_allclose(found, np.arange(25) / 100, atol=1e-6)
