"""Files of Keras from strangers: refused before anything is built."""

import json
import zipfile

import keras
import pytest

from tests.support.exported import user_model, user_schema
from tf_ctr.export import export
from tf_ctr.files.archives import check_archive
from tf_ctr.files.models import load_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    user_model().save(path)
    return path


def rewritten(saved, path, edit):
    """A copy whose config.json is changed by `edit(config)`."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                edit(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return path


def test_our_own_model_loads(saved):
    assert isinstance(load_model(saved), keras.Model)


@pytest.mark.parametrize(
    "found",
    [
        {"class_name": "Lambda", "module": "keras.layers"},
        {"class_name": "TorchModuleWrapper", "module": "keras.layers"},
        {"class_name": "system", "module": "os", "registered_name": "system"},
        {"class_name": "X", "module": None, "registered_name": "stranger>X"},
        {"class_name": "__lambda__", "config": {"value": "4wA="}},
    ],
)
def test_a_class_that_may_not_be_built_is_refused(saved, tmp_path, found):
    def edit(config):
        config["config"]["layers"].append({"config": {}, **found})

    path = rewritten(saved, tmp_path / "m.keras", edit)
    with pytest.raises(ValueError, match=r"in \S*m\.keras") as refused:
        load_model(path)
    assert found["class_name"] in str(refused.value)
    assert "Fix:" in str(refused.value)


def test_a_damaged_file_is_named(saved, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(saved.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"Expected a Keras model in \S*m\.keras"):
        load_model(path)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "c:\\x"])
def test_an_archive_with_a_path_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match="the path"):
        check_archive(tmp_path / "a.keras")


def test_a_bomb_and_a_link_are_refused(tmp_path):
    bomb, link = tmp_path / "bomb.keras", tmp_path / "link.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2**26 + 1))
    with pytest.raises(ValueError, match="unpack to 67,108,865"):
        check_archive(bomb)
    with zipfile.ZipFile(link, "w") as archive:
        entry = zipfile.ZipInfo("config.json")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ValueError, match="the link"):
        check_archive(link)


def test_a_model_with_nan_in_a_weight_is_not_exported(tmp_path):
    model = user_model()
    model.weights[0].assign(model.weights[0] * float("nan"))
    with pytest.raises(ValueError, match=r"\['user_embedding/embeddings'\]"):
        export(model, user_schema(), tmp_path / "m")
    assert not (tmp_path / "m").exists()
