"""Forms, the changes of them, and the drafts that are laid over them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest

from personas.contract.persona_fields import BY_NAME
from personas.domain.draft import DRAFT_LIFE, LISTS, SINGLES, Draft, Selection, differing, selections_of
from personas.domain.persona import Form, Persona, fields_of, laid_over
from personas.domain.text import Text

AT: Final = "2026-11-24T12:00:00+00:00"
ADA, BO, HM, SO, ASK = (Text(each, each.title()) for each in ("ada", "bo", "hm", "so", "ask"))
FORM: Final = Form(
    name=ADA,
    instructions=ASK,
    color_id="teal",
    icon_id="star",
    active_flag_id="active",
    department_ids=("care", "sales"),
    parameter_field_ids=("calm",),
    examples=(HM, SO),
    voice_ids=("alto",),
)


def draft_of(fields: Mapping[str, Selection], texts: Mapping[str, tuple[Text, ...]] | None = None) -> Draft:
    return Draft(
        "a draft", 1, fields, mcp=False, session_id="a session", created_at=AT, updated_at=AT, texts=texts or {}
    )


class TestForm:
    def test_has_the_ids_of_a_field(self) -> None:
        found = {
            name: FORM.ids_in(BY_NAME[name]) for name in ("name", "description", "color", "departments", "examples")
        }

        assert found == {
            "name": ("ada",),
            "description": (),
            "color": ("teal",),
            "departments": ("care", "sales"),
            "examples": ("hm", "so"),
        }

    def test_has_its_texts_by_kind(self) -> None:
        assert FORM.texts == [("names", ADA), ("instructions", ASK), ("examples", HM), ("examples", SO)]

    def test_has_the_ids_of_all_that_it_links_to(self) -> None:
        assert FORM.linked_ids == {"teal", "star", "active", "care", "sales", "calm", "alto"}


class TestPersona:
    PERSONA: Final = Persona(id="a persona", form=FORM, created_at=AT, updated_at=AT)

    def test_has_the_name_and_the_departments_of_its_form(self) -> None:
        assert (self.PERSONA.name, self.PERSONA.department_ids) == (ADA, ("care", "sales"))

    def test_without_a_name_is_a_defect(self) -> None:
        nameless = Persona(id="a persona", form=Form(), created_at=AT, updated_at=AT)

        with pytest.raises(AssertionError, match="a persona has a name"):
            assert nameless.name

    def test_is_new_made_by_a_person_and_in_no_use_unless_it_is_told_otherwise(self) -> None:
        assert (
            Persona(
                id="a persona",
                form=FORM,
                num_profiles=0,
                generated=False,
                mcp=False,
                created_at=AT,
                updated_at=AT,
                version=1,
                seq=0,
            )
            == self.PERSONA
        )
        assert self.PERSONA.seq == 0

    def test_is_the_same_whatever_was_written_beside_it(self) -> None:
        assert Persona(id="a persona", form=FORM, created_at=AT, updated_at=AT, seq=7) == self.PERSONA


class TestDraft:
    def test_lives_for_90_days(self) -> None:
        assert timedelta(days=90) == DRAFT_LIFE

    def test_is_laid_over_a_form_field_by_field(self) -> None:
        # Given
        draft = draft_of(
            {"name_id": "bo", "description_id": None, "color_id": None, "department_ids": (), "voice_ids": ("bass",)},
            {"name_id": (BO,)},
        )
        # When
        found = laid_over(FORM, draft)
        # Then what it has is there, what it cleared is cleared, and all else is the form's
        assert found == FORM.changed({"name": BO, "color_id": None, "department_ids": (), "voice_ids": ("bass",)})

    def test_clears_texts(self) -> None:
        cleared = laid_over(FORM, draft_of({"name_id": None, "example_ids": ()}))

        assert (cleared.name, cleared.examples) == (None, ())

    def test_stores_changes_by_ids_with_the_texts_beside_them(self) -> None:
        changes = {"name": BO, "description": None, "examples": (HM, SO), "color_id": "teal", "voice_ids": ()}

        assert fields_of(changes) == (
            {
                "name_id": "bo",
                "description_id": None,
                "example_ids": ("hm", "so"),
                "color_id": "teal",
                "voice_ids": (),
            },
            {"name_id": (BO,), "description_id": (), "example_ids": (HM, SO)},
        )


class TestSelections:
    def test_are_of_every_field(self) -> None:
        assert selections_of({"name_id": "bo", "voice_ids": ("bass",), "example_ids": None}) == {
            "name_id": "bo",
            "description_id": None,
            "instructions_id": None,
            "color_id": None,
            "icon_id": None,
            "active_flag_id": None,
            "department_ids": (),
            "parameter_field_ids": (),
            "example_ids": (),
            "voice_ids": ("bass",),
        }
        assert len(SINGLES) + len(LISTS) == 10

    @pytest.mark.parametrize(
        ("patch", "stored", "names"),
        [
            ({"name_id": "bo"}, {"name_id": "ada"}, ["name_id"]),
            ({"name_id": "bo"}, {"name_id": "bo"}, []),
            ({"name_id": None}, {"name_id": "ada"}, ["name_id"]),
            ({"name_id": None, "voice_ids": ()}, {}, []),
            ({"voice_ids": None}, {"voice_ids": ()}, []),
            ({"voice_ids": ("bass",)}, {}, ["voice_ids"]),
            ({}, {"name_id": "ada"}, []),
        ],
    )
    def test_that_differ_are_those_of_the_patch_that_are_stored_otherwise(
        self, patch: Mapping[str, Selection], stored: Mapping[str, Selection], names: list[str]
    ) -> None:
        assert differing(patch, stored) == names
