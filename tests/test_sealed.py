"""A sealed JSON file is as it was written, or an error; files of labels are sealed."""

import hashlib
import json
import warnings

import pandas as pd
import pytest

from tf_ctr import Categorical, Numeric, Schema
from tf_ctr.files import DamagedError, read_sealed
from tf_ctr.files.sealed import sealed, unsealed
from tf_ctr.serving.labels.history import read_history, record, write_history
from tf_ctr.serving.labels.models_config import read_labels, write_labels
from tf_ctr.serving.labels.pending import read_pending, write_pending
from tf_ctr.serving.labels.versions import next_version, remove_version

VALUES = {"epoch": 3, "names": ["ä", "b"], "inner": {"sha256": "0"}}


def flipped(content, every=1):
    """Yields the content with one bit flipped, each bit in turn, or every n-th."""
    for bit in range(0, 8 * len(content), every):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


@pytest.mark.parametrize("indent", [1, None])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_values_come_back_with_the_sum_of_the_plain_json(indent, ensure_ascii):
    plain = json.dumps(VALUES, indent=indent, ensure_ascii=ensure_ascii)
    text = sealed(plain)
    assert unsealed(text.encode()) == (VALUES, True)
    assert json.loads(text)["sha256"] == hashlib.sha256(plain.encode()).hexdigest()


@pytest.mark.parametrize("indent", [1, None])
def test_any_flipped_bit_is_found(indent):
    for changed in flipped(sealed(json.dumps({"epoch": 3}, indent=indent)).encode()):
        try:
            assert unsealed(changed)[1] is False
        except ValueError as error:
            assert str(error).startswith(("whose content", "which is no JSON"))


def test_the_error_says_what_is_wrong_and_what_to_do(tmp_path):
    file = tmp_path / "state.json"
    whole = sealed(json.dumps(VALUES))
    for text, damage in (
        (whole.replace("3", "4", 1), "whose content has changed"),
        (whole[:-1], "which is no JSON"),
        ("[" * 10**5, "which is no JSON"),
        ('{"epoch": 3}', "without a sum of its own"),
    ):
        file.write_text(text)
        with pytest.raises(DamagedError) as error:
            read_sealed(file, "the state", "start over")
        assert error.value.damage.startswith("state.json")
        assert damage in error.value.damage and error.value.fix == "start over"


def test_a_file_of_an_older_release_is_read_if_it_is_exactly_one(tmp_path):
    file = tmp_path / "state.json"
    file.write_text('{"epoch": 3}')

    def is_old(values):
        return set(values) == {"epoch"}

    assert read_sealed(file, "the state", "start over", is_old) == {"epoch": 3}
    # The key of the sum is damaged, which must not make a new file an old one.
    file.write_text(sealed('{"epoch": 3}').replace('"sha256"', '"sha257"'))
    with pytest.raises(DamagedError, match="or with a damaged one"):
        read_sealed(file, "the state", "start over", is_old)


def test_any_flipped_bit_of_a_schema_is_found(tmp_path):
    file = tmp_path / "schema.json"
    schema = Schema([Categorical("user", ["ä"]), Numeric("age")])
    schema.fit(pd.DataFrame({"user": ["ä"], "age": [2.0]})).save(file)
    content = file.read_bytes()
    for changed in flipped(content, every=29):
        file.write_bytes(changed)
        with pytest.raises(ValueError, match=r"(?s)schema.json.*Fix: .*again"):
            Schema.load(file)
    values, _ = unsealed(content)
    file.write_text(json.dumps(values))  # As version 0.2 wrote it.
    assert Schema.load(file).field("user").vocabulary == ("ä",)


# The files of labels


@pytest.mark.parametrize("name", ["promotions.json", "pending.json", ".last_version"])
def test_any_flipped_bit_of_a_file_of_labels_is_found(tmp_path, name):
    write_history(tmp_path, [record("stable", 1, 2, {"auc": 0.5})])
    write_pending(tmp_path, {"canary": 2})
    (tmp_path / "7").mkdir()
    remove_version(tmp_path, 7)
    read = {"promotions.json": read_history, "pending.json": read_pending}
    for changed in flipped((tmp_path / name).read_bytes(), every=29):
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(DamagedError, match=name):
            read.get(name, next_version)(tmp_path)


def test_files_of_labels_of_0_2_are_read(tmp_path):
    (tmp_path / "pending.json").write_text('{\n "canary": 2\n}\n')
    moved = record("stable", 1, 2)
    (tmp_path / "promotions.json").write_text(json.dumps([moved], indent=1) + "\n")
    (tmp_path / ".last_version").write_text("5\n")
    assert read_pending(tmp_path) == {"canary": 2}
    assert read_history(tmp_path) == [moved]
    assert next_version(tmp_path) == 6


def test_a_changed_models_config_is_said_or_refused_at_every_bit(tmp_path):
    write_labels(tmp_path, {"stable": 2, "canary": 3})
    assert read_labels(tmp_path) == {"stable": 2, "canary": 3}
    file = tmp_path / "models.config"
    for changed in flipped(file.read_bytes(), every=37):
        file.write_bytes(changed)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                read_labels(tmp_path)
            except ValueError as error:
                assert "models.config" in str(error)
            else:
                assert "was edited since tf_ctr wrote it" in str(said[0].message)


def test_an_edited_models_config_counts_and_is_signed_again(tmp_path):
    write_labels(tmp_path, {"stable": 2})
    file = tmp_path / "models.config"
    text = file.read_text()
    file.write_text(text.replace("value: 2", "value: 1"))
    with pytest.warns(UserWarning, match=r"its labels are .*'stable': 1"):
        assert read_labels(tmp_path) == {"stable": 1}
    with pytest.warns(UserWarning):
        write_labels(tmp_path, {"stable": 2})
    assert file.read_text() == text
    assert read_labels(tmp_path) == {"stable": 2}
    # Of 0.2, without a head.
    file.write_text(text[text.index("model_config_list") :])
    assert read_labels(tmp_path) == {"stable": 2}
