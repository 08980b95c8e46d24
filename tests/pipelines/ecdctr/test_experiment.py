"""The data, the rows and the tables of the E-CDCTR experiment, and how it resumes."""

import dataclasses
import pathlib
import types

import keras
import numpy as np
import pandas as pd
import pytest

from pipelines.ecdctr import __main__ as ecdctr
from pipelines.ecdctr import data as ecdctr_data
from pipelines.ecdctr import experiment as ecdctr_experiment
from pipelines.ecdctr import rows as ecdctr_rows
from pipelines.ecdctr.absence import days_absent, known_to_cpm, newest_cpm
from pipelines.ecdctr.experiment import Experiment, Settings
from pipelines.ecdctr.report import HEADINGS, sections
from pipelines.ecdctr.rows import ROWS, TABLES
from pipelines.ecdctr.scores import keep, metrics, scores
from pipelines.ecdctr.sources import SOURCES, Clocks
from pipelines.ecdctr.verdict import part_intervals
from pipelines.harness import tables
from pipelines.harness.periods import Row
from pipelines.harness.results import ResultLines
from pipelines.harness.statistics import Interval
from tests.support.continual_world import compile_eagerly
from tests.support.dataset_folders import kuairand_tables, real_folder, write_kuairand
from tf_ctr.continual import Refresh
from tf_ctr.datasets import synthetic
from tf_ctr.datasets.kuairand import rows as kuairand_rows
from tf_ctr.joint import JOINT

FILES = sorted((pathlib.Path(ecdctr.__file__).parent / "results").glob("*.jsonl"))
CLOCKS = Clocks(month_days=2, week_days=1, ad_days=1, start=4)
SETTINGS = Settings(
    backbone="dnn",
    embedding_dim=2,
    hidden_units=(3,),
    tpm_dim=2,
    tpm_units=3,
    optimizer="adam",
    learning_rates=(0.01,),
    batch_size=64,
    tpm_window=6,
    ad_window=2,
)


def tiny(*_):
    return synthetic.generate(
        source_rows=960, target_rows=48, num_users=20, num_items=8, num_days=8
    )


