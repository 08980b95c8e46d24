"""Vocabularies as assets: every id is looked up, in every way to load a version."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.ops.lookup_ops import TableInitializerBase

import tf_ctr
from tests.support.damage import check_as_exported
from tf_ctr.export import export, vocabularies
from tf_ctr.features import ids
from tf_ctr.layers import Embedding
from tf_ctr.serving.loaders.ways import in_session, in_this_process
from tf_ctr.serving.version import read_meta_graph

TEXTS = [
    "a\nb",
    "c\r",
    "\r\n",
    "ä",
    "\N{PILE OF POO}",
    "\0",
    "nul\0",
    "-1",
    " ",
    "x" * 5000,
]
NUMBERS = [2**53 + 1, -(2**63), 2**63 - 1, 0, -2]


def row_model(schema):
    """Gives the row of each field's id, so that a wrong lookup shows."""
    inputs = schema.inputs()
    size = schema.fields[0].table_size
    rows = np.arange(size, dtype="float32")[:, np.newaxis] / 1000
    table = Embedding(size, 1, keras.initializers.Constant(rows), name="id_embedding")
    return keras.Model(inputs, table(inputs["id"]))


@pytest.fixture(scope="module", params=["text", "numbers", "text in parts"])
def exported(request, tmp_path_factory):
    """Ids, the padding, and the version of a model that gives each id's row."""
    values = NUMBERS if request.param == "numbers" else TEXTS
    field = tf_ctr.Categorical("id", vocabulary=values, num_oov=2)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "text in parts":
            patch.setattr(ids, "CHUNK", 4)
            patch.setattr(vocabularies, "PART_BYTES", 5)
        schema = tf_ctr.Schema([field])
        version = export(
            row_model(schema),
            schema,
            tmp_path_factory.mktemp("rows") / "m",
            fresh_process=False,
            verbose=False,
        )
    return values, schema.fields[0].padding, version


@pytest.mark.parametrize("way", [in_this_process, in_session])
def test_every_id_is_found_wherever_the_version_lies(exported, way, tmp_path):
    values, padding, version = exported
    moved = shutil.copytree(version, tmp_path / "7")
    raw = [padding, *values]
    given = np.array(raw, np.int64 if isinstance(padding, int) else object)
    if given.dtype == object:
        given = np.array([each.encode() for each in raw], object)
    found = way(moved, {"serving_default": {"id": given}})
    scores = found["serving_default"]["click"]
    expected = [0, *range(3, 3 + len(values))]  # Rows 1 and 2 are for unseen ids.
    np.testing.assert_allclose(scores * 1000, expected, rtol=1e-5)


def test_an_unseen_id_gets_one_of_the_rows_for_unseen_ids(exported):
    _, padding, version = exported
    unseen = np.array([77] if isinstance(padding, int) else [b"unseen"], dtype=None)
    found = in_session(version, {"serving_default": {"id": unseen}})
    assert 1000 * found["serving_default"]["click"][0] == pytest.approx(1, abs=1.01)


def test_no_id_is_in_the_graph(tmp_path):
    schema = tf_ctr.Schema([tf_ctr.Categorical("id", ["a-very-special-id", "b"])])
    version = export(
        row_model(schema), schema, tmp_path / "m", fresh_process=False, verbose=False
    )
    assert b"a-very-special-id" not in (version / "saved_model.pb").read_bytes()
    files = {path.name for path in (version / "assets").iterdir()}
    listed = read_meta_graph(version).asset_file_def
    assert files == {each.filename for each in listed} == {"id.0.ids", "id.1.ids"}


def test_a_part_ends_where_its_text_would_grow_too_large(tmp_path, monkeypatch):
    """Ids of 8.5 kB would otherwise meet the 2 GiB of a protocol buffer."""
    monkeypatch.setattr(vocabularies, "PART_BYTES", 5)
    field = tf_ctr.Categorical("id", ["aaa", "bb", "\u00e4\u00e4", "c", "x" * 9, "d"])
    vocabularies.table_from_file(field, tmp_path)
    files = [tmp_path / f"id.{number}.ids" for number in range(5)]
    assert sorted(tmp_path.iterdir()) == files
    read = [tf.train.Example.FromString(file.read_bytes()) for file in files]
    texts = [[*each.features.feature["ids"].bytes_list.value] for each in read]
    large = b"x" * 9  # By itself, as it cannot be cut.
    umlauts = "\u00e4\u00e4".encode()
    assert texts == [[b""], [b"aaa", b"bb"], [umlauts, b"c"], [large], [b"d"]]


def test_a_damaged_or_missing_vocabulary_is_no_version(exported, tmp_path):
    version = shutil.copytree(exported[2], tmp_path / "1")
    (part, *_) = sorted(pathlib.Path(version, "assets").iterdir())
    part.write_bytes(b"\xff" + part.read_bytes())
    with pytest.raises(ValueError, match="SavedModel that can be loaded"):
        in_session(version, {})
    part.unlink()
    found = check_as_exported(version)
    assert any(f"assets/{part.name} is missing" in each.message for each in found)


def test_tensorflow_has_the_base_class_that_initializers_need():
    assert issubclass(tf.lookup.KeyValueTensorInitializer, TableInitializerBase)


def test_unseen_ids_skip_those_of_the_vocabulary():
    known = [f"unseen_{i}" for i in range(100) if i != 70]
    first = next(ids.unseen_ids(tf_ctr.Categorical("id", known)))
    assert first == "unseen_70"
    numbers = tf_ctr.Categorical("id", list(range(1, 65)), padding=0)
    assert next(ids.unseen_ids(numbers)) == 65
