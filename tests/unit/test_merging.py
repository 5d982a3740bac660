"""The conflicts of a merge: their fields, the words in which they are told, and the values that they show."""

from typing import Final, NamedTuple

import pytest

from personas.contract.conflicts import FieldConflict
from personas.contract.field_values import ChangedBy, FieldValue, NamedEntry
from personas.domain.authorship import Author, Stamp, Stamps, next_stamps, stamped_alike
from personas.domain.persona import Form
from personas.domain.text import Text
from personas.errors import Fault
from personas.operations.merging import FieldsChanged, conflicts_of, cut
from support.world import CARE, GROUP, NOBODY, PLUM, SALES, TEAL, catalogue_of

AT: Final = "2026-11-24T12:00:00+00:00"
ANNA: Final = Author(GROUP, "Anna")
STORED: Final = Form(name=Text("1", "Ada"), description=Text("2", "A nurse."), color_id=TEAL)


class Sent(NamedTuple):
    """The fields of a request, by the names by which they were sent."""

    given: frozenset[str]


def conflict(name: str, version: int, changed_by: ChangedBy | None, stored: FieldValue = None) -> FieldConflict:
    return FieldConflict.model_validate(
        {"field": name, "yours": None, "stored": stored, "version": version, "changed_by": changed_by}
    )


def stamps(**changed: Stamp) -> Stamps:
    """Return the stamps of fields that Anna has changed, over a first version that a tool made."""
    found = stamped_alike(Stamp(1, AT))
    for name, stamp in changed.items():
        found = next_stamps(found, [name], stamp)
    return found


class TestConflicts:
    def test_are_of_what_both_have_changed(self) -> None:
        # Given three fields that somebody changed, and a form that changes two of them and another one
        stored = stamps(name=Stamp(2, AT, ANNA), description=Stamp(3, AT, ANNA), color=Stamp(4, AT, ANNA))
        merged = STORED.changed({"name": Text("3", "Bo"), "color_id": PLUM, "department_ids": (CARE,)})
        # When it was made on the second version
        found = conflicts_of(STORED, merged, stored, 2, catalogue_of())
        # Then the one that was changed later stands in its way
        assert found == [
            FieldConflict(
                field="color",
                yours=NamedEntry(id=PLUM, name="Plum"),
                stored=NamedEntry(id=TEAL, name="Teal"),
                version=4,
                changed_by=ChangedBy(profile_id=GROUP, name="Anna"),
                at=AT,
            )
        ]

    def test_tell_no_time_that_was_not_recorded(self) -> None:
        merged = STORED.changed({"name": Text("3", "Bo")})

        (found,) = conflicts_of(STORED, merged, stamps(name=Stamp(2, "")), 1, catalogue_of())

        assert (found.at, found.changed_by) == (None, None)


class TestWords:
    def test_name_each_field_as_it_was_sent_and_who_changed_it(self) -> None:
        # Given a conflict of a field by Anna, and of another one by somebody whose name is not known, or by a tool
        conflicts = [
            conflict("name", 2, ChangedBy(profile_id=GROUP, name="Anna")),
            conflict("color", 3, ChangedBy(profile_id=NOBODY, name=None)),
            conflict("departments", 4, None),
        ]
        # When the request sent the name as a text, and the others as ids
        error = FieldsChanged(
            conflicts, Sent(frozenset({"name", "color_id", "department_ids"})), "/personas/7", expected=1, current=5
        )
        # Then
        assert error.detail == (
            "After version 1, name was changed in version 2 by Anna; color was changed in version 3; "
            "departments was changed in version 4. Version 5 is stored, and nothing of this was saved."
        )
        assert error.errors == (
            Fault("/personas/7/name", "was changed in version 2 by Anna"),
            Fault("/personas/7/color_id", "was changed in version 3"),
            Fault("/personas/7/department_ids", "was changed in version 4"),
        )

    def test_come_with_the_conflicts_and_with_what_the_caller_adds(self) -> None:
        conflicts = [conflict("name", 2, ChangedBy(profile_id=GROUP, name="Anna"), "Ada")]

        error = FieldsChanged(conflicts, Sent(frozenset()), "", expected=1, current=5, members={"form_state": {}})

        assert error.members == {
            "current_version": 5,
            "expected_version": 1,
            "form_state": {},
            "conflicts": [
                {
                    "field": "name",
                    "yours": None,
                    "stored": "Ada",
                    "version": 2,
                    "changed_by": {"profile_id": GROUP, "name": "Anna"},
                    "at": None,
                }
            ],
        }
        assert error.conflicts == conflicts


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200),
        (NamedEntry(id=CARE, name="Care"), NamedEntry(id=CARE, name="Care")),
        ([], []),
        (["x" * 150, "y" * 150, "z"], ["x" * 150, "y" * 50]),
        (["x" * 199, "y", "z"], ["x" * 199, "y"]),
        (["x" * 199, "yy", "z"], ["x" * 199, "y"]),
        (
            [
                NamedEntry(id=CARE, name="x" * 150),
                NamedEntry(id=SALES, name="y" * 150),
                NamedEntry(id=NOBODY, name="z"),
            ],
            [NamedEntry(id=CARE, name="x" * 150), NamedEntry(id=SALES, name="y" * 50)],
        ),
        ([NamedEntry(id=NOBODY, name=None)], [NamedEntry(id=NOBODY, name=NOBODY)]),
    ],
)
def test_a_result_shows_200_characters_of_each_value(value: FieldValue, shown: FieldValue) -> None:
    conflict_of = FieldConflict(field="name", yours=value, stored=["whole"], version=2)

    assert (cut(conflict_of).yours, cut(conflict_of).stored) == (shown, ["whole"])
    assert cut(conflict_of.model_copy(update={"yours": "whole", "stored": value})) == FieldConflict(
        field="name", yours="whole", stored=shown, version=2
    )
