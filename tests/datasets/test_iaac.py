import numpy as np
import pandas as pd
import pytest

from tf_ctr.datasets import iaac
from tf_ctr.datasets.iaac import files as iaac_files

# 2018-09-18 in China.
START = 1_537_200_000
DAY = 86_400
NUM_ROWS = 350


def raw_rows():
    """Seven days in the form of the official file, in no order of time."""
    rng = np.random.default_rng(6)
    rows = []
    for i in rng.permutation(NUM_ROWS):
        item = i % 20
        rows.append(
            {
                "instance_id": 10**17 + i,
                "item_id": 3_412_720_377_098_676_069 + item,
                "item_category_list": f"{7_908_382_889_764_677_758};{item % 4}",
                "item_property_list": ";".join(map(str, range(1, 3 + item % 5))),
                "item_brand_id": -1 if item == 3 else 1_975_590_437_749_032_870,
                **dict.fromkeys(["item_city_id", "item_price_level"], item % 3),
                **dict.fromkeys(["item_sales_level", "item_collected_level"], 4),
                "item_pv_level": 14,
                "user_id": 4_505_772_604_969_228_686 + i % 30,
                "user_gender_id": (0, 0, 1, -1, 2)[i % 5],
                **dict.fromkeys(["user_age_level", "user_occupation_id"], 1003),
                "user_star_level": 3003,
                "context_id": 282_924_576_738_839_389 + i,
                "context_timestamp": START + i * 7 * DAY // NUM_ROWS,
                "context_page_id": 4006,
                "predict_category_property": (
                    "-1",
                    "5799347067982556520:-1;509660095530134768:-1",
                    "8:11,12;9:12,13;9:-1",
                )[item % 3],
                "shop_id": 6_765_930_309_048_922_341,
                "shop_review_num_level": 4,
                "shop_review_positive_rate": -1 if item == 5 else 1.0 - item / 100,
                "shop_star_level": 5002,
                **dict.fromkeys(["shop_score_service", "shop_score_delivery"], 0.98),
                "shop_score_description": 0.97,
                "is_trade": int(i % 11 == 0),
            }
        )
    return rows


ROWS = raw_rows()


def write(root, rows=ROWS, header=iaac_files.COLUMNS):
    path = root / "iaac" / iaac_files.FILE
    path.parent.mkdir(exist_ok=True)
    lines = [" ".join(map(str, row.values())) for row in rows]
    path.write_text("\n".join([" ".join(header), *lines]) + "\n")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data"))


def test_generated_rows_have_the_official_columns():
    assert len(iaac_files.COLUMNS) == 27
    assert tuple(ROWS[0]) == iaac_files.COLUMNS


def test_values_are_read_exactly(folder):
    frame = iaac_files.from_folder(folder / "iaac")
    for name in ("item_id", "user_id", "item_brand_id", "is_trade", "context_id"):
        assert frame[name].dtype == "int64"
        assert frame[name].tolist() == [row[name] for row in ROWS]
    for row, expected in zip(frame.itertuples(), ROWS, strict=True):
        values = [int(v) for v in expected["item_property_list"].split(";")]
        assert list(row.item_property_list) == values
        assert row.item_category_list[0] == 7_908_382_889_764_677_758
        rate = expected["shop_review_positive_rate"]
        missing = rate == -1
        assert np.isnan(row.shop_review_positive_rate) == missing
        assert missing or row.shop_review_positive_rate == rate


def test_predictions_are_returned_as_two_lists(folder):
    frame = iaac_files.from_folder(folder / "iaac")
    expected = {
        "-1": ([], []),
        "5799347067982556520:-1;509660095530134768:-1": (
            [5799347067982556520, 509660095530134768],
            [],
        ),
        "8:11,12;9:12,13;9:-1": ([8, 9], [11, 12, 13]),
    }
    for i, row in enumerate(ROWS):
        categories, properties = expected[row["predict_category_property"]]
        assert frame["predicted_categories"][i].tolist() == categories
        assert frame["predicted_properties"][i].tolist() == properties


