"""The data and the rows of the continual experiment, and how it resumes."""

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest

from pipelines.continual import __main__ as continual
from pipelines.continual import data as continual_data
from pipelines.continual import experiment as continual_experiment
from pipelines.continual import rows as continual_rows
from pipelines.continual.data import HISTORIES, with_histories
from pipelines.continual.experiment import Experiment, Settings
from pipelines.continual.rows import ROWS, TABLES
from pipelines.harness.periods import Row
from pipelines.harness.results import ResultLines
from tf_ctr.continual import Refresh, Report
from tf_ctr.datasets import synthetic
from tf_ctr.features import Sequence
from tf_ctr.joint import JOINT
from tf_ctr.transfer import ctnet


def tiny(*_):
    return synthetic.generate(
        source_rows=600,
        target_rows=240,
        num_users=20,
        num_items=10,
        num_days=8,
        world=synthetic.WorldOptions(drift=0.3),
    )


@pytest.fixture(scope="module", autouse=True)
def tiny_data():
    known = continual_data.ROLES["synthetic"]
    small = dataclasses.replace(known, load=tiny)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(continual_data.ROLES, "synthetic", small)
        yield


@pytest.fixture(scope="module")
def data(tiny_data):
    return continual_data.load("synthetic", None, 1, 0, period_days=2)


