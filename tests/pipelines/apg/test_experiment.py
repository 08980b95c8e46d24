"""The APG experiment: its rows are what they say, and it resumes."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from pipelines.apg import __main__ as apg
from pipelines.apg import figure as apg_figure
from pipelines.apg import rows as apg_rows
from pipelines.apg.report import sections
from pipelines.harness.results import ResultLines
from pipelines.harness.runs import Settings
from pipelines.harness.tables import report
from pipelines.harness.trials import candidates
from tf_ctr import Categorical, Schema, inference
from tf_ctr.datasets.domains import Splits
from tf_ctr.layers import APGDense

SETTINGS = Settings(
    embedding_dim=4,
    hidden_units=(8, 6),
    num_cross_layers=1,
    batch_size=50,
    epochs=1,
    patience=1,
    dropout=0.0,
    l2=0.0,
    embedding_l2=0.0,
    learning_rates=(0.01,),
)
ROWS = {row.name: row for rows in apg_rows.TABLES.values() for row in rows()}


def frame(rows, seed):
    rng = np.random.default_rng(seed)
    genres = rng.choice(["Comedy", "Drama", "War"], (rows, 2))
    return pd.DataFrame(
        {
            "user_id": rng.integers(1, 9, rows),
            "movie_id": rng.integers(1, 7, rows),
            "genres": [list(dict.fromkeys(pair)) for pair in genres],
            "genre_string": [sorted(pair)[0] for pair in genres],
            "label": rng.integers(0, 2, rows),
        }
    )


@pytest.fixture(scope="module")
def data():
    splits = Splits(frame(100, 0), frame(60, 1), frame(60, 2))
    fields = [Categorical("user_id"), Categorical("movie_id")]
    fields += [Categorical("genres", multivalent=True), Categorical("genre_string")]
    return splits, Schema(fields, label="label", group="user_id").fit(splits.train)


def build(name, schema, **arguments):
    row = ROWS[name]
    (trial,) = candidates(SETTINGS, row.space, budget=1)
    return row.build(schema, trial.settings, **{**trial.arguments, **arguments})


@pytest.mark.parametrize("name", ROWS)
def test_every_row_gives_a_click_probability(name, data):
    model = build(name, data[1])
    assert model.output_shape == (None, 1)
    assert model.layers[-1].name == "click"


def test_static_low_rank_is_a_product_of_two_matrices(data):
    settings = apg_rows.dataclasses.replace(SETTINGS, dropout=0.0)
    row = ROWS["WDL, static low-rank"]
    model = row.build(data[1], settings, rank=2)
    hidden = model.get_layer("deep_0")
    shapes = [tuple(weight.shape) for weight in hidden.weights]
    assert shapes == [(16, 2), (2, 8), (8,)]
    x = np.random.default_rng(0).normal(size=(3, 16)).astype("float32")
    v, u, b = hidden.get_weights()
    np.testing.assert_allclose(hidden(x), np.maximum(x @ v @ u + b, 0), rtol=1e-5)


def test_matched_widths_have_as_many_parameters_as_apg(data):
    settings = apg_rows.dataclasses.replace(
        SETTINGS, embedding_dim=16, hidden_units=(256, 128, 64)
    )
    adaptive = ROWS["WDL + APG"].build(data[1], settings, condition="user_id", rank=4)
    matched = ROWS["WDL, as many parameters"].build(data[1], settings, rank=4)
    wanted = apg._hidden_parameters(inference.collapse(adaptive))
    assert apg._hidden_parameters(matched) == pytest.approx(wanted, rel=0.02)


def test_every_rank_fits_the_layers_of_the_experiment():
    for rows in apg_rows.TABLES.values():
        for row in rows():
            units = row.settings.get("hidden_units", apg_rows.SETTINGS.hidden_units)
            assert max(row.space.get("rank", [0])) <= min(units), row.name


def test_version_rows_differ_only_in_the_version(data):
    for version in ("v1", "v2", "v4", "v5"):
        layer = build(f"WDL narrow + {version}", data[1], rank=2).get_layer("deep_0")
        assert isinstance(layer, keras.Model | APGDense)
        parts = layer.layers if isinstance(layer, keras.Model) else [layer]
        (dense,) = (part for part in parts if isinstance(part, APGDense))
        assert dense.version == version


def test_hidden_parameters_of_models_with_weights_per_domain(data):
    schema = data[1]
    domains = schema.field("genre_string").table_size
    width = 4 * len(schema.fields)
    star = build("STAR, per genre_string", schema)
    shapes = zip((width, 256, 128), (256, 128, 64), strict=True)
    # Per domain, and the shared ones.
    wanted = (domains + 1) * sum((m + 1) * n for m, n in shapes)
    assert apg._hidden_parameters(star) == wanted
    mmoe = build("MMoE, per genre_string", schema)
    experts = 4 * ((width + 1) * 256 + 257 * 128)
    wanted = experts + domains * ((width + 1) * 4 + 129 * 64)
    assert apg._hidden_parameters(mmoe) == wanted


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    monkeypatch.setattr(apg.movielens, "load_whole", lambda *_: data)

    def run(*options):
        sizes = ["--hidden-units", "8", "--embedding-dim", "4", "--batch-size", "50"]
        sizes += ["--epochs", "1", "--run-dir", str(tmp_path)]
        apg.main([*sizes, *options])
        return ResultLines(tmp_path / "results.jsonl").records

    return run


def test_experiment_tunes_with_the_first_seed_and_resumes(run, capsys, monkeypatch):
    rows = ["--rows", "WDL", "--tables", "backbones"]
    records = run(*rows, "--seeds", "1")
    assert [len(record["tried"]) for record in records] == [2]
    records = run(*rows, "--seeds", "2")
    assert [record["seed"] for record in records] == [0, 1]
    first, second = records
    assert [one["chosen"] for one in second["tried"]] == [first["chosen"]]
    assert {"auc", "gauc", "log_loss", "versions", "commit"} <= set(first)
    assert sum(first["user_groups"]["rows"]) == 60
    assert json.loads(json.dumps(first)) == first
    with pytest.raises(ValueError, match="'budget': 3"):
        run(*rows, "--seeds", "3", "--budget", "3")
    monkeypatch.setattr(apg, "run", lambda *_: pytest.fail("trained again"))
    capsys.readouterr()
    run(*rows, "--report")
    assert "| WDL | " in capsys.readouterr().out


def test_unknown_row_lists_the_rows(run):
    with pytest.raises(SystemExit, match="'WDN'"):
        run("--rows", "WDN")


def results(**aucs):
    records = []
    for row, values in aucs.items():
        for seed, auc in enumerate(values):
            records.append(
                {
                    "row": row.replace("_", " "),
                    "seed": seed,
                    "auc": auc,
                    "log_loss": 0.5,
                    "gauc": auc,
                    "validation_auc": auc,
                    "hidden_parameters": 1000,
                    "seconds": 3.0,
                    "chosen": {"learning_rate": 0.004, "dropout": 0.0, "rank": 4},
                    "user_groups": {"auc": [auc, auc + 0.1]},
                }
            )
    return pd.DataFrame(records)


def test_report_shows_mean_spread_and_gain_by_group():
    found = results(WDL=[0.7, 0.8], WDL__APG=[0.75, 0.95])
    found["row"] = found["row"].str.replace("  ", " + ")
    names = ["WDL", "WDL + APG", "PNN", "PNN + APG"]
    text = report(sections(found, {"backbones": names}))
    assert "| WDL | 0.7500 ± 0.0707 |" in text
    assert "| 0.01 | 3 ± 0 | learning_rate 0.004, rank 4 |" in text
    assert "| WDL | +0.1000 | +0.1000 |" in text
    assert "PNN" not in text


def test_report_without_results_says_so():
    assert sections(pd.DataFrame(), {"backbones": ["WDL"]}) == []


# Figure 6


def test_generated_matrices_depend_only_on_the_field(data):
    splits, schema = data
    model = ROWS["WDL + APG"].build(schema, SETTINGS, condition="genres", rank=2)
    layer = model.get_layer("deep_1")
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    values = schema.field("genres").vocabulary
    rows = apg_figure.rows_of_values(splits.train, "genres", values)
    matrices = apg_figure.generated(model, schema, rows, "deep_1")
    table = model.get_layer("genres_embedding").embeddings.numpy()
    kernel, bias = (
        w.numpy() for w in layer.weights if w.path.split("/")[-1][:2] == "s_"
    )
    np.testing.assert_allclose(matrices, table[2:] @ kernel + bias.ravel(), rtol=1e-4)


def test_a_layer_without_generated_weights_is_an_error(data):
    model = ROWS["WDL"].build(data[1], SETTINGS)
    with pytest.raises(ValueError, match="an adaptive layer.*\n.*'deep_0', Dense"):
        apg_figure.generated(model, data[1], data[0].train.head(2), "deep_0")


def test_figure_and_projector_are_written(tmp_path):
    matrices = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    apg_figure.figure(matrices, list("abcde"), "S", tmp_path / "s.png")
    assert imread(tmp_path / "s.png").std() > 0
    apg_figure.write_projector(matrices, list("abcde"), tmp_path / "logs")
    assert (tmp_path / "logs" / "values.tsv").read_text().split() == list("abcde")
    config = (tmp_path / "logs" / "projector_config.pbtxt").read_text()
    name = config.split('tensor_name: "')[1].split('"')[0]
    import tensorflow as tf

    stored = tf.train.load_variable(str(tmp_path / "logs"), name)
    np.testing.assert_array_equal(stored, matrices)