@pytest.fixture(scope="module", autouse=True)
def tiny_data():
    known = SOURCES["synthetic"]
    small = dataclasses.replace(known, load=tiny, clocks=CLOCKS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(SOURCES, "synthetic", small)
        yield


@pytest.fixture(scope="module")
def data(tiny_data):
    return ecdctr_data.load("synthetic", None, "ads", CLOCKS)


def days_of(periods):
    return [(p.end, sorted(set(p.data["day"]))) for p in periods]


def test_the_three_clocks_are_on_one_line(data):
    assert days_of(data.months) == [(end, [end - 2, end - 1]) for end in (2, 4, 6, 8)]
    # CPM begins a month before the start, to have one when A-CTR begins.
    assert days_of(data.weeks) == [(day + 1, [day]) for day in range(2, 8)]
    expected = [(4, [0, 1, 2, 3]), *((day + 1, [day]) for day in range(4, 8))]
    assert days_of(data.days) == expected
    for period in data.joint:
        assert set(period.source["day"]) == set(period.data["day"])
        assert set(period.data["domain"]) == {"target"}
        assert set(period.source["domain"]) == {"source"}
    assert data.ratio() == 20
    assert data.sizes() == (
        "synthetic: natural : ad = 20 : 1; 960 natural rows in 4 months of TPM, 720 in "
        "6 weeks of CPM; 24 ads before the start, 18 in 3 tested periods"
    )


def test_schemas_know_their_first_period_and_every_id_that_tpm_knows_by_the_start(data):
    names = [field.name for field in data.schemas["basic"].fields]
    assert names == ["user_id", "city", "item_id", "category"]
    users = data.schemas["basic"].field("user_id").vocabulary
    assert set(users) == set(data.months[0].data["user_id"])
    first = pd.concat([data.weeks[0].data, data.days[0].data])
    users = data.schemas["plain"].field("user_id").vocabulary
    months = pd.concat([month.data for month in data.months if month.end <= 4])
    assert set(users) == set(first["user_id"]) | set(months["user_id"])
    early = data.months[0].data.assign(user_id="early")
    parts = (data.weeks[0].data, data.days[0].data)
    made = ecdctr_data.schemas(data.schemas["plain"], ("user_id",), [early], *parts)
    assert all("early" in own.field("user_id").vocabulary for own in made.values())
    brands = data.schemas["plain"].field("brand").vocabulary  # TPM has none.
    assert set(brands) == set(first["brand"])
    grown = data.schemas["joint"].extend(first.assign(user_id="x", domain="target"))
    assert grown.field("user_id").vocabulary[-1] == "x"
    assert grown.field("domain").vocabulary == ("source", "target")


def test_absence_is_counted_back_from_the_newest_cpm():
    natural = pd.DataFrame({"user": list("aabc"), "day": [1, 3, 2, -1]})
    users, cuts = pd.Series(list("aabcd")), pd.Series([3, 4, 4, 3, 4])
    found = days_absent(users, cuts, natural)
    assert found.tolist() == [2, 1, 2, 4, np.inf]


def test_cpm_knows_the_users_of_any_of_its_weeks():
    clocks = Clocks(month_days=8, week_days=4, ad_days=2, start=16)
    # Its weeks begin on day 8; users were last seen on days 8, 7, 19, 8 and never.
    absent, cuts = np.array([8, 9, 1, 12, np.inf]), pd.Series([16, 16, 20, 20, 20])
    found = known_to_cpm(absent, cuts, clocks)
    assert found.tolist() == [True, False, True, True, False]


def test_ads_record_whether_cpm_was_trained_on_their_user(data):
    ads = pd.concat([period.data for period in data.days[1:]])
    trained = {week.end: set(week.data["user_id"]) for week in data.weeks}
    for cut, rows in ads.groupby(newest_cpm(ads["day"], CLOCKS)):
        known = set().union(*(users for end, users in trained.items() if end <= cut))
        assert (rows["known_to_cpm"] == rows["user_id"].isin(known)).all()


def test_the_newest_cpm_is_the_one_at_the_start_of_the_period():
    clocks = Clocks(month_days=8, week_days=4, ad_days=2, start=16)
    days = pd.Series([3, 16, 17, 18, 19, 20, 21, 25])
    # CPM ends at 12, 16, 20, 24; the periods begin at 16, 18, 20, 22, 24.
    assert newest_cpm(days, clocks).tolist() == [16, 16, 16, 16, 16, 20, 20, 24]


@pytest.mark.parametrize(
    "wrong",
    [{"month_days": 3, "week_days": 2}, {"start": 3}, {"start": 8}, {"ad_days": 4}],
)
def test_clocks_that_do_not_fit_are_refused(wrong):
    with pytest.raises(SystemExit, match="a month of whole weeks"):
        dataclasses.replace(CLOCKS, **wrong).check(8)


def test_kuairand_has_clicks_from_before_its_log(tmp_path):
    folder = write_kuairand(tmp_path, kuairand_tables())
    clocks = Clocks(6, 2, 1, 6)
    data = ecdctr_data.load("kuairand", folder, "1_6", clocks)
    assert [period.end for period in data.months] == [-2, -1, 0, 6, 12]
    past = pd.concat([period.data for period in data.months[:3]])
    rows = kuairand_rows.read(folder, "chronological", 2, 0)
    users = rows.drop_duplicates("user_id").set_index("user_id")["long_watched"]
    for user, own in past.groupby("user_id"):
        watched = own[own["is_click"] == 1]["video_id"].tolist()
        assert watched == list(users[user])  # Oldest first, through the parts.
        assert not set(own[own["is_click"] == 0]["video_id"]) & set(watched)
    assert 0 not in set(past["user_id"])  # The past of user 0 reaches into the log.
    ads = pd.concat([period.data for period in data.days])
    assert ads[ads["user_id"].isin(past["user_id"])]["absent_days"].max() < np.inf
    assert past["is_click"].mean() == 0.5
    names = [field.name for field in data.schemas["basic"].fields]
    assert names == ["user_id", "video_id"]


def test_the_real_kuairand_has_few_ads():
    folder = real_folder("kuairand-pure")
    clocks = SOURCES["kuairand"].clocks
    data = ecdctr_data.load("kuairand", folder, "ads", clocks)
    assert data.sizes().startswith("kuairand_ads ads: natural : ad = 9")
    assert sum(len(p.data) for p in data.days) == 2397


# Rows


@pytest.fixture(scope="module")
def experiment(data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Settings, "compile", lambda self, model: compile_eagerly(model))
        yield Experiment(data, SETTINGS, tmp_path_factory.mktemp("rows"), 0, verbose=0)


@pytest.fixture
def runs(experiment, monkeypatch):
    """Records the levels that a row asks for, without running them."""
    made = []
    monkeypatch.setattr(
        ecdctr_experiment, "run_levels", lambda levels, *_, **__: made.extend(levels)
    )
    return made


def test_a_row_with_three_levels_scores_every_later_ad_once(experiment, data):
    shorter = {
        "months": data.months[:3],
        "weeks": data.weeks[:3],
        "days": data.days[:4],
    }
    short = dataclasses.replace(data, **shorter)
    experiment = dataclasses.replace(experiment, data=short)
    lines = scores(ROWS["ecdctr"].run(experiment), data)
    # The period after the start is left out, as CTNet lacks it.
    assert len(lines) == sum(len(p.data) for p in data.days[2:4])
    assert lines["month"].tolist() == sorted(lines["month"]) and lines["month"].max()
    assert lines["score"].between(0, 1).all()
    assert (experiment.folder / "snapshots" / "6").is_dir()
    experiment.slim("ecdctr")
    left = {p.name for p in (experiment.folder / "ecdctr").iterdir()}
    assert left == {"report.md", "report.jsonl", "tensorboard"}


def test_every_table_consists_of_rows():
    assert {name for names in TABLES.values() for name in names} == set(ROWS)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("ad_only", ["ad_only"]),
        ("tpm_only", ["TPM", "tpm_only"]),
        ("cpm_only", ["CPM", "A-CTR"]),
        ("ecdctr", ["TPM", "CPM", "A-CTR"]),
        ("ctnet", ["CPM", "ad_only", "CTNet"]),
    ],
)
def test_rows_are_made_of_levels(experiment, runs, name, levels):
    folder = ROWS[name].run(experiment)
    assert [level.name for level in runs] == levels
    assert folder == runs[-1].directory and folder.name == name
    keywords = runs[-1].run.keywords
    assert keywords["training"].batch_size == 64 and keywords["training"].seed == 0
    # All rows alike, except where BatchNorm is kept on purpose.
    assert all(run.run.keywords["training"].measure_batch_norm for run in runs)
    # Each ad once, except where the model restarts.
    starts_again = levels[-1] == "A-CTR"
    refresh = keywords.get("refresh", Refresh())
    assert refresh.window == (2 if starts_again else 1)
    assert refresh.window_when == ("restart" if starts_again else "always")


