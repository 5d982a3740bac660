"""From what a caller sent, by id or by value, to changes of a form."""

from typing import Any, Final

import pytest

from personas.contract.create import CreatePersonaItem
from personas.contract.draft import PatchPersonaDraftRequest
from personas.contract.persona_fields import BY_NAME, FIELDS
from personas.contract.update import UpdatePersonaItem
from personas.domain.catalogue import Catalogue
from personas.domain.selection import (
    Links,
    Selected,
    links_unknown_to,
    name_sent,
    select,
    text_references,
    text_values,
    too_long,
)
from personas.domain.text import Reference, Text, identified
from personas.errors import Fault
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    MOOD_ANGRY,
    MOOD_CALM,
    NEEDED,
    NOBODY,
    PLUM,
    SALES,
    STAR,
    TEAL,
    caller_of,
    catalogue_of,
    secret_of,
    text_id,
)

ADA = text_id("names", "Ada")
HELLO = text_id("examples", "Hello.")
KNOWN = {
    Reference("names", ADA): "Ada",
    Reference("descriptions", text_id("descriptions", "A nurse.")): "A nurse.",
    Reference("instructions", text_id("instructions", "Be brief.")): "Be brief.",
    Reference("examples", HELLO): "Hello.",
}


LINKS: Final = Links(catalogue_of(), caller_of("superadmin"))


def update(**fields: object) -> UpdatePersonaItem:
    return UpdatePersonaItem.model_validate({"persona_id": NOBODY, **fields})


def patch(**fields: object) -> PatchPersonaDraftRequest:
    return PatchPersonaDraftRequest.model_validate(fields)


def selected(sent: Any) -> Selected:
    return select(sent, LINKS, KNOWN)


class TestChanges:
    def test_nothing_sent_changes_nothing(self) -> None:
        assert selected(update()) == Selected({}, [], [])
        assert selected(patch()) == Selected({}, [], [])

    @pytest.mark.parametrize(
        ("sent", "changes"),
        [
            ({"name": "Bo"}, {"name": identified(secret_of(GROUP), "names", "Bo")}),
            ({"name_id": ADA}, {"name": Text(ADA, "Ada")}),
            ({"description": None}, {"description": None}),
            ({"description_id": None}, {"description": None}),
            ({"instructions": "Be."}, {"instructions": identified(secret_of(GROUP), "instructions", "Be.")}),
            ({"color": "plum"}, {"color_id": PLUM}),
            ({"color_id": TEAL}, {"color_id": TEAL}),
            ({"icon": "heart-pulse"}, {"icon_id": HEART}),
            ({"icon_id": STAR}, {"icon_id": STAR}),
            ({"active_flag": True}, {"active_flag_id": ACTIVE}),
            ({"active_flag": False}, {"active_flag_id": None}),
            ({"active_flag": None}, {"active_flag_id": None}),
            ({"active_flag_id": ACTIVE}, {"active_flag_id": ACTIVE}),
            ({"active_flag_id": None}, {"active_flag_id": None}),
            ({"departments": ["Sales", "care"]}, {"department_ids": (SALES, CARE)}),
            ({"department_ids": []}, {"department_ids": ()}),
            ({"departments": None}, {"department_ids": ()}),
            ({"parameter_fields": ["Angry"]}, {"parameter_field_ids": (MOOD_ANGRY,)}),
            ({"voices": ["Alto", "ALTO", "bass"]}, {"voice_ids": (ALTO, BASS)}),
            ({"example_ids": [HELLO]}, {"examples": (Text(HELLO, "Hello."),)}),
            ({"examples": []}, {"examples": ()}),
        ],
    )
    def test_of_an_update(self, sent: dict[str, object], changes: dict[str, object]) -> None:
        assert selected(update(**sent)) == Selected(changes, [], [])

    @pytest.mark.parametrize(
        ("sent", "changes"),
        [
            ({"name": None}, {"name": None}),
            ({"color_id": None}, {"color_id": None}),
            ({"flag_id": ACTIVE}, {"active_flag_id": ACTIVE}),
            ({"active_flag_id": ACTIVE}, {"active_flag_id": ACTIVE}),
            ({"flag_id": None}, {"active_flag_id": None}),
            ({"parameter_field_ids": [MOOD_CALM]}, {"parameter_field_ids": (MOOD_CALM,)}),
            (
                {"example_ids": [HELLO], "examples": ["Well.", "Hello."]},
                {"examples": (Text(HELLO, "Hello."), identified(secret_of(GROUP), "examples", "Well."))},
            ),
        ],
    )
    def test_of_a_draft(self, sent: dict[str, object], changes: dict[str, object]) -> None:
        assert selected(patch(**sent)) == Selected(changes, [], [])

    def test_of_a_new_persona_are_what_was_sent(self) -> None:
        item = CreatePersonaItem.model_validate(NEEDED)

        assert selected(item).changes == {
            "name": identified(secret_of(GROUP), "names", "Ada"),
            "instructions": identified(secret_of(GROUP), "instructions", "Ask before you answer."),
            "color_id": TEAL,
            "icon_id": STAR,
        }


