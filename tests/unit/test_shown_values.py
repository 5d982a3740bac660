"""Values of fields by name."""

from personas.contract.persona_fields import BY_NAME
from personas.domain.persona import Form
from personas.domain.shown_values import value_of, values_of
from personas.domain.text import Text
from support.world import ACTIVE, ALTO, CARE, MOOD_CALM, NOBODY, STAR, TEAL, catalogue_of, color

CATALOGUE = catalogue_of()


def text(words: str) -> Text:
    return Text(f"id of {words}", words)


def form(**fields: object) -> Form:
    given = {"name": text("Ada"), "instructions": text("Ask."), "color_id": TEAL, "icon_id": STAR}
    return Form.of({**given, **fields})


class TestValues:
    def test_entries_have_their_names_and_texts_are_texts(self) -> None:
        whole = form(
            description=text("A nurse."),
            active_flag_id=ACTIVE,
            department_ids=(CARE,),
            parameter_field_ids=(MOOD_CALM,),
            examples=(text("Hm."), text("So?")),
            voice_ids=(ALTO,),
        )

        assert values_of(whole, CATALOGUE).model_dump() == {
            "name": "Ada",
            "description": "A nurse.",
            "instructions": "Ask.",
            "color": {"id": TEAL, "name": "Teal"},
            "icon": {"id": STAR, "name": "Star"},
            "active": {"id": ACTIVE, "name": "active"},
            "departments": [{"id": CARE, "name": "Care"}],
            "parameter_fields": [{"id": MOOD_CALM, "name": "Mood: Calm"}],
            "examples": ["Hm.", "So?"],
            "voices": [{"id": ALTO, "name": "Alto"}],
        }

    def test_of_a_field_of_texts_are_a_list(self) -> None:
        assert value_of(BY_NAME["examples"], form(examples=(text("Hm."),)), CATALOGUE) == ["Hm."]

    def test_what_is_not_selected_is_null_or_empty(self) -> None:
        values = values_of(Form(), CATALOGUE).model_dump()

        assert {name: value for name, value in values.items() if value is not None} == {
            "departments": [],
            "parameter_fields": [],
            "examples": [],
            "voices": [],
        }

    def test_an_entry_goes_by_the_name_that_it_has_now(self) -> None:
        renamed = catalogue_of({"colors": {TEAL: color("Petrol", "#16818A")}})

        assert values_of(form(), renamed).model_dump()["color"] == {"id": TEAL, "name": "Petrol"}

    def test_an_entry_that_left_the_catalogue_has_no_name(self) -> None:
        assert values_of(form(voice_ids=(NOBODY,)), CATALOGUE).model_dump()["voices"] == [{"id": NOBODY, "name": None}]
