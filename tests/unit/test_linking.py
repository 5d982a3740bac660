"""Links by id and by value, for each caller; a field's id stands for its parameter field."""

from collections.abc import Mapping
from typing import Final

import pytest

from personas.domain.catalogue import Unresolved
from personas.domain.selection import ForeignDepartment, Links
from support.world import (
    ANGRY,
    CALM,
    CARE,
    FORMAL,
    FORMAT,
    LEGAL,
    LETTER,
    MOOD,
    MOOD_ANGRY,
    MOOD_CALM,
    NOBODY,
    SALES,
    TONE,
    caller_of,
    catalogue_of,
    field_row,
    parameter,
    parameter_field_id,
)

type Rows = Mapping[str, Mapping[str, Mapping[str, object]]]

SHARED: Final[Rows] = {
    "parameters": {
        MOOD: dict(parameter("Mood", CALM, ANGRY)),
        TONE: dict(parameter("Tone", CALM, FORMAL, department_ids=[SALES])),
        FORMAT: dict(parameter("Format", CALM, LETTER, persona_parameter=False)),
    }
}
"""Three parameters with a field in common; one is for a department, one for documents."""
TONE_TOO: Final = parameter_field_id(TONE, CALM)
FORMAT_TOO: Final = parameter_field_id(FORMAT, CALM)


def links(role: str, *departments: str, rows: Rows = SHARED, held: tuple[str, ...] = ()) -> Links:
    return Links(catalogue_of(rows), caller_of(role, *departments), held)


class TestFieldIds:
    def test_the_only_parameter_field(self) -> None:
        assert links("superadmin").known("parameter_fields", ANGRY) == MOOD_ANGRY

    @pytest.mark.parametrize("held", [MOOD_CALM, TONE_TOO, FORMAT_TOO])
    def test_of_several_the_one_that_is_held(self, held: str) -> None:
        assert links("superadmin", held=(held,)).known("parameter_fields", CALM) == held

    def test_of_several_the_one_that_is_offered(self) -> None:
        assert links("instructional", CARE).known("parameter_fields", CALM) == MOOD_CALM

    def test_to_a_superadmin_the_one_that_is_offered(self) -> None:
        rows: Rows = {"parameters": {FORMAT: dict(parameter("Format", CALM, persona_parameter=False))}}

        assert links("superadmin", rows=rows).known("parameter_fields", CALM) == MOOD_CALM

    def test_what_is_held_goes_before_what_is_offered(self) -> None:
        assert links("instructional", CARE, held=(TONE_TOO,)).known("parameter_fields", CALM) == TONE_TOO

    def test_several_that_are_offered_are_named(self) -> None:
        with pytest.raises(Unresolved) as refused:
            links("instructional", SALES).known("parameter_fields", CALM)

        assert str(refused.value) == (
            f"is a field of several parameters: give the id of one of Mood: Calm ({MOOD_CALM}), Tone: Calm ({TONE_TOO})"
        )

    def test_a_field_of_no_parameter_stands_for_nothing(self) -> None:
        with pytest.raises(Unresolved) as refused:
            links("superadmin", rows={"fields": {NOBODY: field_row("Lost")}}).known("parameter_fields", NOBODY)

        assert str(refused.value) == "there is no entry with this id among the parameter fields of this group"

    def test_one_that_others_are_offered_stands_for_nothing(self) -> None:
        rows: Rows = {"fields": {ANGRY: field_row("Angry", department_ids=[SALES])}}

        with pytest.raises(Unresolved):
            links("admin", CARE, rows=rows).known("parameter_fields", ANGRY)
        assert links("admin", SALES, rows=rows).known("parameter_fields", ANGRY) == MOOD_ANGRY

    def test_only_one_that_stands_for_one_parameter_field_is_settled_whatever_is_held(self) -> None:
        assert links("instructional", CARE).resolves("parameter_fields", ANGRY)
        assert not links("instructional", CARE).resolves("parameter_fields", CALM)

    def test_of_two_parameters_is_not_settled(self) -> None:
        rows: Rows = {"parameters": {TONE: dict(parameter("Tone", CALM, department_ids=[SALES]))}}

        assert not links("instructional", CARE, rows=rows).resolves("parameter_fields", CALM)


class TestDepartments:
    @pytest.mark.parametrize(
        ("role", "own", "held"), [("superadmin", (), ()), ("admin", (CARE,), ()), ("admin", (LEGAL,), (CARE,))]
    )
    def test_are_the_callers_and_those_that_are_held(
        self, role: str, own: tuple[str, ...], held: tuple[str, ...]
    ) -> None:
        assert links(role, *own, held=held).known("departments", CARE) == CARE
        assert links(role, *own, held=held).named("departments", "Care") == CARE

    def test_of_others_are_foreign(self) -> None:
        with pytest.raises(ForeignDepartment) as by_id:
            links("admin", LEGAL).known("departments", CARE)
        with pytest.raises(ForeignDepartment) as by_name:
            links("admin", LEGAL).named("departments", "Care")

        assert [str(by_id.value), str(by_name.value)] == ["is none of your departments"] * 2


class TestWithdrawn:
    ROWS: Final[Rows] = {"fields": {ANGRY: field_row("Angry", active=False)}}

    def test_a_superadmin_may_link_to_it(self) -> None:
        assert links("superadmin", rows=self.ROWS).known("parameter_fields", MOOD_ANGRY) == MOOD_ANGRY

    def test_to_others_it_does_not_exist(self) -> None:
        with pytest.raises(Unresolved):
            links("admin", CARE, rows=self.ROWS).known("parameter_fields", MOOD_ANGRY)

    def test_what_is_held_stays(self) -> None:
        assert links("admin", rows=self.ROWS, held=(MOOD_ANGRY,)).known("parameter_fields", MOOD_ANGRY) == MOOD_ANGRY

    def test_what_is_held_is_found_by_name(self) -> None:
        assert links("admin", rows=self.ROWS, held=(MOOD_ANGRY,)).named("parameter_fields", "Angry") == MOOD_ANGRY


class TestNames:
    def test_of_nothing_are_told(self) -> None:
        with pytest.raises(Unresolved, match="there is no color 'Mauve' in this group"):
            links("admin").named("colors", "Mauve")

    def test_only_what_may_be_linked_to_makes_a_name_ambiguous(self) -> None:
        assert links("instructional", CARE).named("parameter_fields", "calm") == MOOD_CALM

    def test_a_foreign_department_is_as_one_that_does_not_exist(self) -> None:
        told = []
        for name in ("Legal", "Nowhere"):
            with pytest.raises(ForeignDepartment) as refused:
                links("admin", CARE).named("departments", name)
            told.append(str(refused.value))

        assert told[0] == told[1]
        assert links("superadmin").named("departments", "Legal") == LEGAL