def test_one_domain_is_split_by_the_last_days(folder):
    splits, schema = iaac.load_whole(folder)
    days = [set(frame["day"]) for _, frame in splits.items()]
    assert days == [{0, 1, 2, 3, 4}, {5}, {6}]
    assert [len(frame) for _, frame in splits.items()] == [250, 50, 50]
    for _, frame in splits.items():
        assert frame["context_timestamp"].is_monotonic_increasing
        time = pd.to_datetime(frame["context_timestamp"], unit="s", utc=True)
        assert (frame["hour"] == time.dt.tz_convert("Asia/Shanghai").dt.hour).all()
    names = {field.name for field in schema.fields}
    assert not names & {"instance_id", "context_id", "context_timestamp", "is_trade"}
    assert (schema.label, schema.group) == ("is_trade", "user_id")
    assert set(schema.field("item_id").vocabulary) == set(splits.train["item_id"])
    assert -1 not in schema.field("item_brand_id").vocabulary
    encoded = schema.encode(schema.raw_columns(splits.test))
    assert encoded["predicted_properties"].shape == (50, 3)


def test_two_domains_are_split_by_gender(folder):
    data = iaac.load(folder)
    for domain, gender, size in ((data.source, 0, 140), (data.target, 1, 70)):
        frames = [frame for _, frame in domain.items()]
        assert {g for frame in frames for g in frame["user_gender_id"]} == {gender}
        assert sum(map(len, frames)) == size
    assert data.summary().loc["target", "users"].tolist() == [6, 6, 6]


def test_too_few_days_are_refused(tmp_path):
    rows = [row for row in ROWS if row["context_timestamp"] < START + 2 * DAY]
    with pytest.raises(ValueError, match="impressions on the last day"):
        iaac.load_whole(write(tmp_path, rows))


def test_missing_file_says_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CTR_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="round1_ijcai(.|\n)*tianchi"):
        iaac.load_whole(tmp_path)
    with pytest.raises(FileNotFoundError, match="TF_CTR_DATA(.|\n)*tianchi"):
        iaac.load()


@pytest.mark.parametrize("genders", [(0, 0), (0, 7), (-1, 0)])
def test_genders_are_checked_before_any_file_is_read(genders):
    with pytest.raises(ValueError, match="gender"):
        iaac.load("nowhere", *genders)


def test_a_wrong_header_is_refused(tmp_path):
    header = [name.replace("is_trade", "trade") for name in iaac_files.COLUMNS]
    with pytest.raises(ValueError, match="27 columns(.|\n)*'is_trade', 'trade'"):
        iaac.load_whole(write(tmp_path, header=header))
    with pytest.raises(ValueError, match="26 columns, different in .'is_trade'"):
        iaac.load_whole(write(tmp_path, header=iaac_files.COLUMNS[:-1]))
    with pytest.raises(ValueError, match="different in their order"):
        iaac.load_whole(write(tmp_path, header=iaac_files.COLUMNS[::-1]))
    with pytest.raises(ValueError, match="rows in(.|\n)*none"):
        iaac.load_whole(write(tmp_path, rows=[]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_id": "1 2"}, "27 values(.|\n)*28 in line 4"),
        ({"item_id": "3.5"}, "an integer in item_id(.|\n)*'3.5' in line 4"),
        ({"user_id": ""}, "an integer in user_id(.|\n)*line 4"),
        ({"item_property_list": "1;;2"}, "item_property_list '1;;2' in line 4"),
        ({"item_category_list": "1,2"}, "integers and `;`"),
        ({"predict_category_property": "1;2"}, "category:property"),
        ({"shop_score_service": "good"}, "a number in shop_score_service"),
        ({"is_trade": 2}, "0 or 1 in is_trade(.|\n)*'2' in line 4"),
    ],
)
def test_wrong_value_is_named_with_its_line(tmp_path, change, message):
    rows = [dict(row) for row in ROWS]
    rows[2] |= change
    with pytest.raises(ValueError, match=message):
        iaac.load_whole(write(tmp_path, rows))


def test_a_short_line_is_refused(tmp_path):
    rows = [dict(row) for row in ROWS]
    del rows[4]["is_trade"]
    with pytest.raises(ValueError, match="27 values(.|\n)*26 in line 6"):
        iaac.load_whole(write(tmp_path, rows))