@pytest.mark.parametrize(
    ("name", "aggregation", "snapshots"),
    [("mean", "mean", 3), ("snapshots_1", "self_attention", 1)],
)
def test_each_variant_of_historical_embeddings_has_its_own_cpm(
    experiment, runs, name, aggregation, snapshots
):
    ROWS[name].run(experiment)
    cpm = runs[1]
    assert cpm.directory.name == f"cpm_{aggregation}_{snapshots}_False"
    model = cpm.run.keywords["target"]
    assert model.get_layer("user_id_historical_aggregation").mode == aggregation
    assert len(model.get_layer("user_id_historical_snapshots").dates) == snapshots


def test_variants_of_a_ctr_share_one_cpm(experiment, runs):
    for name in ("bn_kept", "never"):
        ROWS[name].run(experiment)
    kept, never = runs[2], runs[5]
    assert kept.reads[0].directory == never.reads[0].directory
    assert kept.run.keywords["method"].keywords == {"batch_norm": "keep"}
    refreshes = [level.run.keywords["refresh"] for level in (kept, never)]
    assert [refresh.every for refresh in refreshes] == ["arrival", "never"]
    assert all(refresh.restart and refresh.window == 2 for refresh in refreshes)
    assert not kept.run.keywords["training"].measure_batch_norm
    assert never.run.keywords["training"].measure_batch_norm


