"""A bucket on a real S3 server on loopback: moto's, without a network behind it."""

import io
import logging
import urllib.request

import keras
import pyarrow.fs
import pytest

from tests.support.cutting_proxy import CuttingProxy
from tests.support.frames import click_frame, small_schema
from tf_ctr.backbones import dnn
from tf_ctr.continual import Period
from tf_ctr.data import from_frame, from_rows, rows
from tf_ctr.evaluation import evaluate
from tf_ctr.features import Schema
from tf_ctr.rows import retrying

moto_server = pytest.importorskip("moto.server", reason="moto and flask are missing")

FRAME = click_frame(rows=120)[["user", "item", "price", "click"]]
DAYS = 1100  # More than the 1,000 objects of one answer to a listing.


def parquet(frame):
    file = io.BytesIO()
    frame.to_parquet(file, row_group_size=20)
    return file.getvalue()


@pytest.fixture(scope="module")
def server():
    """A server with the bucket `lake`: `log`, `many`, and nothing else."""
    logging.getLogger("werkzeug").setLevel("ERROR")
    server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    system(f"{host}:{port}").create_dir("lake")
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    for day, start in enumerate((0, 60)):
        content = parquet(FRAME[start : start + 60])
        backend.put_object("lake", f"log/day={day}/0.parquet", content)
    for day in range(DAYS):
        backend.put_object("lake", f"many/day={day}/0.parquet", content)
    yield f"{host}:{port}"
    server.stop()


def system(address, attempts=3):
    return pyarrow.fs.S3FileSystem(
        access_key="key",
        secret_key="secret",
        region="us-east-1",
        endpoint_override=address,
        scheme="http",
        allow_bucket_creation=True,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=attempts),
    )


def uri(server, path):
    options = f"endpoint_override={server}&scheme=http&region=us-east-1"
    return f"s3://key:secret@{path}?{options}"


@pytest.fixture
def lossy(server, monkeypatch):
    """A connection that is cut, and no second attempt by the S3 client itself."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.0)
    host, port = server.split(":")
    with CuttingProxy(host, int(port)) as proxy:
        yield proxy, system(proxy.address, attempts=1)


def test_a_bucket_is_a_log_as_any_other(server):
    """Fitted, trained, evaluated; the numbers are those of the frame."""
    log = uri(server, "lake/log")
    fields = [field.unfitted() for field in small_schema().fields]
    schema = Schema(fields).fit(log)
    assert schema.fields == Schema(fields).fit(FRAME).fields
    metrics = []
    for data in (from_rows(log, schema, 40), from_frame(FRAME, schema, 40)):
        keras.utils.set_random_seed(0)
        model = dnn(schema, embedding_dim=2, hidden_units=(3,))
        model.compile("sgd", "binary_crossentropy", run_eagerly=True)
        model.fit(data, shuffle=False, verbose=0)
        metrics.append(evaluate(model, FRAME, schema))
    assert metrics[0] == metrics[1]
    by_files = evaluate(model, rows("lake/log", filesystem=system(server)), schema)
    assert by_files == pytest.approx(metrics[1], rel=1e-6)
    period = Period(1, uri(server, "lake/log/day=1"))
    assert period.read()["user"].tolist() == FRAME["user"][60:].tolist()


def test_a_listing_has_more_than_one_page_and_only_needed_files_are_read(server):
    host, port = server.split(":")
    with CuttingProxy(host, int(port)) as proxy:
        wanted = [("day", "in", [3, DAYS - 1])]
        log = rows("lake/many", filesystem=system(proxy.address), filter=wanted)
        days = log.to_pandas()["day"]
    assert days.value_counts().to_dict() == {3: 60, DAYS - 1: 60}
    # A footer and three row groups of two files; one footer tells the columns.
    assert proxy.reads <= 9


def test_a_pattern_is_matched_in_a_bucket(server):
    log = rows("lake/many/day=110*/0.parquet", filesystem=system(server))
    assert log.count == 60  # Of day 110 only.
    assert rows(uri(server, "lake/log/*/0.parquet")).count == 120


@pytest.mark.parametrize("path", ["nothing/log", "lake/nothing", "lake/log/*.csv"])
def test_a_missing_bucket_or_folder_is_named(server, path):
    with pytest.raises(ValueError, match=f"(?s){path.split('*')[0]}.*names none"):
        rows(path, filesystem=system(server))


@pytest.mark.parametrize("cuts", [1, 3])
def test_a_connection_cut_while_reading_loses_no_row(lossy, cuts):
    proxy, filesystem = lossy
    log = rows("lake/log", filesystem=filesystem)
    assert log.count == 120
    proxy.cuts = cuts
    assert log.to_pandas()["price"].tolist() == FRAME["price"].tolist()
    assert proxy.cuts == 0


def test_a_connection_cut_again_and_again_is_an_error(lossy):
    proxy, filesystem = lossy
    log = rows("lake/log", filesystem=filesystem)
    assert log.count == 120
    proxy.cuts = 1000
    with pytest.raises(ConnectionError, match=r"row group 0(?s:.)*4 times(?s:.)*Fix: "):
        log.to_pandas()
    assert 1000 - proxy.cuts == retrying.ATTEMPTS
    # A schema keeps what it knows.
    schema = small_schema()
    fields = schema.fields
    with pytest.raises(ConnectionError):
        schema.fit(rows("lake/log", filesystem=filesystem))
    assert schema.fields == fields
    proxy.cuts = 0
    assert len(log.to_pandas()) == 120


def test_a_server_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.0)
    with pytest.raises(ConnectionError, match="lake/log(?s:.)*4 times"):
        rows("lake/log", filesystem=system("127.0.0.1:9", attempts=1))


def test_a_denied_key_is_refused_without_a_second_attempt(server, monkeypatch):
    def no_pause(_):
        raise AssertionError("a second attempt")

    monkeypatch.setattr(retrying.time, "sleep", no_pause)
    log = rows("lake/log", filesystem=system(server))
    assert log.count == 120
    check_keys(server, after=0)
    try:
        for path in ("lake/log", "lake/log/day=0/0.parquet", "lake/log/*/0.parquet"):
            with pytest.raises(PermissionError, match="(?s)a key that may.*Fix: check"):
                rows(path, filesystem=system(server))
        with pytest.raises(PermissionError, match=r"0\.parquet, row group 0"):
            log.to_pandas()
    finally:
        check_keys(server, after=10**9)


def check_keys(server, after):
    """Lets the server refuse unknown keys after a number of requests."""
    request = urllib.request.Request(
        f"http://{server}/moto-api/reset-auth",
        data=str(after).encode(),
        headers={"Content-Type": "text/plain"},
    )
    with urllib.request.urlopen(request):
        pass
