"""Files and folders are there whole, or as they were before."""

import os

import pytest

from tf_ctr.files import (
    DamagedError,
    checksum,
    read_manifest,
    remove_folder,
    replaced_folder,
    replacing,
    seal,
    settle_folder,
    whole_folder,
    write_sealed,
)


def names(folder):
    """The names in a folder, without the manifest that every whole folder has."""
    found = {each.name for each in folder.iterdir()}
    return sorted(found - {"manifest.json"})


def write(folder, **contents):
    for name, text in contents.items():
        (folder / name).write_text(text)


# Files


def test_a_file_is_replaced_only_on_success(tmp_path):
    path = tmp_path / "folder" / "a"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(path.parent) == ["a"]


def test_a_block_that_writes_nothing_leaves_the_old_file(tmp_path):
    write(tmp_path, a="old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_text() == "old"


def test_a_folder_cannot_be_replaced_by_a_file(tmp_path):
    with pytest.raises(ValueError, match="the folder(.|\n)*add a file name"):
        with replacing(tmp_path):
            pass


# Folders


def test_a_folder_appears_with_everything_in_it(tmp_path):
    path = tmp_path / "store" / "000001"
    with whole_folder(str(path)) as partial:
        write(partial, a="1")
        (partial / "inner").mkdir()
        write(partial / "inner", b="2")
        assert not path.exists()
    assert names(tmp_path / "store") == ["000001"]
    assert (path / "a").read_text() == "1" and (path / "inner/b").read_text() == "2"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_nothing(tmp_path, error):
    with pytest.raises(error), whole_folder(tmp_path / "new") as partial:
        write(partial, a="half")
        raise error
    assert names(tmp_path) == []


def test_a_block_that_raises_leaves_the_old_folder(tmp_path):
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", a="old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "run") as partial:
        write(partial, a="new", b="new")
        raise RuntimeError
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["a"]
    assert (tmp_path / "run/a").read_text() == "old"


def test_an_existing_folder_is_replaced_not_merged(tmp_path):
    for name in ("first", "second"):
        with whole_folder(tmp_path / "run") as partial:
            write(partial, **{name: "text"})
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["second"]


def test_the_leftovers_of_a_killed_folder_are_removed(tmp_path):
    with whole_folder(tmp_path / "run") as partial:
        leftover = partial
    leftover.mkdir()
    write(leftover, half="text")
    with whole_folder(tmp_path / "run") as partial:
        assert names(partial) == []
        write(partial, a="1")
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["a"]


def test_a_kill_between_the_renames_leaves_the_old_folder_set_aside(
    tmp_path, monkeypatch
):
    path = tmp_path / "run"
    with whole_folder(path) as partial:
        write(partial, a="old")
    rename = os.rename

    def killed(source, target):
        if target == path:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as partial:
        write(partial, a="new")
    assert (replaced_folder(path) / "a").read_text() == "old"
    monkeypatch.undo()
    with whole_folder(path) as partial:
        write(partial, a="newest")
    # The next call starts where there is no folder: it must not lose the old one
    # before the new one is there.
    assert (path / "a").read_text() == "newest"
    assert names(tmp_path) == ["run"]


