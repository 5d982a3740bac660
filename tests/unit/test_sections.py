"""The sections of a form: what they offer, in which order, and how much of it."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from personas.contract.get import GetPersonaRequest
from personas.contract.persona_fields import TEXT_FIELDS
from personas.domain.persona import Form
from personas.domain.sections import Layout, build_form
from personas.domain.suggestions import Suggestions
from personas.domain.text import identified
from personas.views.most_used import OFFERED as KINDS
from support.world import (
    ACTIVE,
    ANGRY,
    CALM,
    CARE,
    FORMAT,
    GROUP,
    LEGAL,
    LETTER,
    MOOD,
    MOOD_ANGRY,
    MOOD_CALM,
    NOBODY,
    PLUM,
    SALES,
    STAR,
    TEAL,
    TONE,
    TONE_FORMAL,
    TONE_IS_CALM,
    caller_of,
    catalogue_of,
    color,
    entry_id,
    field_row,
    parameter,
    parameter_field_id,
    secret_of,
)

type Rows = Mapping[str, Mapping[str, Mapping[str, object]]]

NOT_REFRESHED = Suggestions({}, None)


def laid_out(
    form: Form | None = None,
    *,
    rows: Rows | None = None,
    role: str = "superadmin",
    departments: tuple[str, ...] = (),
    suggestions: Suggestions = NOT_REFRESHED,
    **request: object,
) -> Layout:
    caller = caller_of(role, *departments)
    return build_form(
        form or Form(), catalogue_of(rows), caller, GetPersonaRequest.model_validate(request), suggestions
    )


def section(layout: Layout, name: str) -> dict[str, Any]:
    return layout.sections[name].model_dump()


def ids(layout: Layout, name: str, key: str = "id") -> list[str]:
    return [each[key] for each in section(layout, name)["resources"]]


class TestOrder:
    def test_is_by_folded_name_then_id(self) -> None:
        first, second = sorted([entry_id("colors", "x"), entry_id("colors", "y")])
        rows: Rows = {
            "colors": {
                second: color("zinc", "#000001"),
                first: color("ZINC", "#000002"),
                NOBODY: color("\N{LATIN CAPITAL LETTER A WITH DIAERESIS}rger", "#000003"),
            }
        }

        assert ids(laid_out(rows=rows), "colors") == [PLUM, TEAL, first, second, NOBODY]

    def test_of_selections_is_their_own(self) -> None:
        layout = laid_out(Form(parameter_field_ids=(TONE_FORMAL, MOOD_CALM)))

        assert [each["id"] for each in section(layout, "parameter_fields")["current"]] == [TONE_FORMAL, MOOD_CALM]


MANY: Final[Rows] = {"colors": {entry_id("colors", f"A{n:03}"): color(f"A{n:03}", "#000000") for n in range(150)}}


class TestHundred:
    def test_are_the_first_by_name(self) -> None:
        assert ids(laid_out(rows=MANY), "colors") == [entry_id("colors", f"A{n:03}") for n in range(100)]

    def test_hold_the_selected_one_in_its_place(self) -> None:
        layout = laid_out(Form(color_id=TEAL), rows=MANY)

        assert ids(layout, "colors") == [*(entry_id("colors", f"A{n:03}") for n in range(99)), TEAL]
        assert section(layout, "colors")["resource"]["id"] == TEAL

    def test_are_what_a_search_finds(self) -> None:
        found = ids(laid_out(rows=MANY, color_search="a1"), "colors")

        assert found == [entry_id("colors", f"A{n:03}") for n in range(100, 150)]

    def test_may_be_more_where_more_are_selected(self) -> None:
        # 100 ids fit into a list, so this takes a catalogue's and a draft's history; nothing selected is hidden.
        rows: Rows = {"voices": {entry_id("voices", str(n)): {"voice": str(n)} for n in range(120)}}
        selected = tuple(rows["voices"])[:105]

        layout = laid_out(Form(voice_ids=selected), rows=rows)

        assert set(ids(layout, "voices")) == set(selected)


class TestSelected:
    def test_a_selection_that_is_gone_from_the_library_is_left_out(self) -> None:
        layout = laid_out(Form(color_id=NOBODY, voice_ids=(NOBODY,), active_flag_id=NOBODY))

        assert section(layout, "colors")["resource"] is None
        assert section(layout, "voices")["current"] == []
        assert section(layout, "flags")["current"] is None

    def test_search_and_show_selected_together_show_the_selected(self) -> None:
        layout = laid_out(Form(color_id=TEAL), color_search="plum", color_show_selected=True)

        assert ids(layout, "colors") == [TEAL]

    def test_show_selected_with_nothing_selected_shows_nothing(self) -> None:
        layout = laid_out(color_show_selected=True)

        assert ids(layout, "colors") == []
        assert section(layout, "colors")["show"] is False

    def test_the_active_flag_is_the_current_one(self) -> None:
        assert section(laid_out(Form(active_flag_id=ACTIVE)), "flags")["current"]["flag_option_id"] == ACTIVE

    @pytest.mark.parametrize(("icon_id", "told"), [(STAR, "star"), (NOBODY, None), (None, None)])
    def test_the_icon_of_a_flag_is_told_by_its_value(self, icon_id: str | None, told: str | None) -> None:
        flag = {"key": "active", "label": "Active", "icon_id": icon_id}

        (shown,) = section(laid_out(rows={"flags": {ACTIVE: flag}}), "flags")["resources"]

        assert shown["icon_id"] == told

    def test_texts_offer_what_is_selected(self) -> None:
        form = Form(
            name=identified(secret_of(GROUP), "names", "Ada"),
            examples=(identified(secret_of(GROUP), "examples", "B."), identified(secret_of(GROUP), "examples", "A.")),
        )

        layout = laid_out(form)

        assert [each["name"] for each in section(layout, "names")["resources"]] == ["Ada"]
        assert {each["example"] for each in section(layout, "examples")["resources"]} == {"A.", "B."}
        assert [each["example"] for each in section(layout, "examples")["current"]] == ["B.", "A."]


class TestSuggestions:
    LAST: Final = entry_id("colors", "A149")
    SUGGESTIONS: Final = Suggestions(
        {field.kind: () for field in TEXT_FIELDS}, dict.fromkeys(KINDS, ()) | {"colors": [LAST]}
    )

    def test_are_among_the_options(self) -> None:
        layout = laid_out(rows=MANY, suggestions=self.SUGGESTIONS)

        assert section(layout, "colors")["suggestions"] == [self.LAST]
        assert self.LAST in ids(layout, "colors")
        assert len(ids(layout, "colors")) == 100

    def test_are_looked_through_by_a_search(self) -> None:
        layout = laid_out(rows=MANY, suggestions=self.SUGGESTIONS, color_search="a00")

        assert section(layout, "colors")["suggestions"] == []
        assert ids(layout, "colors") == [entry_id("colors", f"A{n:03}") for n in range(10)]

    def test_are_what_is_selected_before_the_first_refresh(self) -> None:
        assert section(laid_out(Form(color_id=TEAL), rows=MANY), "colors")["suggestions"] == [TEAL]


class TestParameters:
    def test_fields_follow_the_parameters_that_are_picked(self) -> None:
        layout = laid_out(parameter_ids=[MOOD])

        assert set(ids(layout, "parameter_fields")) == {MOOD_CALM, MOOD_ANGRY}
        assert [field.id for field in layout.fields] == [CALM, entry_id("fields", "Mood/Angry")]

    def test_one_that_is_not_for_personas_cannot_be_picked(self) -> None:
        layout = laid_out(parameter_ids=[FORMAT])

        assert ids(layout, "parameter_fields") == []
        assert layout.fields == []

    def test_one_that_is_not_for_personas_stays_where_a_persona_has_its_field(self) -> None:
        layout = laid_out(Form(parameter_field_ids=(parameter_field_id(FORMAT, LETTER),)), parameter_ids=[TONE])

        assert layout.resolved_parameter_ids == [FORMAT]
        assert FORMAT in ids(layout, "parameters")
        assert LETTER in [field.id for field in layout.fields]

    def test_a_field_for_other_departments_is_not_offered(self) -> None:
        rows: Rows = {"fields": {CALM: dict(field_row("Calm", department_ids=[SALES]))}}

        care = laid_out(rows=rows, role="admin", departments=(CARE,))
        sales = laid_out(rows=rows, role="admin", departments=(SALES,))

        assert MOOD_CALM not in ids(care, "parameter_fields")
        assert MOOD_CALM in ids(sales, "parameter_fields")

    def test_a_parameter_for_other_departments_takes_its_fields_along(self) -> None:
        rows: Rows = {"parameters": {MOOD: dict(parameter("Mood", CALM, department_ids=[SALES]))}}

        layout = laid_out(rows=rows, role="admin", departments=(CARE,))

        assert ids(layout, "parameters") == [TONE]
        assert set(ids(layout, "parameter_fields")) == {TONE_IS_CALM, TONE_FORMAL}

    @pytest.mark.parametrize(
        "rows",
        [
            {"parameters": {MOOD: dict(parameter("Mood", CALM, ANGRY, department_ids=[SALES]))}},
            {"fields": {ANGRY: dict(field_row("Angry", department_ids=[SALES]))}},
        ],
        ids=["of a parameter", "of a field"],
    )
    def test_of_what_is_for_other_departments_only_the_selected_is_shown(self, rows: Rows) -> None:
        layout = laid_out(Form(parameter_field_ids=(MOOD_CALM,)), rows=rows, role="admin", departments=(CARE,))

        assert MOOD_CALM in ids(layout, "parameter_fields")
        assert MOOD_ANGRY not in ids(layout, "parameter_fields")
        assert CALM in [field.id for field in layout.fields]
        assert ANGRY not in [field.id for field in layout.fields]
        (mood,) = (each for each in section(layout, "parameters")["resources"] if each["id"] == MOOD)
        assert mood["field_ids"] == [CALM]


class TestDepartments:
    @pytest.mark.parametrize(
        ("role", "own", "held", "offered"),
        [
            ("superadmin", (), (), {CARE, SALES, LEGAL}),
            ("admin", (CARE,), (), {CARE}),
            ("admin", (CARE,), (LEGAL,), {CARE, LEGAL}),
            ("learner", (), (), set()),
        ],
    )
    def test_are_the_callers_and_the_personas(
        self, role: str, own: tuple[str, ...], held: tuple[str, ...], offered: set[str]
    ) -> None:
        layout = laid_out(Form(department_ids=held), role=role, departments=own)

        assert set(ids(layout, "departments", "department_id")) == offered
