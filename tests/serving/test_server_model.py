"""The model of the server answers as the real one did.

The numbers are those of "Wrong today" in `../shared/serving-real.md`, where TensorFlow
Serving's own code was run. Only those of labels, versions and polls are here.
"""

import pytest

from tests.support import server_rules
from tests.support.server_model import END, RefusedError, ServerModel

SPECIFIC, ALL = "specific { versions: 1 }", "all {}"
UNAVAILABLE = "which is not currently available for inference"


@pytest.fixture
def directory(tmp_path):
    add(tmp_path / "dcn", 1)
    return tmp_path / "dcn"


def add(directory, version, *parts):
    """Adds a version, by one rename in the real world."""
    for part in parts or ("saved_model.pb", "variables"):
        path = directory / str(version) / part
        path.mkdir(parents=True) if part == "variables" else touch(path)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write(directory, policy, **labels):
    """Writes a file by hand, so that nothing of ours is compared with itself."""
    lines = [f'version_labels {{ key: "{k}" value: {v} }}' for k, v in labels.items()]
    (directory / "models.config").write_text(
        f'model_config_list {{ config {{ name: "dcn" base_path: "/models/dcn"\n'
        f'model_platform: "tensorflow" model_version_policy {{ {policy} }}\n'
        f"{chr(10).join(lines)} }} }}"
    )


def started(directory, policy, **labels):
    write(directory, policy, **labels)
    server = ServerModel(directory)
    server.start()
    return server


def polls(server, count=5):
    for _ in range(count):
        server.poll()


def test_1_a_version_that_is_refused_ends_the_first_start(directory):
    reason = "Last entry in allowed_batch_sizes must match max_batch_size"
    write(directory, SPECIFIC, stable=1)
    server = ServerModel(directory, load=lambda _: reason)
    with pytest.raises(RefusedError, match=reason):
        server.start()


def test_2_with_specific_a_label_and_its_version_in_one_file_are_never_served(
    directory,
):
    server = started(directory, SPECIFIC, stable=1, canary=1)
    add(directory, 2)
    write(directory, "specific { versions: 1 versions: 2 }", stable=1, canary=2)
    polls(server)
    assert server.ask("canary") == 1 and server.available() == {1}
    assert server.error == (
        "Request to assign label to version 2 of model dcn, which is not currently "
        "available for inference"
    )


@pytest.mark.parametrize("policy", ["latest { num_versions: 3 }", ALL])
def test_2_with_latest_or_all_the_label_follows_the_version(directory, policy):
    server = started(directory, policy, stable=1, canary=1)
    add(directory, 2)
    write(directory, policy, stable=1, canary=2)
    polls(server, 2)
    assert (server.ask("stable"), server.ask("canary")) == (1, 2)
    for stable in (2, 1):
        write(directory, policy, stable=stable, canary=2)
        server.poll()
        assert server.ask("stable") == stable


def test_2_with_specific_versions_first_then_labels_work(directory):
    server = started(directory, SPECIFIC, stable=1, canary=1)
    add(directory, 2)
    for canary in (1, 2):
        versions = "specific { versions: 1 versions: 2 }"
        write(directory, versions, stable=1, canary=canary)
        server.poll()
        assert server.ask("canary") == canary


def test_2_a_new_label_may_be_given_to_a_version_that_is_not_loaded(directory):
    server = started(directory, SPECIFIC, stable=1)
    write(directory, SPECIFIC, stable=1, canary=2)
    server.poll()
    assert server.error is None
    with pytest.raises(RefusedError, match=r"NOT_FOUND.*Specific\(dcn, 2\)"):
        server.ask("canary")


def test_3_one_bad_label_fails_the_whole_file(directory):
    add(directory, 2)
    both = "specific { versions: 1 versions: 2 }"
    server = started(directory, both, stable=2, canary=2)
    write(directory, both, stable=1, canary=3)
    polls(server)
    assert server.ask("stable") == 2 and UNAVAILABLE in server.error
    write(directory, both, stable=1, canary=2)
    server.poll()
    assert server.ask("stable") == 1


def test_4_a_label_of_a_version_that_ended_is_not_found(directory):
    add(directory, 2)
    both = "specific { versions: 1 versions: 2 }"
    server = started(directory, both, stable=1, canary=2)
    write(directory, SPECIFIC, stable=1, canary=2)
    server.poll()
    assert server.states[2][0] == END and server.ask("stable") == 1
    with pytest.raises(RefusedError, match=r"NOT_FOUND.*Specific\(dcn, 2\)"):
        server.ask("canary")


def test_5_without_the_flag_the_first_start_fails(directory):
    write(directory, SPECIFIC, stable=1)
    with pytest.raises(RefusedError, match=UNAVAILABLE):
        ServerModel(directory, allow_unavailable=False).start()


def test_10_latest_ends_the_good_version_for_a_half_written_one(directory):
    server = started(directory, "latest {}")
    add(directory, 2, "saved_model.pb")
    server.poll()
    assert server.available() == {2}
    (directory / "2" / "variables").mkdir()  # Completing it does not help.
    polls(server)
    with pytest.raises(RefusedError, match="FAILED_PRECONDITION.*find variable"):
        server.ask()


def test_10_specific_never_touches_a_half_written_version(directory):
    server = started(directory, SPECIFIC)
    add(directory, 2, "saved_model.pb")
    polls(server)
    assert server.available() == {1} and server.ask() == 1


def test_10_leading_zeros_of_a_version_do_not_count(directory):
    add(directory, "007")
    assert started(directory, ALL).ask(version=7) == 7


def test_unknown_labels_and_versions_have_the_codes_of_the_server(directory):
    server = started(directory, ALL, stable=1)
    with pytest.raises(RefusedError, match="INVALID_ARGUMENT: Unrecognized.*label: x"):
        server.ask("x")
    with pytest.raises(RefusedError, match=r"NOT_FOUND.*Specific\(dcn, 99\)"):
        server.ask(version=99)


def test_an_unloaded_version_loads_again_after_the_manager_drops_it(directory):
    add(directory, 2)
    server = started(directory, ALL, stable=1)
    (directory / "2").rename(directory / "out")
    server.poll_files()
    server.manage()  # No longer asked for, and unloaded in the same turn.
    (directory / "out").rename(directory / "2")
    server.poll_files()
    server.settle()
    assert server.available() == {1, 2}


def test_the_table_of_rules_is_that_of_the_model():
    text = server_rules.PAGE.read_text()
    assert server_rules.page(text) == text, "run python -m tests.support.server_rules"
