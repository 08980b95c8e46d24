"""Generated requests by every way: the right score, or an error that explains.

`TF_CTR_CASES=10000 pytest tests/serving/test_generated_requests.py` tries more, each
time others.
"""

import os
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.requests import (
    expected_score,
    request_model,
    request_schema,
    requests,
)
from tests.support.stand_in_server import StandInServer
from tf_ctr.export import export
from tf_ctr.serving import GrpcClient, RestClient

THREE_PARTS = re.compile(r"Expected (.|\n)*\nReceived: (.|\n)*\nFix: ")


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """`{(transport, whether it has the schema, ask_by): client}`."""
    schema = request_schema()
    directory = tmp_path_factory.mktemp("requests") / "m"
    options = {"fresh_process": False, "verbose": False, "batch_sizes": (1, 2)}
    version = export(request_model(schema), schema, directory, **options)
    with StandInServer("m", {1: version}) as server:
        made = {}
        for given_schema in (None, schema):
            for ask_by in ("auto", "examples", "tensors"):
                more = {"schema": given_schema, "ask_by": ask_by}
                key = (given_schema is not None, ask_by)
                made["grpc", *key] = GrpcClient("m", server.address, **more)
                made["rest", *key] = RestClient("m", server.url, **more)
        yield made
        for client in made.values():
            client.close()


FEW = 200
CASES = int(os.environ.get("TF_CTR_CASES", FEW))
WAYS = st.tuples(
    st.sampled_from(["grpc", "rest"]),
    st.booleans(),
    st.sampled_from(["auto", "examples", "tensors"]),
)


@given(requests(), WAYS, st.sampled_from(["predict", "regress", "classify"]))
@settings(
    max_examples=CASES,
    deadline=None,
    derandomize=CASES == FEW,
    phases=[Phase.explicit, Phase.generate],  # Shrinking would take minutes.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_request_scores_right_or_is_explained(clients, request_, way, method):
    rows, good = request_
    expected = [expected_score(row) for row in rows]
    try:
        found = getattr(clients[way], method)(rows)
    except (ValueError, TypeError) as error:
        assert THREE_PARTS.match(str(error)), error
        complete = way[1] or way[2] != "tensors" or method != "predict"
        assert not (good and complete), error
        return
    assert None not in expected, (rows, found)
    found = [row["click"] for row in found] if method == "classify" else found
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
