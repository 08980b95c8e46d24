"""The messages and the shared checks; each room tests that it uses them."""

import numpy as np
import pytest

from tf_ctr.errors import (
    check_choice,
    check_count,
    check_name,
    check_positive,
    explain,
    unknown_name,
)


def message_of(check, *arguments, **keywords):
    """The three lines of the error that a check raises."""
    with pytest.raises(ValueError) as error:
        check(*arguments, **keywords)
    return str(error.value).splitlines()


def test_a_message_has_three_parts():
    assert explain("a rank", [0], "pass rank=4").splitlines() == [
        "Expected a rank.",
        "Received: [0].",
        "Fix: pass rank=4.",
    ]


def test_valid_names_are_sorted():
    assert unknown_name("tab", "x", ["b", "a"]).endswith("Fix: use one of: a, b.")
    assert unknown_name("tab", "x", []).endswith("Fix: use one of: (there is none).")


@pytest.mark.parametrize("valid", [["item"], {"item": 1}, {"item"}])
def test_check_name_lists_the_valid_names(valid):
    check_name("field", "item", valid)
    assert message_of(check_name, "field", 3, valid) == [
        "Expected the name of a field.",
        "Received: 3.",
        "Fix: use one of: item.",
    ]


def test_check_choice_lists_the_valid_choices():
    for value in ("mean", None):
        check_choice("pooling", value, ("mean", None))
    assert message_of(check_choice, "pooling", "max", ("mean", None)) == [
        "Expected `pooling` to be one of 'mean', None.",
        "Received: 'max'.",
        "Fix: pass pooling='mean'.",
    ]


@pytest.mark.parametrize("value", [0, 5, np.int64(3)])
def test_check_count_takes_whole_numbers_in_the_limits(value):
    check_count("size", value, least=0, most=5)


@pytest.mark.parametrize("value", [-1, 6, 2.0, "2", None, True, np.float32(2), (2,)])
def test_check_count_refuses_everything_else(value):
    assert message_of(check_count, "size", value, least=0, most=5) == [
        "Expected `size` to be a whole number 0 to 5.",
        f"Received: {value!r}.",
        "Fix: pass size=1, for example.",
    ]


def test_check_count_suggests_a_valid_number():
    assert message_of(check_count, "batch_size", 1, least=2)[2] == (
        "Fix: pass batch_size=2, for example."
    )


@pytest.mark.parametrize("value", [1, np.int32(7), (8, 4), [8], ()])
def test_check_positive_takes_numbers_and_one_per_layer(value):
    check_positive(units=value)


@pytest.mark.parametrize(
    ("value", "received"), [(0, "0"), (-3, "-3"), (1.5, "1.5"), ((8, 0, -1), "0")]
)
def test_check_positive_names_the_argument_and_its_first_bad_number(value, received):
    assert message_of(check_positive, rank=4, units=value) == [
        "Expected `units` to be a whole number of at least 1.",
        f"Received: {received}.",
        "Fix: pass units=1, for example.",
    ]