def test_periods_have_all_rows_in_order(data):
    for periods, rows in ((data.source, 600), (data.target, 240)):
        assert [period.number for period in periods] == [0, 1, 2, 3]
        assert sum(len(period.read()) for period in periods) == rows
        for period in periods:
            assert set(period.read()["day"] // 2) == {period.number}
    joint = data.joint()[1]
    assert joint.read_source() is data.source[1].read()


def test_too_few_periods_are_refused():
    with pytest.raises(ValueError, match="three or more periods"):
        continual_data.load("synthetic", None, 1, 0, period_days=4)


def test_schemas_know_only_the_first_period_and_can_grow(data):
    plain, joint, split = (
        data.schemas[name] for name in ("plain", "joint", "histories")
    )
    first = set(data.source[0].read()["item_id"]) | set(
        data.target[0].read()["item_id"]
    )
    assert set(plain.field("item_id").vocabulary) == first
    names = [field.name for field in plain.fields]
    assert [field.name for field in joint.fields] == [*names, "domain"]
    assert set(HISTORIES) < {field.name for field in split.fields}
    assert [field.name for field in split.fields][: len(names) + 1] == [
        *names,
        "domain",
    ]
    row = data.source[0].read().head(1).assign(item_id=10_000)
    assert plain.extend(row).field("item_id").vocabulary[-1] == 10_000


def test_histories_are_the_earlier_clicks_in_each_domain():
    rows = pd.DataFrame(
        {
            "user": ["a", "a", "a", "b", "a"],
            "time": [1, 2, 2, 2, 3],
            "item": [11, 12, 13, 14, 15],
            "click": [1, 1, 0, 1, 1],
            "domain": ["source", "target", "source", "source", "target"],
        }
    )
    schema = types.SimpleNamespace(group="user", label="click")
    data = types.SimpleNamespace(schema=schema, item="item")
    found = with_histories(rows, data, "time", max_length=5)
    assert [list(h) for h in found["source_history"]] == [[], [11], [11], [], [11]]
    assert [list(h) for h in found["target_history"]] == [[], [], [], [], [12]]


def test_histories_leave_out_their_own_impression(data):
    for frame in (data.target[0].read(), data.source[0].read()):
        on_day_0 = frame[frame["day"] == 0]
        assert not on_day_0["target_history"].map(len).any()
        assert not on_day_0["source_history"].map(len).any()


# Rows


SETTINGS = Settings(
    backbone="dnn",
    embedding_dim=2,
    hidden_units=(4, 3),
    attention_units=8,
    optimizer="adam",
    learning_rates=(0.01,),
    batch_size=32,
    epochs=1,
    start=1,
)


@pytest.fixture
def calls(monkeypatch):
    """Records the calls that rows make to the library, without running them."""
    made = []

    def note(periods, directory, *_, **arguments):
        made.append({"first": periods[0], "name": directory.name, **arguments})
        return Report([])

    monkeypatch.setattr(continual_experiment, "run", note)
    monkeypatch.setattr(continual_experiment, "train_source", note)
    return made


@pytest.fixture
def experiment(data, tmp_path):
    return Experiment(data, SETTINGS, tmp_path, seed=3)


def test_every_table_has_known_rows_and_table_2_has_all_of_the_paper():
    assert {name for names in TABLES.values() for name in names} == set(ROWS)
    assert len(TABLES["2"]) == 17


@pytest.mark.parametrize("name", ["ctnet", "ctnet_linear", "ctnet_once"])
def test_ctnet_starts_late_from_base_and_sources(experiment, calls, name):
    ROWS[name].run(experiment)
    last = calls[-1]
    assert last["first"].number == 1
    assert (last["target"].name, last["source"].name) == ("base", "sources")
    assert last["method"].keywords["adapter"] == (
        "linear" if "linear" in name else "glu"
    )
    assert last["refresh"].every == ("never" if "once" in name else "arrival")
    assert (last["training"].seed, last["method"].func) == (3, ctnet)
    assert last["slices"] == ("user_id", "item_id")
    assert last["refresh"].window == 1  # Its own increment only.


@pytest.mark.parametrize(
    "name", ["ft_ids", "ft_embeddings", "ft_all", "dual_embedding"]
)
def test_fine_tuning_restarts_and_trains_once_on_all_periods(experiment, calls, name):
    ROWS[name].run(experiment)
    refresh = calls[-1]["refresh"]
    assert refresh == Refresh(every="period", restart=True, window=None)
    assert calls[-1]["first"].number == 0
    # Never from the model of Base, which was already trained on them.
    assert ("target" in calls[-1]) == (name == "dual_embedding")
    assert [call["name"] for call in calls] == ["sources", name]
    if name == "ft_ids":
        assert calls[-1]["method"].keywords == {"which": experiment.data.ids}


def test_amounts_of_data_grow_as_windows(experiment, calls):
    windows = []
    for name in TABLES["4"][1:-1]:
        ROWS[name].run(experiment)
        windows.append(calls[-1]["refresh"].window)
        assert calls[-1].get("target") is None
    assert windows == [1, 2, 4, None]


@pytest.mark.parametrize("name", JOINT)
def test_joint_models_are_built_on_both_domains(experiment, calls, name):
    ROWS[name].run(experiment)
    (call,) = calls
    assert call["first"].number == 0 and call["first"].source is not None
    assert call["training"].ratio is None  # All rows of both, once.
    histories = {f.name for f in call["schema"].fields if isinstance(f, Sequence)}
    split = set(HISTORIES) if name in ("minet", "dasl") else set()
    assert histories == {"history", *split}
    assert "domain" in call["target"].input


def test_models_of_finished_rows_are_removed_except_base(experiment):
    for name in ("base", "ctnet"):
        (experiment.folder / name / "000001").mkdir(parents=True)
        (experiment.folder / name / "report.md").touch()
        experiment.slim(name)
    assert (experiment.folder / "base" / "000001").exists()
    assert [p.name for p in (experiment.folder / "ctnet").iterdir()] == ["report.md"]


# The command


def record(number, auc):
    part = {"rows": 1, "auc": auc, "gauc": auc}
    slices = {c: {"new": part, "old": part} for c in ("user_id", "item_id")}
    test = {"rows": 2, "auc": auc, "gauc": auc, "log_loss": 0.5, "slices": slices}
    return {"number": number, "name": str(number), "trained": True, "test": test}


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def fakes(monkeypatch):
    """Rows that finish at once, and record that they ran."""
    done = []

    def fake(name):
        def run(experiment):
            if len(done) == fakes_die.get("at"):
                fakes_die.clear()
                raise KilledError
            done.append((experiment.seed, name))
            records = [record(n, 0.6 + n / 100) for n in range(1, 4)]
            return Report([{**records[0], "test": None, "number": 0}, *records])

        return Row(ROWS[name].title, run)

    fakes_die = {}
    for name in ("base", "ctnet"):
        monkeypatch.setitem(continual_rows.ROWS, name, fake(name))
    return done, fakes_die


def test_a_killed_experiment_resumes_and_tests_the_same_periods(
    fakes, tmp_path, capsys
):
    done, dies = fakes
    command = f"--table 5 --seeds 2 --run-dir {tmp_path} --learning-rates 1".split()
    dies["at"] = 3
    with pytest.raises(KilledError):
        continual.main(command)
    continual.main(command)
    assert done == [(0, "base"), (0, "ctnet"), (1, "base"), (1, "ctnet")]
    lines = ResultLines(tmp_path / "results.jsonl").records
    assert [p["number"] for p in lines[0]["periods"]] == [2, 3]
    continual.main([*command, "--report"])
    assert len(done) == 4
    shown = capsys.readouterr().out
    assert "### Table 5" in shown and "[4/4," in shown
    assert (tmp_path / "report.md").read_text().startswith("### Table 5")
    assert (tmp_path / "figures" / "auc_by_period.png").exists()


SMALL = "--rows base --seeds 1 --embedding-dim 2 --hidden-units 3 --batch-size 64"


def test_other_settings_train_other_models(tmp_path):
    command = [*SMALL.split(), "--run-dir", str(tmp_path), "--learning-rates"]
    for rate in ("0.01", "10", "0.01"):
        continual.main([*command, rate])
    first, second = ResultLines(tmp_path / "results.jsonl").records
    assert (first["learning_rate"], second["learning_rate"]) == (0.01, 10)
    one, other = ([p["log_loss"] for p in r["periods"]] for r in (first, second))
    assert len(one) == len(other) == 2 and not np.isclose(one, other).any()


def test_the_first_seed_chooses_the_learning_rate_on_periods_before_the_test(
    fakes, tmp_path, monkeypatch, capsys
):
    aucs = {0.001: 0.6, 0.003: 0.7, 0.01: 0.5}
    asked = []

    def validation_auc(experiment):
        (rate,) = experiment.settings.learning_rates
        asked.append((experiment.seed, rate))
        return aucs[rate]

    monkeypatch.setattr(Experiment, "validation_auc", validation_auc)
    continual.main(["--rows", "base", "--seeds", "2", "--run-dir", str(tmp_path)])
    assert asked == [(0, rate) for rate in aucs]
    records = ResultLines(tmp_path / "results.jsonl").records
    assert [record["learning_rate"] for record in records] == [0.003, 0.003]
    assert "learning rate 0.003: validation AUC 0.7000" in capsys.readouterr().out


def test_validation_uses_no_period_after_the_start(experiment, monkeypatch):
    asked = []

    def note(periods, *_, **__):
        asked.extend(period.number for period in periods)
        return Report([{"test": None}, {"test": {"auc": 0.75}}])

    monkeypatch.setattr(continual_experiment, "run", note)
    assert experiment.validation_auc() == 0.75
    assert asked == [0, 1]


def test_every_seed_generates_another_world(fakes, tmp_path, monkeypatch):
    seeds = []
    known = continual_data.ROLES["synthetic"]

    def world(data_dir, source_tab, target_tab, seed):
        seeds.append(seed)
        return tiny()

    monkeypatch.setitem(
        continual_data.ROLES, "synthetic", dataclasses.replace(known, load=world)
    )
    command = f"--rows base --seeds 2 --run-dir {tmp_path} --learning-rates 0.1"
    continual.main(command.split())
    assert sorted(set(seeds)) == [0, 1]


def test_missing_data_is_reported_without_a_traceback(tmp_path):
    folder = ["--data-dir", str(tmp_path), "--run-dir", str(tmp_path / "run")]
    with pytest.raises(SystemExit, match="Fix: "):
        continual.main(["--dataset", "kuairand", *folder])
    with pytest.raises(SystemExit, match="two different values of tab"):
        continual.main(["--dataset", "kuairand", "--target-tab", "1", *folder])


@pytest.mark.parametrize(
    "wrong", ["--rows nothing", "--table 6", "--seeds 0", "--learning-rates x"]
)
def test_a_wrong_command_is_refused_before_any_work(wrong, capsys):
    with pytest.raises(SystemExit):
        continual.main(wrong.split())
    assert "error: " in capsys.readouterr().err


def test_a_start_without_a_later_test_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="(?s)--start of at most 2.*Received: 3"):
        continual.main(["--start", "3", "--run-dir", str(tmp_path)])


def test_the_run_folder_names_the_tabs_of_kuairand():
    arguments = continual.parse(["--dataset", "kuairand", "--target-tab", "4"])
    assert arguments.run_dir.name == "kuairand_1_to_4"
    assert arguments.settings.learning_rates == (1e-3, 3e-3, 1e-2)
    arguments = continual.parse(["--optimizer", "adagrad"])
    assert arguments.settings.learning_rates == (0.01, 0.03, 0.1)