@pytest.mark.parametrize("name", ["share_bottom", "mmoe", "ple", "star"])
def test_joint_models_train_on_both_kinds_of_data(experiment, runs, name):
    assert name in JOINT
    ROWS[name].run(experiment)
    assert runs[0].periods == experiment.data.joint
    assert runs[0].run.keywords["training"].ratio is None


def test_variants_of_cpm_have_their_own_models_and_windows(experiment, runs):
    for name in ("cpm_once", "no_batch_norm", "every_window"):
        ROWS[name].run(experiment)
    once, plain, usual = runs[1], runs[4], runs[7]
    assert len({level.directory for level in (once, plain, usual)}) == 3
    windows = [each.run.keywords["refresh"].window for each in (once, plain, usual)]
    assert windows == [1, 2, 2]
    parts = _parts(plain, "deep_0")
    assert not any(isinstance(p, keras.layers.BatchNormalization) for p in parts)
    parts = _parts(usual, "deep_0")
    assert any(isinstance(p, keras.layers.BatchNormalization) for p in parts)
    assert runs[8].run.keywords["refresh"].window_when == "always"


def _parts(level, layer):
    layer = level.run.keywords["target"].get_layer(layer)
    return getattr(layer, "layers", [layer])


def test_validation_scores_cpm_before_the_start(experiment, monkeypatch):
    asked = []

    def note(self, level):
        asked.extend(
            (p.number, p.end, sorted(set(p.data["day"]))) for p in level.periods
        )
        return level.directory

    records = [{"test": None}, {"test": {"auc": 0.75}}]
    monkeypatch.setattr(Experiment, "_run", note)
    store = types.SimpleNamespace(records=lambda: records)
    monkeypatch.setattr(ecdctr_experiment, "Store", lambda folder: store)
    assert experiment.validation_auc() == 0.75
    assert asked == [(0, 3, [2]), (1, 4, [3])]


# Metrics and tables


def lines_of(absent, label, score, user="a", month=0, in_cpm=True):
    columns = {"user": user, "label": label, "score": score, "absent_days": absent}
    return pd.DataFrame(columns | {"known_to_cpm": in_cpm, "month": month})


def test_metrics_are_grouped_by_absence_of_the_user():
    lines = pd.concat(
        [
            lines_of([1, 3.9], [0, 1], [0.2, 0.7]),
            lines_of([4.1, 9], [0, 1], [0.8, 0.3], month=1, in_cpm=[True, False]),
            lines_of([np.inf], [1], [0.5]),
        ]
    )
    found = metrics(lines, month_days=4)
    assert (found["recent"]["auc"], found["absent"]["auc"]) == (1, 0)
    assert found["new"] | {"log_loss": None} == {
        "rows": 1,
        "gauc_rows": 0,
        "auc": None,
        "gauc": None,
        "log_loss": None,
    }
    parts = [found[f"absent_{part}"] for part in ("in_cpm", "not_in_cpm")]
    assert [part["rows"] for part in parts] == [1, 1]
    assert parts[0]["log_loss"] == pytest.approx(-np.log(0.2))
    assert [month["rows"] for month in found["absent_by_month"]] == [0, 2]
    assert (found["rows"], found["auc"]) == (5, pytest.approx(3 / 6))
    assert (found["gauc_rows"], found["absent"]["gauc_rows"]) == (5, 2)


