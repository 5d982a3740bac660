"""The sections of a form: what they offer, in which order, and how much of it."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from personas.contract.get import GetPersonaRequest
from personas.contract.persona_fields import TEXT_FIELDS
from personas.domain.catalogue import Catalogue
from personas.domain.persona import Form
from personas.domain.sections import Layout, build_form
from personas.domain.suggestions import Suggestions
from personas.domain.text import Text, identified
from personas.views.most_used import OFFERED as KINDS
from support.world import (
    ACTIVE,
    ALTO,
    ANGRY,
    CALM,
    CARE,
    FORMAL,
    FORMAT,
    GROUP,
    HEART,
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
    department,
    entry_id,
    field_row,
    icon,
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
        assert ids(laid_out(Form(color_id=second), rows=rows), "colors") == [PLUM, TEAL, first, second, NOBODY]

    def test_of_parameter_fields_is_by_folded_name_of_the_field_then_by_their_own_id(self) -> None:
        # Given two fields of one folded name, of which one has two parameters, and a third field that is named first
        rows: Rows = {
            "parameters": {MOOD: dict(parameter("Mood", CALM, ANGRY)), TONE: dict(parameter("Tone", CALM, FORMAL))},
            "fields": {
                CALM: dict(field_row("zeal")),
                ANGRY: dict(field_row("ZEAL")),
                FORMAL: dict(field_row("\N{FULLWIDTH LATIN SMALL LETTER A}ge")),
            },
        }
        # When
        found = ids(laid_out(rows=rows, parameter_ids=[MOOD, TONE]), "parameter_fields")
        # Then
        assert found == [TONE_FORMAL, *sorted([MOOD_CALM, MOOD_ANGRY, parameter_field_id(TONE, CALM)])]

    def test_of_selections_is_their_own(self) -> None:
        layout = laid_out(Form(parameter_field_ids=(TONE_FORMAL, MOOD_CALM)))

        assert [each["id"] for each in section(layout, "parameter_fields")["current"]] == [TONE_FORMAL, MOOD_CALM]


MANY: Final[Rows] = {"colors": {entry_id("colors", f"A{n:03}"): color(f"A{n:03}", "#000000") for n in range(150)}}


class TestHundred:
    def test_are_the_first_by_name(self) -> None:
        assert ids(laid_out(rows=MANY), "colors") == [entry_id("colors", f"A{n:03}") for n in range(100)]

    def test_are_a_hundred_beside_a_selected_one_that_is_gone(self) -> None:
        assert len(ids(laid_out(Form(color_id=NOBODY), rows=MANY), "colors")) == 100

    def test_of_one_name_are_the_first_by_id(self) -> None:
        found = sorted(MANY["colors"])
        rows: Rows = {"colors": {each: color("A", "#000000") for each in reversed(found)}}

        assert ids(laid_out(rows=rows), "colors") == found[:100]

    def test_are_as_many_with_a_selected_one(self) -> None:
        layout = laid_out(Form(color_id=entry_id("colors", "A000")), rows=MANY)

        assert ids(layout, "colors") == [entry_id("colors", f"A{n:03}") for n in range(100)]

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
        layout = laid_out(
            Form(color_id=NOBODY, voice_ids=(NOBODY,), active_flag_id=NOBODY, parameter_field_ids=(NOBODY,))
        )

        assert section(layout, "colors")["resource"] is None
        assert section(layout, "voices")["current"] == []
        assert section(layout, "flags")["current"] is None
        assert layout.resolved_parameter_ids == []

    @pytest.mark.parametrize(
        ("kind", "entry", "row", "field", "held"),
        [
            ("colors", TEAL, color("Teal", "#16818A"), "color_id", TEAL),
            ("icons", STAR, icon("Star", "star"), "icon_id", STAR),
            ("departments", CARE, department("Care"), "department_ids", (CARE,)),
            ("voices", ALTO, {"voice": "Alto"}, "voice_ids", (ALTO,)),
        ],
    )
    def test_what_is_withdrawn_is_offered_where_it_is_selected(
        self, kind: str, entry: str, row: dict[str, object], field: str, held: object
    ) -> None:
        # Given an entry that is withdrawn
        rows: Rows = {kind: {entry: {**row, "active": False}}}
        key = "department_id" if kind == "departments" else "id"
        # When a form has it, and another one does not
        selected, blank = laid_out(Form.of({field: held}), rows=rows), laid_out(rows=rows)
        # Then
        assert entry in ids(selected, kind, key)
        assert entry not in ids(blank, kind, key)

    def test_search_and_show_selected_together_show_the_selected(self) -> None:
        layout = laid_out(Form(color_id=TEAL), color_search="plum", color_show_selected=True)

        assert ids(layout, "colors") == [TEAL]

    @pytest.mark.parametrize(
        ("request_field", "kind", "sought", "found"),
        [
            ("color_search", "colors", "#6E2a", [PLUM]),
            ("icon_search", "icons", "BEAT", [HEART]),
            ("icon_search", "icons", "t-p", [HEART]),
            ("icon_show_selected", "icons", True, [STAR]),
            ("parameter_field_search", "parameter_fields", "angr", [MOOD_ANGRY, MOOD_CALM]),
            ("parameter_field_show_selected", "parameter_fields", True, [MOOD_CALM]),
        ],
    )
    def test_a_search_goes_by_names_and_values(
        self, request_field: str, kind: str, sought: object, found: list[str]
    ) -> None:
        form = Form(parameter_field_ids=(MOOD_CALM,)) if kind != "icons" else Form()
        if sought is True:
            form = form.changed({"icon_id": STAR})

        assert ids(laid_out(form, **{request_field: sought}), kind) == found

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


class TestTexts:
    """The texts of a section: what is selected, and what a group uses besides."""

    SELECTED: Final = Text("1", "Ada")

    def offered(self, *texts: Text, form: Form | None = None) -> list[str]:
        suggestions = Suggestions({"names": texts}, None)
        return ids(laid_out(form or Form(name=self.SELECTED), suggestions=suggestions), "names")

    def test_are_the_selected_one_and_then_each_other_once(self) -> None:
        assert self.offered(Text("2", "Bo"), self.SELECTED, Text("3", "Cleo")) == ["1", "2", "3"]

    def test_are_a_hundred(self) -> None:
        assert len(self.offered(*(Text(f"id {n}", f"{n}") for n in range(100)))) == 100

    @pytest.mark.parametrize(("more", "fitting"), [("", 100), ("x", 99)])
    def test_are_no_more_than_a_megabyte(self, more: str, fitting: int) -> None:
        # Given a hundred texts of 10,000 bytes with their quotation marks, the last of them a byte longer
        texts = [Text(f"{n}", f"{n:09998}") for n in range(99)]
        # When
        found = self.offered(*texts, Text("99", f"{99:09998}{more}"), form=Form())
        # Then
        assert len(found) == fitting

    def test_are_what_is_selected_at_any_length(self) -> None:
        form = Form(name=Text("1", "x" * 1_000_001))

        assert self.offered(Text("2", "Bo"), form=form) == ["1"]


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

    def test_that_are_gone_from_the_library_take_no_place(self) -> None:
        gone = [f"gone {n}" for n in range(20)]
        used = dict.fromkeys(KINDS, ()) | {
            "colors": [*gone, self.LAST],
            "parameters": [*gone, TONE],
            "flags": [*gone, ACTIVE],
        }

        layout = laid_out(rows=MANY, suggestions=Suggestions({}, used), parameter_ids=[MOOD])

        assert section(layout, "colors")["suggestions"] == [self.LAST]
        assert section(layout, "parameters")["suggestions"] == [TONE]
        assert section(layout, "flags")["suggestions"] == [ACTIVE]
        assert self.LAST in ids(layout, "colors")

    def test_are_twenty(self) -> None:
        used = dict.fromkeys(KINDS, ()) | {"colors": list(MANY["colors"])}

        layout = laid_out(rows=MANY, suggestions=Suggestions({}, used))

        assert section(layout, "colors")["suggestions"] == list(MANY["colors"])[:20]

    def test_of_texts_are_among_those_that_are_offered(self) -> None:
        used = dict.fromkeys(KINDS, ()) | {"names": ["2", "gone"]}

        layout = laid_out(suggestions=Suggestions({"names": (Text("2", "Bo"),)}, used))

        assert section(layout, "names")["suggestions"] == ["2"]

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

    def test_fields_come_in_the_order_of_the_options(self) -> None:
        # Given a parameter that was loaded last and is named first, and two of one name
        first, second = sorted([entry_id("parameters", "x"), entry_id("parameters", "y")])
        rows: Rows = {
            "parameters": {
                second: dict(parameter("zeal", LETTER)),
                first: dict(parameter("ZEAL", CALM)),
                NOBODY: dict(parameter("age", FORMAL)),
            }
        }
        # When
        layout = laid_out(rows=rows, parameter_ids=[second, first, NOBODY])
        # Then
        assert [field.id for field in layout.fields] == [FORMAL, CALM, LETTER]


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


class TestWhole:
    """A form of which everything is told."""

    FORM: Final = Form(
        name=Text("1", "Ada"),
        description=Text("2", "A nurse."),
        instructions=Text("3", "Ask."),
        examples=(Text("4", "Hm."),),
        active_flag_id=ACTIVE,
        department_ids=(CARE,),
        parameter_field_ids=(MOOD_CALM,),
    )

    @pytest.mark.parametrize(
        ("kind", "entry", "row", "told"),
        [
            ("colors", TEAL, {**color("Teal", "#16818A"), "description": "Blue or green."}, {"id": TEAL}),
            ("icons", STAR, {**icon("Star", "star"), "description": "A star."}, {"id": STAR}),
            ("departments", CARE, department("Care"), {"department_id": CARE}),
            ("voices", ALTO, {"voice": "Alto"}, {"id": ALTO}),
            ("parameters", MOOD, dict(parameter("Mood", CALM)), {"id": MOOD}),
            (
                *("flags", ACTIVE, {"key": "active", "label": "Active", "description": "In use.", "icon_id": STAR}),
                {"flag_option_id": ACTIVE, "icon_id": "star", "show": True, "required": False},
            ),
            (
                *("flags", ACTIVE, {"key": "active", "label": "Active", "show": False, "required": True}),
                {"flag_option_id": ACTIVE, "icon_id": None, "description": None},
            ),
        ],
        ids=["color", "icon", "department", "voice", "parameter", "flag", "flag that is not shown"],
    )
    @pytest.mark.parametrize("generated", [True, False])
    def test_an_entry_is_told_as_it_is_stored(
        self, kind: str, entry: str, row: dict[str, object], told: dict[str, object], generated: bool
    ) -> None:
        # Given a row, with what a later version may add to it
        rows: Rows = {kind: {entry: {**row, "generated": generated, "added later": 1}}}
        # When
        shown = section(laid_out(self.FORM, rows=rows), kind)["resources"]
        # Then
        assert {**row, **told, "generated": generated} in shown

    @pytest.mark.parametrize("generated", [True, False])
    def test_a_field_of_a_parameter_is_told_with_both(self, generated: bool) -> None:
        stored = field_row("Calm", generated=generated)

        layout = laid_out(self.FORM, rows={"fields": {CALM: dict(stored)}})

        assert section(layout, "parameter_fields")["current"] == [
            {
                "id": MOOD_CALM,
                "field_id": CALM,
                "parameter_id": MOOD,
                "name": "Calm",
                "description": "Calm it is.",
                "generated": generated,
            }
        ]
        assert layout.fields[0].model_dump() == {"id": CALM, **stored}

    @pytest.mark.parametrize(
        ("kind", "told"),
        [
            ("names", {"id": "1", "name": "Ada", "generated": False}),
            ("descriptions", {"id": "2", "description": "A nurse.", "generated": False}),
            ("instructions", {"id": "3", "template": "Ask.", "generated": False}),
            ("examples", {"id": "4", "example": "Hm.", "generated": False}),
        ],
    )
    def test_a_text_is_told_by_the_name_of_its_kind(self, kind: str, told: dict[str, object]) -> None:
        found = section(laid_out(self.FORM), kind)

        assert found["resources"] == [told]
        assert found["current" if kind == "examples" else "resource"] == ([told] if kind == "examples" else told)

    def test_of_an_empty_library_those_are_shown_that_need_no_entry(self) -> None:
        # Given a library without any entries, which has the active flag all the same
        bare = build_form(Form(), Catalogue(GROUP, {}), caller_of("superadmin"), GetPersonaRequest(), NOT_REFRESHED)

        assert {kind for kind, each in bare.sections.items() if each.show} == {
            "names",
            "descriptions",
            "instructions",
            "flags",
        }

    def test_sections_with_options_are_shown(self) -> None:
        assert [kind for kind, each in laid_out().sections.items() if not each.show] == ["examples"]

    def test_what_a_persona_needs_is_required(self) -> None:
        assert {kind for kind, each in laid_out().sections.items() if each.required} == {
            "names",
            "colors",
            "icons",
            "instructions",
        }


class TestGeneration:
    @pytest.mark.parametrize(
        ("kind", "step"),
        [
            *((kind, "basic_show_ai_generate") for kind in ("names", "descriptions", "flags", "departments")),
            *((kind, "content_show_ai_generate") for kind in ("instructions", "examples", "voices")),
            *((kind, "parameters_step_show_ai_generate") for kind in ("parameters", "parameter_fields")),
            ("colors", None),
            ("icons", None),
        ],
    )
    def test_of_a_kind_is_offered_in_its_section_and_step(self, kind: str, step: str | None) -> None:
        layout = laid_out(rows={"group": {GROUP: {"ai_generate": [kind]}}})

        assert [name for name, each in layout.sections.items() if each.show_ai_generate] == [kind]
        assert [name for name, offered in layout.steps.items() if offered] == ([step] if step else [])
        assert len(layout.steps) == 3
