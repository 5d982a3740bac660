"""Calls of many items: the words in which the faults of an item are told."""

import pytest

from personas.contract.base import QUOTED_MAX
from personas.errors import Fault
from personas.operations.bulk import cut_to_length, invalid_item, plain_name


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("/personas/0/name", "name"),
        ("/personas/0/examples/3", "examples"),
        ("/personas/0/of~1and~0", "of/and~"),
        ("/personas/0/~01", "~1"),
        ("/personas/0", ""),
        (f"/personas/0/{'x' * (QUOTED_MAX + 1)}", "x" * QUOTED_MAX),
    ],
)
def test_a_field_goes_by_its_name_alone(field: str, name: str) -> None:
    assert plain_name(field, "/personas/0") == name


@pytest.mark.parametrize(
    ("faults", "detail"),
    [
        ([Fault("/name", "is required")], "name: is required"),
        ([Fault("/name", "is required"), Fault("/icon", "is required")], "name: is required (and 1 more)"),
        ([Fault("", "must be an object")], "must be an object"),
        ([Fault(f"/{'x' * (QUOTED_MAX + 1)}", "is unknown")], f"{'x' * QUOTED_MAX}: is unknown"),
    ],
)
def test_the_first_fault_of_an_item_is_told_and_the_others_are_counted(faults: list[Fault], detail: str) -> None:
    error = invalid_item("/personas/7", faults, "a_code")

    assert (error.detail, error.code) == (detail, "a_code")
    assert error.errors == tuple(Fault(f"/personas/7{each.field}", each.message) for each in faults)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("Ada", "Ada"),
        (None, "null"),
        ({"a": "\N{EURO SIGN}"}, '{"a": "\N{EURO SIGN}"}'),
        ("x" * (QUOTED_MAX + 1), "x" * QUOTED_MAX),
    ],
)
def test_a_value_that_was_sent_is_told_as_it_stood_in_the_request(sent: object, told: str) -> None:
    assert cut_to_length(sent) == told
