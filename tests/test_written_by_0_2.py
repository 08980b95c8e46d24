"""An export that version 0.2 (e960687) wrote is still loaded, checked and promoted.

`support/written_by_0_2` holds the version 1 of a DCN, with its folder, and the scores
that 0.2 gave to the rows here. Its vocabularies are in its graph, and its batching
parameters are those that no server loads.
"""

import pathlib
import shutil

import numpy as np
import pandas as pd
import pytest

from tf_ctr.export import export
from tf_ctr.serving import check, compare_ways, promote
from tf_ctr.serving.labels.gate import Limits
from tf_ctr.serving.labels.models_config import read_labels
from tf_ctr.serving.loaders.ways import in_session, in_this_process
from tf_ctr.serving.reference import raw_columns
from tf_ctr.serving.rules.findings import errors
from tf_ctr.serving.version import load_schema, load_served

WRITTEN = pathlib.Path(__file__).parent / "support" / "written_by_0_2"
FRAME = pd.DataFrame(
    {
        "user": ["ann", "bob", "nobody", None],
        "item": [7, 2**60, 5, -1],
        "tags": [["a", "b"], [], ["b"], None],
        "age": [20.0, 40.0, np.nan, 30.0],
        "click": [1, 0, 1, 0],
    }
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    shutil.unpack_archive(WRITTEN / "dcn.tar.xz", folder, filter="data")
    return folder / "dcn"


@pytest.mark.parametrize("way", [in_this_process, in_session])
def test_it_gives_the_same_scores(directory, way):
    version = directory / "1"
    raw = raw_columns(load_schema(version), FRAME)
    found = way(version, {"serving_default": raw})["serving_default"]["click"]
    expected = np.load(WRITTEN / "scores.npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_it_gives_the_scores_of_its_model(directory):
    version = directory / "1"
    found = compare_ways(version, FRAME, load_served(version), ["this process"])
    assert found.agrees and len(found.differences["this process"]) == 6


def test_it_is_checked_and_its_batching_parameters_are_refused(directory):
    [finding] = errors(check(directory / "1"))
    assert finding.rule == "batching"
    assert "max_batch_size" in finding.message


def test_it_is_promoted_once_they_are_mended(directory):
    """Beside a version of today, which a server then loads, too."""
    version = directory / "1"
    with pytest.raises(ValueError, match="by the rules of TF Serving(.|\n)*max_batch"):
        promote(directory, FRAME, version=1)
    file = version / "batching_params.pbtxt"
    file.write_text(file.read_text() + "allowed_batch_sizes: 16\n")
    assert errors(check(version)) == []
    options = {"fresh_process": False, "verbose": False, "batch_sizes": (1, 2)}
    export(load_served(version), load_schema(version), directory, **options)
    limits = Limits(*[np.inf] * len(Limits._fields))
    for number in (2, 1):
        assert promote(directory, FRAME, number, limits=limits).moved
        assert read_labels(directory)["stable"] == number
    assert "all {" in (directory / "models.config").read_text()
