"""A TOML file describes two domains of one's own files."""

import pandas as pd
import pytest

from pipelines.compare.__main__ import parse
from pipelines.harness.own_data import load_own
from tests.support.frames import click_frame

TOML = """
label = "click"
group = "user"
item = "item"
time = "day"

[fields]
user = "categorical"
item = "categorical"
price = {kind = "numeric", transform = "standardize"}

[source]
rows = "shop.parquet"

[target]
train = "outlet.csv"
validation = "outlet.csv"
test = "outlet.csv"
"""


@pytest.fixture
def own(tmp_path):
    """A function that writes the TOML file, with replacements, and returns its path."""
    frame = click_frame(rows=30)[["user", "item", "price", "click"]]
    frame.assign(day=[1, 2, 3] * 10).to_parquet(tmp_path / "shop.parquet")
    frame.assign(day=9).to_csv(tmp_path / "outlet.csv", index=False)

    def written(old="", new=""):
        path = tmp_path / "own.toml"
        path.write_text(TOML.replace(old, new) if old else TOML)
        return path

    return written


def test_the_rows_are_cut_by_time_or_given_in_parts(own):
    domains = load_own(own())
    assert domains.name == "own" and domains.item == "item"
    days = {name: set(frame["day"]) for name, frame in domains.source.items()}
    assert days == {"train": {1}, "validation": {2}, "test": {3}}
    assert len(domains.target.train) == 30
    assert domains.schema.group == "user"
    assert domains.schema.field("price").transform == "standardize"
    seen = pd.concat([domains.source.train["user"], domains.target.train["user"]])
    assert set(domains.schema.field("user").vocabulary) == set(seen)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("label =", "label =\nlabel =", "a TOML file"),
        ("time =", "tame =", "of a key of .*own.toml"),
        ('group = "user"', "", "the key `group`"),
        ('"categorical"', '"id"', "kind of the field user"),
        ("rows =", "row =", r"key of \[source\]"),
        ('time = "day"', "", "either `rows`, and `time` at the top"),
        ('time = "day"', 'time = "user"', None),
        ("shop.parquet", "outlet.csv", "at least three values of `day`"),
    ],
)
def test_what_is_wrong_is_named(own, old, new, message):
    if message is None:
        assert load_own(own(old, new)).source.test["user"].nunique() == 1
        return
    with pytest.raises(ValueError, match=message) as error:
        load_own(own(old, new))
    assert "Fix: " in str(error.value)


def test_the_comparison_takes_the_file(own, capsys):
    arguments = parse(["--data", str(own())])
    assert arguments.dataset == "own" and arguments.run_dir.name == "own"
    with pytest.raises(SystemExit):
        parse(["--data", "none.toml"])
    assert "there is no file none.toml" in capsys.readouterr().err
