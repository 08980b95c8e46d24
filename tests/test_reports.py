"""Reports say what they were given, and a real browser shows them without a network."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

import tf_ctr
from tests.support.frames import click_frame
from tf_ctr import Categorical, Numeric, Schema, backbones, commands, data, training
from tf_ctr.continual import Report
from tf_ctr.files import write_sealed
from tf_ctr.reports import comparison, page
from tf_ctr.training.resuming import RUN
from tf_ctr_command import main

CHROMIUM = shutil.which("chromium")
FRAME = click_frame(rows=60).assign(city=["a", "b", "b"] * 20)
RUNS = pd.DataFrame(
    [
        ("A", 0, 0.70, 10),
        ("A", 1, 0.72, 30),
        ("B <i>", 0, 0.60, 5),
        ("B <i>", 1, 0.66, 5),
    ],
    columns=["name", "seed", "auc", "seconds"],
)


def period(number, auc=None, **more):
    parts = {"new": {"rows": 4, "auc": 0.5}, "old": {"rows": 6, "auc": 0.8}}
    test = None
    if auc is not None:
        test = {"trained_until": number - 1, "rows": 10, "auc": auc, "gauc": 0.5}
        test |= {"log_loss": 0.6, "slices": {"user": parts}}
    base = {"number": number, "name": f"day {number}", "test": test, "source": None}
    return base | {"rows_trained": 10, "seconds": 1.5} | more


PERIODS = [
    period(0, matrix={"0": {"auc": 0.9}}),
    period(1, 0.7, matrix={"0": {"auc": 0.8}}),
    period(2, 0.6, skipped="no row"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory, exported_rates):
    """`{kind: the path of a page}`, all in one folder, linked to each other."""
    folder = tmp_path_factory.mktemp("reports")
    schema = Schema([Categorical("user"), Categorical("city"), Numeric("price")])
    schema.fit(FRAME)
    model = training.compile(backbones.dnn(schema, 2, (3,)))
    model.run_eagerly = True
    valid = data.from_frame(FRAME, schema, 30)
    run_dir = folder / "runs" / "target"
    model.fit(
        valid,
        validation_data=valid,
        epochs=2,
        callbacks=training.callbacks(run_dir, valid),
        shuffle=False,
        verbose=0,
    )
    training.log_test(
        run_dir, {"rows": 60, "auc": 0.7, "auc_low": 0.6, "auc_high": 0.8}
    )
    importance = pd.DataFrame({"importance": [0.1]}, index=["city"])
    periods = folder / "runs" / "daily"
    Report(PERIODS).write(_made(periods))
    link = {"All methods": "comparison.html"}
    return {
        "logged": tf_ctr.report(run_dir, folder / "logged.html", links=link),
        "trained": tf_ctr.report(
            run_dir,
            folder / "trained.html",
            model=model,
            schema=schema,
            test=FRAME,
            by=["city"],
            importance=importance,
            links=link,
        ),
        "comparison": tf_ctr.report(
            RUNS, folder / "comparison.html", links={"The target": "trained.html"}
        ),
        "continual": tf_ctr.report(periods, folder / "continual.html"),
        "exported": tf_ctr.report(exported_rates / "1", folder / "exported.html"),
    }


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def text(path):
    """The text of a page, without tags and pictures."""
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", path.read_text()))


def test_a_run_says_its_settings_curves_and_logged_metrics(pages):
    shown = text(pages["logged"])
    assert "test AUC 0.7000 (0.6000 to 0.8000)" in shown
    assert "SparseAdam" in shown and "deep_0: Dense" in shown
    assert "60 rows." in shown and "Reliability" not in shown
    content = pages["logged"].read_text()
    assert content.count("data:image/png;base64,") == 2
    assert '<a href="comparison.html">All methods</a>' in content


def test_test_rows_give_metrics_slices_and_unseen_ids(pages):
    shown = text(pages["trained"])
    for part in ("Reliability", "By city", "Unseen ids", "Importance", "Layers"):
        assert part in shown, part
    assert "On 60 test rows. In brackets: the 95 % interval." in shown
    assert re.search(r"auc 0\.\d+ \(0\.\d+ to 0\.\d+\)", shown)
    assert re.search(r" b 40 0\.\d+", shown)  # 40 of the 60 rows are of city b.


def test_a_ranking_has_intervals_over_seeds(pages):
    table = comparison.ranking(RUNS)
    assert table["name"].tolist() == ["A", "B <i>"]
    np.testing.assert_allclose(table["auc"], [0.71, 0.63])
    # Student's t with one degree of freedom, times the standard error.
    np.testing.assert_allclose(table["half"], [12.706 * 0.01, 12.706 * 0.03])
    np.testing.assert_allclose(table["below"][1], -0.08)
    content = pages["comparison"].read_text()
    assert "B &lt;i&gt;" in content and "<i>" not in content
    assert "0.7100\u00a0±\u00a00.1271" in content and "AUC against seconds" in content


def test_periods_are_shown_with_what_happened_to_them(pages):
    shown = text(pages["continual"])
    for part in ("periods 3 ", "skipped 1 ", "no row", "newest model period 1"):
        assert part in shown, part
    assert "What is remembered, by auc" in shown
    assert pages["continual"].read_text().count("data:image/png") == 3


def test_an_export_shows_what_the_rules_say(pages, exported_rates, tmp_path):
    shown = text(pages["exported"])
    assert "rates, version 1" in shown and "saved_model.pb" in shown
    assert "serving_default input" in shown
    broken = shutil.copytree(exported_rates / "1", tmp_path / "1")
    (broken / "saved_model.pb").write_bytes(b"broken")
    shown = text(tf_ctr.report(broken, tmp_path / "broken.html"))
    assert "errors" in shown and "does not load" in shown


def test_the_command_writes_the_page_and_links(pages, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = [
        {"kind": "run", "title": "Fine-Tune", "seed": 0, "auc": 0.7, "backbone": "dcn"},
        {"kind": "run", "title": "Fine-Tune", "seed": 0, "auc": 0.8, "backbone": "dcn"},
        {"kind": "choice", "title": "Fine-Tune", "tried": []},
    ]
    (tmp_path / "results.jsonl").write_text("\n".join(map(json.dumps, lines)))
    line = ["report", "results.jsonl", "--output", "a.html", "--link", "B=b.html"]
    assert main(line) == 0
    assert capsys.readouterr().out == "a.html\n"
    assert "0.8000" in text(tmp_path / "a.html")  # The newest of a seed.
    assert '<a href="b.html">B</a>' in (tmp_path / "a.html").read_text()
    assert main(["report", "nothing"]) == 2
    assert "nothing, no such path" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["report", "results.jsonl", "--link", "b.html"])
    assert "b.html is not TEXT=ADDRESS" in capsys.readouterr().err
    assert commands.EXTRAS["report"][0] == "jinja2"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((RUNS[:0],), "at least one run"),
        ((RUNS.drop(columns="auc"),), "one of: name, seconds, seed"),
        ((RUNS.assign(auc=[0.7, np.nan, 0.6, 0.6]),), "nan of A, seed 1"),
        ((RUNS.assign(auc="high"),), "high of A, seed 0"),
        ((Report([]),), "a run with a period"),
        ((".",), "which is none of them"),
    ],
)
def test_what_cannot_be_reported_is_explained(arguments, message, tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(ValueError, match=message):
        tf_ctr.report(*arguments, path)
    assert not path.exists()


def test_the_best_epoch_is_the_one_that_was_restored(tmp_path):
    """By the metric that early stopping watched, not always by `val_auc`."""
    epochs = [{"val_auc": 0.7, "val_loss": 0.5}, {"val_auc": 0.6, "val_loss": 0.4}]
    write_sealed(tmp_path / "history.json", {"epochs": epochs})
    watched = {"monitor": "val_loss", "mode": "min", "patience": 3}
    settings = {"model": [], "early stopping": watched}
    write_sealed(tmp_path / RUN, {"settings": settings})
    shown = text(tf_ctr.report(tmp_path, tmp_path / "page.html"))
    assert "best epoch 2 its val_loss 0.4000" in shown


def test_an_object_that_cannot_be_reported_is_explained(tmp_path):
    with pytest.raises(TypeError, match="Received: an object of the type int"):
        tf_ctr.report(3, tmp_path / "page.html")


def test_arguments_must_fit_the_source(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    with pytest.raises(ValueError, match="no model and no schema"):
        tf_ctr.report(RUNS, path, test=FRAME)
    with pytest.raises(ValueError, match="only for the folder of a run"):
        tf_ctr.report(RUNS, path, by=["city"])
    with pytest.raises(ValueError, match="links to files or to http"):
        tf_ctr.report(RUNS, path, links={"a": "javascript:alert(1)"})
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="a page of at most"):
        tf_ctr.report(RUNS, path)
    monkeypatch.setattr(page.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r'pip install "tf_ctr\[report\]"'):
        tf_ctr.report(RUNS, path)
    assert not path.exists()


def test_values_are_shown_as_people_read_them():
    values = [None, float("nan"), True, 12345, 0.71234, 1.0, 1234567.0, 2e-5, "x"]
    shown = ["", "", "yes", "12,345", "0.7123", "1.0000", "1,234,567", "2e-05", "x"]
    assert [page.cell(value) for value in values] == shown


def test_a_browser_shows_every_page_without_error_or_network(pages):
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    wrong = []
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        tab = chromium.new_page()
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda r: None if _is_local(r.url) else wrong.append(r.url))
        for name, path in pages.items():
            for width in (390, 1200):
                tab.set_viewport_size({"width": width, "height": 800})
                tab.goto(path.as_uri())
                wide = tab.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (name, width, wide)
            for picture in tab.locator("img").all():
                assert picture.evaluate("image => image.naturalWidth") > 100
            assert path.stat().st_size < 2_000_000
        tab.goto(pages["trained"].as_uri())
        tab.get_by_role("link", name="All methods").click()
        assert tab.locator("h1").inner_text() == "Comparison"
        assert tab.pdf()[:4] == b"%PDF"
        chromium.close()
    assert not wrong, wrong


def _is_local(url):
    return url.startswith(("file:", "data:"))
