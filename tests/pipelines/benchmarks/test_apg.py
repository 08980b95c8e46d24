"""APG's benchmark scripts at toy size, and what they count by hand."""

import keras
import numpy as np
import pytest

from pipelines.benchmarks import apg_cost, apg_forms, apg_training
from pipelines.benchmarks.compiled import compiled, inference

# Reported megabytes of the paper's Table 5; its own sum of all is about 0.2 more.
PAPER_MEGABYTES = {
    "Base": (0.50, 0.89, 1.93, 4.61, 12.91),
    "v1": (11.21, 24.20, 56.32, 144.84, 419.11),
    "v4": (0.27, 0.29, 0.31, 0.35, 0.44),
}


def rows_of(text):
    """The cells of every row of the Markdown tables in a text."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]


@pytest.mark.parametrize("form", apg_forms.FORMS.values(), ids=apg_forms.FORMS.keys())
@pytest.mark.parametrize("rank", [1, 4, 16])
def test_every_form_computes_the_same_product(form, rank):
    rng = np.random.default_rng(rank)
    h, s = rng.normal(size=(5, rank)), rng.normal(size=(5, rank, rank))
    expected = [vector @ matrix for vector, matrix in zip(h, s, strict=True)]
    np.testing.assert_allclose(form(h, s), expected, rtol=1e-6, atol=1e-6)


def test_the_table_of_forms_has_every_form_and_size(tmp_path, capsys):
    path = tmp_path / "forms.csv"
    sizes = "--ranks 2 --batch-sizes 3 4 --chain 2 --rounds 2 --peak-size 4"
    apg_forms.main(f"{sizes} --csv {path}".split())
    _, *rows = rows_of(capsys.readouterr().out)
    assert [row[0] for row in rows] == list(apg_forms.FORMS) * 2
    assert path.exists()


@pytest.mark.parametrize("version", PAPER_MEGABYTES)
def test_the_formula_gives_the_memory_of_the_paper(version):
    args = apg_cost.parse([])
    for size, reported in zip(apg_cost.SIZES, PAPER_MEGABYTES[version], strict=True):
        megabytes = 12 * apg_cost.parameters(size, version, args) / 1e6
        assert 0.15 < reported - megabytes < 0.35


def test_parameters_match_the_models_except_for_the_biases():
    args = apg_cost.parse(["--input-width", "9", "--condition-width", "3"])
    size = (8, 6)
    for version, model in apg_cost.towers(size, args).items():
        expected = apg_cost.parameters(size, version, args)
        assert model.count_params() - sum(size) == expected


def test_cost_tables_leave_out_what_needs_too_much_memory(tmp_path, capsys):
    sizes = "--input-width 9 --sizes 8-6 --batch-sizes 5 --rounds 2"
    times = f"--max-gigabytes 1e-6 --csv {tmp_path / 'times.csv'}"
    apg_cost.main(f"{sizes} {times}".split())
    rows = rows_of(capsys.readouterr().out)
    memory = [row[1] for row in rows if len(row) == 4]
    assert memory == ["version", "Base", *apg_cost.VERSIONS]
    seconds = {row[2]: row[3] for row in rows if len(row) == 9}
    assert set(seconds) == {"version", "Base again", "Base", *apg_cost.VERSIONS}
    # v1 generates 2 * 4 * 5 * 9 * 8 bytes, v4 2 * 4 * 5 * 4 * 4.
    assert seconds["v1"] == "nan" != seconds["v4"]
    assert (tmp_path / "times.csv").exists()


def test_the_training_table_has_every_variant(capsys):
    sizes = "--batch-size 4 --embedding-dim 4 --hidden-units 4 --over-parameters 5"
    apg_training.main(f"{sizes} --rounds 1 --steps 1 --condition self".split())
    names = [row[0] for row in rows_of(capsys.readouterr().out)]
    assert names == ["variant", "Base", "v4", "v5, P = 5", "Base again"]


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (apg_forms, "--ranks 0"),
        (apg_cost, "--sizes 64-2"),
        (apg_cost, "--rounds 0"),
        (apg_training, "--hidden-units 3"),
        (apg_training, "--condition movie"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_before_any_work(script, arguments, capsys):
    with pytest.raises(SystemExit):
        script.parse(arguments.split())
    assert "error: " in capsys.readouterr().err


def test_compiled_inference_gives_the_scores_of_the_model():
    x = keras.Input((3,), name="x")
    model = keras.Model({"x": x}, keras.layers.Dense(2)(x))
    batch = {"x": keras.ops.ones((4, 3))}
    np.testing.assert_allclose(inference(model)(batch), model(batch), rtol=1e-6)
    total = compiled(lambda a, b: a + b)
    assert float(total(keras.ops.ones(()), keras.ops.ones(()))) == 2.0
