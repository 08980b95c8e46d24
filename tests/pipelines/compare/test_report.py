"""Tables of a comparison, by hand, and the groups behind its figures."""

import numpy as np
from scipy import stats

from pipelines.compare.report import current_runs, sections
from pipelines.harness import tables
from pipelines.harness.scoring import auc_by_frequency

CHOSEN = {"learning_rate": 0.001, "l2": 0.0}
TITLES = {
    "target-target_only": "Target-only",
    "source-pretrained": "Source-only",
    "source-fine_tune": "Source-Fine-Tune",
    "source-ptu": "Source-PTU",
    "source-spottune": "Source-SpotTune",
    "source-autoft": "Source-AutoFT",
    "source-autoft-cross": "Source-AutoFT (cross)",
    "all-pretrained": "All",
}


def report(records):
    return tables.report(sections(records))


def choice(row, chosen=CHOSEN, start=None, backbone="dcn"):
    tried = [{"chosen": chosen, "validation_auc": 0.7}]
    return {
        "kind": "choice",
        "backbone": backbone,
        "row": row,
        "start": start,
        "best": 0,
        "tried": tried,
    }


def run(row, seed, auc, chosen=CHOSEN, start=None, backbone="dcn"):
    return {
        "kind": "run",
        "backbone": backbone,
        "row": row,
        "start": start,
        "seed": seed,
        "chosen": chosen,
        "title": TITLES[row],
        "group": row.split("-")[0],
        "auc": auc,
        "log_loss": 0.5,
        "gauc": 0.6,
        "parameters": 1000,
        "seconds": 2.0,
    }


def interval_of_autoft(aucs, low, high):
    return {
        "kind": "interval",
        "backbone": "dcn",
        "row": "source-autoft",
        "aucs": aucs,
        "low": low,
        "high": high,
    }


def records():
    aucs = {
        "source-autoft": [0.82, 0.83, 0.84],
        "source-fine_tune": [0.80, 0.82, 0.83],
        "target-target_only": [0.7],
    }
    found = []
    for row, of_row in aucs.items():
        found.append(choice(row))
        found += [run(row, seed, auc) for seed, auc in enumerate(of_row)]
    return found


def cells(text, title):
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_agrees_with_hand_computed_numbers():
    interval = interval_of_autoft(
        [[0.82, 0.83, 0.84], [0.80, 0.82, 0.83]], 0.01, 0.0171
    )
    text = report([*records(), interval])
    p = stats.ttest_rel([0.82, 0.83, 0.84], [0.80, 0.82, 0.83]).pvalue
    assert cells(text, "Source-AutoFT") == [
        "Source-AutoFT",
        "0.8300 ± 0.0100",
        "0.5000 ± 0.0000",
        "0.6000 ± 0.0000",
        "3",
        "+0.0133",
        "+0.0100 to +0.0171",
        f"{p:.3f}",
        "0.250",
        "1,000",
        "2 ± 0",
        "learning_rate 0.001",
    ]
    assert cells(text, "Source-Fine-Tune")[5:9] == [""] * 4
    assert cells(text, "Target-only")[1:6] == ["0.7000", "0.5000", "0.6000", "1", ""]
    lines = [line.split("|")[1].strip() for line in text.splitlines() if "|" in line]
    assert lines[2:] == [
        "**Target-only**",
        "Target-only",
        "**Source-based**",
        "Source-Fine-Tune",
        "Source-AutoFT",
    ]


def test_rows_follow_the_order_of_the_paper_in_any_order_of_runs():
    rows = list(TITLES)[::-1]
    runs = current_runs([*map(choice, rows), *(run(row, 0, 0.7) for row in rows)])
    assert runs["row"].to_list() == list(TITLES)


def test_paired_tests_use_the_seeds_that_both_rows_have():
    text = report([*records(), run("source-autoft", 3, 0.99)])
    assert cells(text, "Source-AutoFT")[4:6] == ["4", "+0.0133"]


def test_an_interval_from_other_seeds_is_not_shown():
    interval = interval_of_autoft([[0.82], [0.80]], 0.01, 0.02)
    assert cells(report([*records(), interval]), "Source-AutoFT")[6] == ""


def test_autoft_is_compared_with_spottune_too():
    spottune = [choice("source-spottune"), run("source-spottune", 0, 0.81)]
    interval = interval_of_autoft([[0.82], [0.81]], 0.004, 0.016)
    assert "over SpotTune" not in report(records())
    text = report([*records(), *spottune, interval])
    against = text[text.index("|  | AUC over SpotTune") :]
    shown = ["Source-AutoFT", "+0.0100", "+0.0040 to +0.0160", "", ""]
    assert cells(against, "Source-AutoFT") == shown
    assert "Fine-Tune" not in against


def test_chosen_settings_include_switches_that_are_off():
    chosen = {"learning_rate": 0.1, "gated": False, "l2": 0.0}
    text = report([choice("source-ptu", chosen), run("source-ptu", 0, 0.7, chosen)])
    assert cells(text, "Source-PTU")[-1] == "learning_rate 0.1, gated False"


def test_runs_of_an_older_choice_are_left_out():
    older = {"learning_rate": 0.1}
    found = [
        choice("source-autoft", older),
        run("source-autoft", 0, 0.9, older),
        choice("source-autoft"),
        run("source-autoft", 0, 0.8),
        choice("source-fine_tune", start=older),
        run("source-fine_tune", 0, 0.9, start=older),
        choice("source-fine_tune", start=CHOSEN),
    ]
    runs = current_runs(found)
    assert runs["auc"].to_list() == [0.8]
    assert len(runs) == 1


def test_an_extra_table_shows_the_backbones_side_by_side():
    other = [choice("source-autoft", backbone="dnn")]
    other.append(run("source-autoft", 0, 0.75, backbone="dnn"))
    text = report([*records(), *other])
    assert text.count("### ") == 3
    *_, last = text.split("### ")
    assert cells(last, "")[1:] == ["dcn", "dnn"]
    assert cells(last, "Source-AutoFT")[1:] == [
        "0.8300 ± 0.0100 / 0.5000 ± 0.0000",
        "0.7500 / 0.5000",
    ]
    assert cells(last, "Source-Fine-Tune")[2] == ""


def test_a_report_without_runs_says_so():
    assert report([choice("source-autoft")]) == "No run is finished."


def test_frequency_groups_have_equal_numbers_of_rows():
    """User a has half of the rows, but is only one of three distinct users."""
    users = ["a"] * 4 + ["b", "b", "c", "c"]
    labels, scores = [0, 1, 0, 1, 0, 1, 0, 1], np.arange(8) / 8
    known = ["a"] * 9 + ["b"] * 5
    groups = auc_by_frequency(labels, scores, users, known, groups=2, by_rows=True)
    assert groups["rows"].tolist() == [4, 4]
    assert groups[["least", "most"]].to_numpy().tolist() == [[0, 5], [9, 9]]
    assert groups["auc"].tolist() == [0.75, 0.75]


def test_a_value_that_fills_several_groups_makes_fewer_groups():
    users = ["a"] * 9 + ["b"]
    labels = [0, 1] * 5
    groups = auc_by_frequency(labels, np.ones(10), users, users, 5, by_rows=True)
    # The rare user opens group 0, where the frequent one begins, too.
    assert groups["rows"].tolist() == [10]