def report(*arguments):
    return tables.report(sections(*arguments))


def record(row, seed, gauc):
    part = {"rows": 7, "auc": gauc, "gauc": gauc, "log_loss": 0.5, "gauc_rows": 3}
    found = {name: part for name in ("absent", "recent", "new")}
    found |= {**part, "absent_by_month": [part, {"rows": 0, "gauc_rows": 0}]}
    return {
        "row": row,
        "seed": seed,
        "metrics": found,
        "sizes": "natural : ad = 20 : 1",
    }


def test_tables_have_sizes_and_say_which_parts_pay():
    records = [
        record(row, seed, gauc + seed / 100)
        for seed in (0, 1)
        for row, gauc in (("ecdctr", 0.7), ("cpm_only", 0.6), ("mean", 0.75))
    ]
    titles = {name: row.title for name, row in ROWS.items()}
    sure = {part: Interval(0.1, 0.05, 0.15) for part in ("TPM",)}
    sure["self-attention, not mean"] = Interval(-0.05, -0.09, -0.01)
    absent = {"TPM": Interval(0.1, 0.02, 0.3)}
    text = report(records, TABLES, titles, {"all": sure, "absent": absent})
    assert (
        "| E-CDCTR | 0.7050 ± 0.0071 | 0.7050 ± 0.0071 | 0.5000 ± 0.0000 | 2 |" in text
    )
    # In the other tables only E-CDCTR is finished.
    assert text.count("natural : ad = 20 : 1.") == text.count("###") == 4
    single = report(records[:1], TABLES, titles)
    assert single.count("| E-CDCTR |") == single.count("20 : 1.") == 1
    assert "| TPM | +0.1000 ± 0.0000 | +0.0500 to +0.1500 | 0.000 | +0.1000" in text
    pays, costs = (
        next(line for line in reversed(text.splitlines()) if f"| {part}" in line)
        for part in ("TPM", "self-attention")
    )
    assert pays.endswith("| +0.0200 to +0.3000 | pays |") and costs.endswith("costs |")
    # Of both seeds; a GAUC of so few rows is not shown.
    assert "| rows, all seeds | 14 | 14 | 0 | 0 | 14 | 14 | 0 |" in text
    assert "both labels, all seeds | 6 | 6 | 0 | 0 | 6 | 6 | 0 |" in text
    assert "| E-CDCTR |  |  |  |  |  |  |  |" in text
    gain = "+0.1000 ± 0.0000"
    adds = f"| TPM | {gain} | {gain} (+0.0200 to +0.3000) |  |  | {gain} |"
    assert adds in text.splitlines()
    assert "open: no scores |" in report(records, TABLES, titles)
    unsure = {"all": {"TPM": Interval(0.1, -0.05, 0.25)}}
    assert "open |" in report(records, TABLES, titles, unsure)
    assert sections([], TABLES, titles) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_committed_tables_follow_from_the_committed_results(path):
    titles = {name: row.title for name, row in ROWS.items()}
    found = sections(ResultLines(path).records, TABLES, titles)
    committed = path.with_suffix(".md").read_text()
    # The two others hold intervals over scores, which are too large to commit.
    with_intervals = ("What pays", HEADINGS["forgetting"])
    overall = [
        tables.report([(title, text)])
        for title, text in found
        if title not in with_intervals and f"### {title}\n" in committed
    ]
    assert overall
    for text in overall:
        assert text in committed


def test_intervals_cover_the_rows_with_saved_scores(tmp_path):
    records = [record(row, s, 0.7) for row in ("ecdctr", "cpm_only") for s in (0, 1)]

    def file(seed, row):
        return tmp_path / f"{row}-{seed}.parquet"

    assert part_intervals(records, file, month_days=4) == {}
    labels, good, bad = [0, 1] * 50, [0.1, 0.9] * 50, [0.5, 0.5] * 50
    for seed in (0, 1):
        keep(lines_of(1, labels, good), file(seed, "ecdctr"))
        keep(lines_of(1, labels, bad), file(seed, "cpm_only"))
    found = part_intervals(records, file, month_days=4)
    assert found == dict.fromkeys(("all", "recent"), {"TPM": Interval(0.5, 0.5, 0.5)})


