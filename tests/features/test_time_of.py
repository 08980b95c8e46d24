"""Parts of timestamps, against pandas."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.features.test_errors import fails
from tf_ctr import Schema, TimeOf, data
from tf_ctr.export.string_ids import integers

TIMES = pd.Series(
    pd.to_datetime(
        ["2024-02-29 17:05:30.5", None, "1969-12-31 23:59:59", "2023-01-01"],
        format="ISO8601",
    )
)


def parts(cells, **options):
    frame = pd.DataFrame({"time": cells})
    fields = [
        TimeOf("hour", column="time", **options),
        TimeOf("weekday", "weekday", column="time", **options),
        TimeOf("of_week", "hour_of_week", column="time", **options),
    ]
    schema = Schema(fields).fit(frame)
    encoded = schema.encode(schema.raw_columns(frame))
    return {name: rows.numpy() for name, rows in encoded.items()}


def expected(times):
    hour, weekday = times.dt.hour + 1, times.dt.day_of_week + 1
    found = {"hour": hour, "weekday": weekday, "of_week": 24 * (weekday - 1) + hour}
    return {name: rows.fillna(0).astype(int) for name, rows in found.items()}


@pytest.mark.parametrize(
    "cells",
    [
        TIMES,
        TIMES.dt.tz_localize("UTC"),
        TIMES.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
        TIMES.astype(pd.ArrowDtype(pa.timestamp("ms"))),
        TIMES.astype(object),
        pd.Series([1709226330, None, -1, 1672531200], dtype="Int64"),
        # So does pandas read integers, one of which is missing.
        pd.Series([1709226330, None, -1, 1672531200]),
    ],
    ids=["pandas", "utc", "tokyo", "arrow", "objects", "seconds", "floats"],
)
def test_parts_are_those_of_pandas(cells):
    found = parts(cells)
    for name, rows in expected(TIMES).items():
        np.testing.assert_array_equal(found[name], rows)


def test_the_offset_is_added_and_dates_are_midnights():
    found = parts(TIMES, utc_offset=-5.5)
    for name, rows in expected(TIMES - pd.Timedelta(hours=5.5)).items():
        np.testing.assert_array_equal(found[name], rows)
    dates = parts([datetime.date(2024, 2, 29), None])
    assert dates["hour"].tolist() == [1, 0] and dates["weekday"].tolist() == [4, 0]


def test_each_row_has_a_key_and_missing_columns_are_read():
    field = TimeOf("hour")
    assert len(field.row_keys()) == field.table_size == 25
    assert TimeOf("w", "weekday").layout != field.layout
    schema = Schema([field])
    assert schema.raw_columns(pd.DataFrame({"hour": [None]}))["hour"] == field.padding
    assert schema.fit(pd.DataFrame({"hour": TIMES})).coverage == {"hour": 3 / 4}
    # Text that spells no integer is no timestamp.
    text = integers(np.array(["x", "", "3600"]), field)
    assert field.encode(text).numpy().tolist() == [0, 0, 2]


def test_wrong_columns_and_arguments_are_refused():
    def fit(cells):
        frame = pd.DataFrame({"hour": cells})
        return lambda: Schema([TimeOf("hour")]).fit(frame)

    fails(fit(["2024-02-29"]), "'hour'", "string", "to_datetime", kind=TypeError)
    fails(fit([1.5]), "'hour'", "double", "// 1", kind=TypeError)
    fails(fit(np.array([2**64 - 1], "uint64")), "'hour'", "uint64", kind=TypeError)
    fails(fit([1_700_000_000_000]), "'hour'", "1700000000000", "// 1000")
    fails(lambda: TimeOf("hour", "minute"), "'minute'", "'hour'", "'weekday'")
    fails(lambda: TimeOf("hour", utc_offset=330), "utc_offset", "330")


def test_timestamps_in_csv_files_need_their_type(tmp_path):
    frame = pd.DataFrame({"hour": TIMES[[0, 1, 3]].dt.floor("s"), "click": [0, 1, 1]})
    frame.to_csv(tmp_path / "log.csv", index=False)
    schema, path = Schema([TimeOf("hour")]), tmp_path / "log.csv"
    fails(lambda: data.from_rows(path, schema), "'hour'", "pyarrow.timestamp('s')")
    typed = data.rows(path, types={"hour": pa.timestamp("s")})
    [(features, _)] = data.from_rows(typed, schema)
    assert features["hour"].numpy().tolist() == [18, 0, 1]