class TestFaults:
    def test_all_are_found_each_with_its_place(self) -> None:
        sent = update(
            name_id=NOBODY,
            color="Mauve",
            icon_id=NOBODY,
            active_flag_id=NOBODY,
            departments=["Care", "Nowhere"],
            voice_ids=[NOBODY, ALTO],
            example_ids=[HELLO, NOBODY],
        )

        faults = selected(sent).faults

        no_entry = "there is no entry with this id among the {} of this group"
        assert faults == [
            Fault("/name_id", no_entry.format("names")),
            Fault("/example_ids/1", no_entry.format("examples")),
            Fault("/color", "there is no color 'Mauve' in this group"),
            Fault("/icon_id", no_entry.format("icons")),
            Fault("/active_flag_id", no_entry.format("flags")),
            Fault("/departments/1", "there is no department 'Nowhere' in this group"),
            Fault("/voice_ids/0", no_entry.format("voices")),
        ]

    def test_foreign_departments_are_told_apart(self) -> None:
        links = Links(catalogue_of(), caller_of("admin", CARE))

        found = select(update(department_ids=[CARE, SALES]), links, KNOWN)

        foreign = Fault("/department_ids/1", "is none of your departments")
        assert found == Selected({"department_ids": (CARE,)}, [], [foreign])

    def test_a_text_id_goes_by_its_kind(self) -> None:
        assert [fault.field for fault in selected(update(description_id=ADA)).faults] == ["/description_id"]

    def test_more_than_50_examples_in_two_fields(self) -> None:
        sent = patch(example_ids=[HELLO], examples=[str(number) for number in range(50)])

        assert selected(patch(example_ids=[HELLO], examples=sent.examples[1:])).faults == []
        assert selected(sent).faults == [Fault("/examples", "must have at most 50 entries with example_ids")]


class TestTexts:
    def test_references_are_the_ids_that_were_sent(self) -> None:
        sent = patch(name_id=ADA, description=None, example_ids=[HELLO, NOBODY])

        assert text_references(sent) == [
            Reference("names", ADA),
            Reference("examples", HELLO),
            Reference("examples", NOBODY),
        ]

    def test_values_are_the_texts_that_were_sent(self) -> None:
        sent = patch(name="Bo", instructions=None, examples=["Hello.", "Well."])

        assert text_values(catalogue_of(), sent) == [
            ("names", identified(secret_of(GROUP), "names", "Bo")),
            ("examples", Text(HELLO, "Hello.")),
            ("examples", identified(secret_of(GROUP), "examples", "Well.")),
        ]

    def test_of_a_group_without_a_secret_are_none(self) -> None:
        assert text_values(Catalogue(GROUP, {}), patch(name="Bo")) == []

    def test_256_kib_are_not_too_long(self) -> None:
        assert too_long([Text("a", "x" * 131_072), Text("b", "\N{EURO SIGN}" * 43_690 + "xx")]) == []

    def test_a_byte_more_is(self) -> None:
        assert too_long([Text("a", "x" * 131_072), Text("b", "\N{EURO SIGN}" * 43_691)]) == [
            Fault("", "all texts together must have at most 262144 bytes of UTF-8, these have 262145")
        ]


class TestNames:
    @pytest.mark.parametrize(
        ("sent", "name"),
        [
            ({"description_id": NOBODY}, "description_id"),
            ({"description": "Calm."}, "description"),
            ({"description_id": NOBODY, "description": None}, "description_id"),
            ({"description_id": None, "description": "Calm."}, "description"),
            ({"departments": ["Care"]}, "departments"),
            ({"department_ids": [CARE], "departments": []}, "department_ids"),
            ({"department_ids": [], "departments": ["Care"]}, "departments"),
        ],
    )
    def test_of_both_names_the_one_counts_that_holds_something(self, sent: dict[str, object], name: str) -> None:
        (field,) = [each for each in FIELDS if name in {each.name, each.id_name}]
        assert name_sent(update(**sent), field) == name

    def test_nothing_goes_by_the_value(self) -> None:
        assert name_sent(update(), BY_NAME["departments"]) == "departments"


class TestUnknownLinks:
    """Tests that a held catalogue is used if it knows all links of a request, and a newer one is read otherwise."""

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"color_id": TEAL, "icon_id": STAR, "flag_id": ACTIVE, "voice_ids": [ALTO]},
            {"color_id": None, "department_ids": None, "parameter_field_ids": []},
            {"name_id": NOBODY, "name": None},
        ],
    )
    def test_known(self, sent: dict[str, object]) -> None:
        assert not links_unknown_to(LINKS, patch(**sent))

    @pytest.mark.parametrize(
        "sent",
        [
            {"color_id": NOBODY},
            {"icon_id": TEAL},
            {"flag_id": NOBODY},
            {"department_ids": [CARE, NOBODY]},
            {"parameter_field_ids": [NOBODY]},
            {"voice_ids": [NOBODY]},
        ],
    )
    def test_unknown(self, sent: dict[str, object]) -> None:
        assert links_unknown_to(LINKS, patch(**sent))