def test_intervals_of_absent_users_cover_only_their_rows(tmp_path):
    records = [record(row, 0, 0.7) for row in ("ecdctr", "cpm_only")]

    def file(seed, row):
        return tmp_path / f"{row}-{seed}.parquet"

    # Recent users are scored alike; of the others only those known from before count.
    absent, labels = [1, 1, 9, 9, np.inf, np.inf] * 20, [0, 1] * 60
    scores = {"ecdctr": [0.2, 0.3, 0.1, 0.9, 0.1, 0.1], "cpm_only": [0.2, 0.3] * 3}
    scores["cpm_only"][2:4] = 0.5, 0.5
    for row, own in scores.items():
        keep(lines_of(absent, labels, own * 20), file(0, row))
    found = part_intervals(records, file, month_days=4)
    assert found["absent"] == {"TPM": Interval(0.5, 0.5, 0.5)}
    assert found["absent_in_cpm"] == found["absent"]
    assert "absent_not_in_cpm" not in found
    assert found["recent"] == {"TPM": Interval(0, 0, 0)}
    assert "absent" not in part_intervals(records, file, month_days=10)


# The command


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_killed_experiment_resumes(tmp_path, monkeypatch, capsys):
    done, dies = [], {"at": 3}

    def fake(name):
        def run(experiment):
            if len(done) == dies.get("at"):
                dies.clear()
                raise KilledError
            done.append((experiment.seed, name))
            return experiment.folder / name

        return Row(name, run)

    for name in ("ad_only", "ecdctr"):
        monkeypatch.setitem(ecdctr_rows.ROWS, name, fake(name))
    monkeypatch.setattr(
        ecdctr, "scores", lambda *_: lines_of([1, 5], [0, 1], [0.2, 0.7])
    )
    command = f"--rows ad_only ecdctr --seeds 2 --run-dir {tmp_path}".split()
    command += ["--learning-rates", "0.01"]
    with pytest.raises(KilledError):
        ecdctr.main(command)
    ecdctr.main(command)
    assert done == [(s, name) for s in (0, 1) for name in ("ad_only", "ecdctr")]
    assert len(ResultLines(tmp_path / "results.jsonl").records) == 4
    ecdctr.main([*command, "--report"])
    assert len(done) == 4
    assert "natural : ad = 20 : 1" in capsys.readouterr().out
    assert (tmp_path / "report.md").read_text().startswith("### Which level")


@pytest.mark.parametrize("wrong", ["--rows nothing", "--table 6", "--start 0"])
def test_a_wrong_command_is_refused_before_any_work(wrong, capsys):
    with pytest.raises(SystemExit):
        ecdctr.main(wrong.split())
    assert "error: " in capsys.readouterr().err


def test_defaults_depend_on_the_data_set():
    arguments = ecdctr.parse(
        ["--dataset", "kuairand", "--pair", "1_4", "--start", "12"]
    )
    assert arguments.clocks == Clocks(6, 2, 1, 12)
    assert arguments.run_dir.name == "kuairand_1_4"


def test_without_clicks_before_the_start_a_rate_must_be_given(tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment, "validation_auc", lambda self: None)
    with pytest.raises(SystemExit, match="give one of --learning-rates"):
        ecdctr.main(["--rows", "ad_only", "--run-dir", str(tmp_path)])


def test_a_single_week_is_enough(experiment, data, runs):
    single = dataclasses.replace(data, weeks=data.weeks[:1])
    dataclasses.replace(experiment, data=single).cpm_only()
    assert runs[0].run.keywords["refresh"].window == 2