def test_a_folder_that_is_removed_or_settled_is_never_there_in_part(tmp_path):
    path = tmp_path / "run"
    with whole_folder(path) as partial:
        write(partial, a="1")
    remove_folder(path)
    remove_folder(path)  # It may be gone.
    assert names(tmp_path) == []
    for name in (".run.replaced", ".run.partial"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, a=name)
    settle_folder(path)
    assert (path / "a").read_text() == ".run.replaced" and names(tmp_path) == ["run"]
    (tmp_path / ".run.replaced").mkdir()
    settle_folder(path)
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("write_whole", [replacing, whole_folder])
def test_content_reaches_the_disk_before_the_file_is_named(
    tmp_path, monkeypatch, write_whole
):
    """Or a power cut leaves an empty file under the final name."""
    events = []
    open_ = os.open
    moves = {name: getattr(os, name) for name in ("rename", "replace")}

    def opened(path, *arguments):
        events.append(("flush", os.fspath(path)))
        return open_(path, *arguments)

    def renamed(name):
        def call(source, target):
            events.append(("rename", os.fspath(target)))
            moves[name](source, target)

        return call

    path = tmp_path / "target"
    with write_whole(path) as temporary:
        written = temporary / "a" if write_whole is whole_folder else temporary
        written.write_text("content")
        monkeypatch.setattr(os, "open", opened)
        for name in moves:
            monkeypatch.setattr(os, name, renamed(name))
    monkeypatch.undo()
    final = events.index(("rename", str(path)))
    assert events.index(("flush", str(written))) < final
    assert events.index(("flush", str(tmp_path))) > final


# Checksums


@pytest.fixture
def sealed(tmp_path):
    """A folder with a file, one in a subfolder, and its manifest."""
    with whole_folder(tmp_path / "run") as partial:
        write(partial, a="1", b="2")
        (partial / "inner").mkdir()
        write(partial / "inner", c="3")
    return tmp_path / "run"


def manifest(folder):
    return read_manifest(folder, "period 7", "recompute period 7")


def test_every_file_is_in_the_manifest_with_its_size_and_sum(sealed):
    found = manifest(sealed)
    assert set(found.files) == {"a", "b", "inner/c"}
    assert found.files["inner/c"] == (1, checksum(sealed / "inner/c"))
    assert found.damage() is None


def test_a_flipped_bit_is_found_and_the_error_says_where_and_what_to_do(sealed):
    files = [path for path in sealed.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        for bit in range(
            0, 8 * len(content), 7
        ):  # Coprime to 8: every place of a byte.
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            with pytest.raises(DamagedError) as error:
                manifest(sealed).check()
            assert path.name in str(error.value)
        path.write_bytes(content)
    assert "period 7 in" in str(error.value)
    assert str(error.value).endswith("Fix: recompute period 7.")


def test_a_missing_file_or_manifest_and_another_size_are_found(sealed):
    (sealed / "inner/c").unlink()
    with pytest.raises(DamagedError, match="inner/c, which cannot be read"):
        manifest(sealed).check()
    write(sealed, a="long")
    with pytest.raises(DamagedError, match="a with 4 bytes instead of 1"):
        manifest(sealed).check(["a"])
    manifest(sealed).check(["b"])
    with pytest.raises(DamagedError, match="new, which is not in the manifest"):
        manifest(sealed).check(["new"])
    (sealed / "manifest.json").unlink()
    with pytest.raises(DamagedError, match="no manifest.json"):
        manifest(sealed)


def test_a_manifest_of_a_later_version_says_so(sealed):
    write_sealed(sealed / "manifest.json", {"version": 2, "other": {}})
    with pytest.raises(DamagedError, match="version 2, of a later tf_ctr"):
        manifest(sealed)


def test_files_are_checked_while_they_are_loaded(sealed):
    with manifest(sealed).checking():
        pass
    with pytest.raises(KeyError), manifest(sealed).checking():
        raise KeyError  # The files are whole, so the block's own error counts.
    write(sealed, a="x")
    with pytest.raises(DamagedError), manifest(sealed).checking():
        raise KeyError  # What a loader says of a damaged file.
    with pytest.raises(DamagedError), manifest(sealed).checking():
        pass


def test_a_manifest_may_lie_elsewhere(tmp_path):
    write(tmp_path, a="1")
    (tmp_path / "extra").mkdir()
    seal(tmp_path, "extra/sums.json")
    found = read_manifest(tmp_path, "a version", "export again", "extra/sums.json")
    assert list(found.files) == ["a"]


def test_a_checksum_is_the_sha_256(tmp_path):
    write(tmp_path, a="abc")
    assert checksum(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
