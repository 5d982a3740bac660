"""draft: what a form holds so far, as the contract states it."""

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest

from personas.store import keys
from support.client import Answer
from support.form import SINGLE
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    LEGAL,
    MOOD_CALM,
    NOBODY,
    OTHER_GROUP,
    PEOPLE,
    PLUM,
    SALES,
    STAR,
    TEAL,
    TONE_FORMAL,
    Clock,
    World,
    color,
    fault,
    pointers,
    text_id,
)

EMPTY: Final[Mapping[str, object]] = dict.fromkeys(SINGLE)
"""The state of a draft that never spoke of anything: it tells no list."""


def key_of(draft_id: str, who: str = "root") -> keys.Key:
    return keys.draft(GROUP, PEOPLE[who].id, draft_id)


def patch(world: World, draft_id: str, version: int | None, who: str = "root", /, **fields: object) -> Answer:
    return world.client(who).call("draft", {"input_draft_id": draft_id, "expected_version": version, **fields})


class TestBeginning:
    def test_a_new_draft_has_version_1(self, world: World) -> None:
        answer = world.client("root").call("draft", {})

        assert answer.status == 200
        assert answer.body == {
            "success": True,
            "draft_id": answer.body["draft_id"],
            "new_version": 1,
            "message": "The draft was created.",
            "form_state": EMPTY,
        }

    def test_a_missing_body_begins_an_empty_one(self, world: World) -> None:
        answer = world.client("root").call("draft")

        assert (answer.status, answer.body["form_state"]) == (200, EMPTY)

    @pytest.mark.parametrize("body", [{}, {"expected_version": 0}, {"expected_version": None, "input_draft_id": None}])
    def test_expecting_nothing(self, world: World, body: dict[str, object]) -> None:
        assert world.client("root").call("draft", body).body["new_version"] == 1

    @pytest.mark.parametrize("version", [1, 7])
    def test_expecting_a_version_is_409_and_begins_none(self, world: World, version: int) -> None:
        answer = world.client("root").call("draft", {"expected_version": version, "name": "Bo"})

        assert fault(answer) == (409, "version_conflict")
        assert answer.body["detail"] == (
            "A new draft has no version to expect: send expected_version 0, or the draft's id in input_draft_id."
        )
        assert answer.body["expected_version"] == version
        assert world.contents() == []

    def test_each_call_begins_another(self, world: World) -> None:
        assert world.draft(name="Bo") != world.draft(name="Bo")

    def test_everything_it_can_hold(self, world: World) -> None:
        answer = world.client("root").call(
            "draft",
            {
                "name": "Ada",
                "description": "A nurse.",
                "instructions": "Be brief.",
                "examples": ["Hello.", "Good bye."],
                "color_id": PLUM,
                "icon_id": HEART,
                "flag_id": ACTIVE,
                "department_ids": [LEGAL, CARE],
                "parameter_field_ids": [TONE_FORMAL, MOOD_CALM],
                "voice_ids": [BASS, ALTO],
            },
        )

        assert answer.body["form_state"] == {
            "name_id": text_id("names", "Ada"),
            "description_id": text_id("descriptions", "A nurse."),
            "instructions_id": text_id("instructions", "Be brief."),
            "color_id": PLUM,
            "icon_id": HEART,
            "active_flag_id": ACTIVE,
            "department_ids": [LEGAL, CARE],
            "example_ids": [text_id("examples", "Hello."), text_id("examples", "Good bye.")],
            "parameter_field_ids": [TONE_FORMAL, MOOD_CALM],
            "voice_ids": [BASS, ALTO],
        }

    def test_texts_by_the_ids_that_a_persona_has(self, world: World) -> None:
        world.save(name="Ada", description="A nurse.", instructions="Be brief.", examples=["Hello."])
        ids = {
            "name_id": text_id("names", "Ada"),
            "description_id": text_id("descriptions", "A nurse."),
            "instructions_id": text_id("instructions", "Be brief."),
            "example_ids": [text_id("examples", "Hello.")],
        }

        draft_id = world.draft(**ids)

        body = world.client("root").call("get", {"draft_id": draft_id}).body
        assert body["names"]["resource"]["name"] == "Ada"
        assert body["descriptions"]["resource"]["description"] == "A nurse."
        assert body["instructions"]["resource"]["template"] == "Be brief."
        assert [each["example"] for each in body["examples"]["current"]] == ["Hello."]

    def test_texts_by_the_ids_that_it_gave_out_itself(self, world: World) -> None:
        state = world.client("root").call("draft", {"name": "Ada", "examples": ["Hello."]}).body["form_state"]

        answer = world.client("root").call("draft", state)

        assert (answer.status, answer.body["form_state"]) == (200, state)


class TestPatching:
    def test_adds_one_to_the_version(self, world: World) -> None:
        draft_id = world.draft(name="Ada")

        answer = patch(world, draft_id, 1, description="A nurse.")

        assert answer.status == 200
        assert answer.body["draft_id"] == draft_id
        assert answer.body["new_version"] == 2
        assert answer.body["message"] == "The draft was saved."

    def test_fields_that_are_absent_stay(self, world: World) -> None:
        draft_id = world.draft(name="Ada", examples=["Hello."], color_id=TEAL, voice_ids=[ALTO])

        answer = patch(world, draft_id, 1, description="A nurse.")

        assert answer.body["form_state"] == {
            **EMPTY,
            "name_id": text_id("names", "Ada"),
            "description_id": text_id("descriptions", "A nurse."),
            "color_id": TEAL,
            "example_ids": [text_id("examples", "Hello.")],
            "voice_ids": [ALTO],
        }

    @pytest.mark.parametrize(
        ("held", "clear", "field"),
        [
            ({"name": "Ada"}, {"name": None}, "name_id"),
            ({"name": "Ada"}, {"name_id": None}, "name_id"),
            ({"name": "Ada"}, {"name": ""}, "name_id"),
            ({"description": "A nurse."}, {"description": None}, "description_id"),
            ({"instructions": "Be brief."}, {"instructions_id": None}, "instructions_id"),
            ({"color_id": TEAL}, {"color_id": None}, "color_id"),
            ({"icon_id": STAR}, {"icon_id": None}, "icon_id"),
            ({"flag_id": ACTIVE}, {"flag_id": None}, "active_flag_id"),
            ({"active_flag_id": ACTIVE}, {"active_flag_id": None}, "active_flag_id"),
            ({"examples": ["Hello."]}, {"examples": []}, "example_ids"),
            ({"examples": ["Hello."]}, {"examples": None}, "example_ids"),
            ({"examples": ["Hello."]}, {"example_ids": []}, "example_ids"),
            ({"department_ids": [CARE]}, {"department_ids": []}, "department_ids"),
            ({"department_ids": [CARE]}, {"department_ids": None}, "department_ids"),
            ({"parameter_field_ids": [MOOD_CALM]}, {"parameter_field_ids": None}, "parameter_field_ids"),
            ({"voice_ids": [ALTO]}, {"voice_ids": []}, "voice_ids"),
        ],
    )
    def test_null_and_empty_clear(
        self, world: World, held: dict[str, object], clear: dict[str, object], field: str
    ) -> None:
        draft_id = world.draft(**held)

        answer = patch(world, draft_id, 1, **clear)

        assert answer.status == 200
        assert not answer.body["form_state"][field]
        assert (answer.body["form_state"][field] == []) is field.endswith("_ids")

    def test_a_list_replaces_the_whole_list(self, world: World) -> None:
        draft_id = world.draft(examples=["One.", "Two."], voice_ids=[ALTO])

        answer = patch(world, draft_id, 1, examples=["Three."], voice_ids=[BASS])

        assert answer.body["form_state"]["example_ids"] == [text_id("examples", "Three.")]
        assert answer.body["form_state"]["voice_ids"] == [BASS]

    def test_examples_by_id_and_by_text_are_joined_ids_first(self, world: World) -> None:
        draft_id = world.draft(examples=["One.", "Two."])
        ids = [text_id("examples", "Two."), text_id("examples", "One.")]

        answer = patch(world, draft_id, 1, example_ids=ids, examples=["Three.", "One."])

        assert answer.body["form_state"]["example_ids"] == [*ids, text_id("examples", "Three.")]

    def test_rows_that_are_still_blank_are_left_out(self, world: World) -> None:
        draft_id = world.draft(examples=["One.", "", "  "])

        body = world.client("root").call("get", {"draft_id": draft_id}).body

        assert [each["example"] for each in body["examples"]["current"]] == ["One."]

    @pytest.mark.parametrize("field", ["flag_id", "active_flag_id"])
    def test_the_flag_has_two_names(self, world: World, field: str) -> None:
        draft_id = world.draft()

        answer = patch(world, draft_id, 1, **{field: ACTIVE})

        assert answer.body["form_state"]["active_flag_id"] == ACTIVE

    def test_both_names_of_the_flag_may_agree(self, world: World) -> None:
        assert world.client("root").call("draft", {"flag_id": ACTIVE, "active_flag_id": ACTIVE}).status == 200

    def test_both_names_of_the_flag_may_not_differ(self, world: World) -> None:
        answer = world.client("root").call("draft", {"flag_id": ACTIVE, "active_flag_id": None})

        assert answer.status == 422
        assert pointers(answer) == ["/active_flag_id"]

    def test_a_whole_form_state_can_be_sent_back(self, world: World) -> None:
        begun = world.client("root").call("draft", {"name": "Ada", "flag_id": ACTIVE, "voice_ids": [ALTO]}).body

        answer = patch(world, begun["draft_id"], 1, **begun["form_state"])

        assert (answer.status, answer.body["form_state"]) == (200, begun["form_state"])

    def test_a_patch_of_nothing_is_a_write(self, world: World) -> None:
        draft_id = world.draft(name="Ada")

        answer = patch(world, draft_id, 1)

        assert answer.body["new_version"] == 2
        assert answer.body["form_state"]["name_id"] == text_id("names", "Ada")

    def test_texts_are_taken_exactly_after_nfc_and_trimming(self, world: World) -> None:
        draft_id = world.draft(name=unicodedata.normalize("NFD", " Zoë  A. "))

        body = world.client("root").call("get", {"draft_id": draft_id}).body

        assert body["names"]["resource"]["name"] == unicodedata.normalize("NFC", "Zoë  A.")

    def test_another_department_is_answered_as_one_that_does_not_exist(self, world: World) -> None:
        coach = world.client("coach")

        foreign, unknown = (coach.call("draft", {"department_ids": [each]}) for each in (LEGAL, NOBODY))

        assert fault(foreign) == (422, "invalid")
        assert foreign.text.replace(foreign.body["request_id"], unknown.body["request_id"]) == unknown.text

    def test_a_department_that_the_draft_has_stays_when_it_is_no_longer_the_callers(self, world: World) -> None:
        draft_id = world.draft("coach", department_ids=[CARE])
        world.profile("coach", departments=(SALES,))
        world.restart()
        body = {"input_draft_id": draft_id, "expected_version": 1, "department_ids": [CARE, SALES]}

        answer = world.client("coach").call("draft", body)

        assert answer.body["form_state"]["department_ids"] == [CARE, SALES]

    def test_what_was_just_loaded_can_be_selected(self, world: World) -> None:
        draft_id = world.draft(color_id=TEAL)

        sand = world.add("colors", "Sand", color("Sand", "#D8C8A0"))

        assert patch(world, draft_id, 1, color_id=sand).status == 200

    def test_a_list_is_told_from_the_moment_that_the_draft_speaks_of_it(self, world: World) -> None:
        # Given a draft that never spoke of a list
        draft_id = world.draft(name="Ada")

        # When one list is cleared, and in the next patch something else changes
        cleared = patch(world, draft_id, 1, voice_ids=[]).body["form_state"]
        later = patch(world, draft_id, 2, color_id=TEAL).body["form_state"]

        # Then that list is answered as empty both times, and no other is answered
        assert [name for name in cleared if name.endswith("_ids")] == ["voice_ids"]
        assert (cleared["voice_ids"], later) == ([], {**cleared, "color_id": TEAL})

    def test_a_keyed_repeat_tells_no_list_that_the_draft_never_spoke_of(self, world: World) -> None:
        first = world.client("root").call("draft", {"name": "Ada", "example_ids": []}, idempotency_key="k")

        again = world.client("root").call("draft", {"name": "Ada", "example_ids": []}, idempotency_key="k")

        assert again.body == first.body
        assert again.body["form_state"] == {**EMPTY, "name_id": text_id("names", "Ada"), "example_ids": []}


class TestStoredTexts:
    """The texts that the table keeps of a draft."""

    @pytest.mark.parametrize(
        ("patched", "left"),
        [
            ({"description": None}, {"name_id", "example_ids"}),
            ({"name": None, "examples": []}, {"description_id"}),
            ({"name": "Bo", "description": None, "examples": None}, {"name_id"}),
        ],
    )
    def test_a_cleared_text_is_gone_from_the_store(
        self, world: World, patched: dict[str, object], left: set[str]
    ) -> None:
        draft_id = world.draft(name="Ada", description="A nurse.", examples=["Hello."])

        assert patch(world, draft_id, 1, **patched).status == 200

        (item,) = world.contents()
        assert item["texts"]["M"].keys() == left


class TestConflicts:
    def test_another_version_is_409_with_the_state_that_is_stored(self, world: World, clock: Clock) -> None:
        draft_id = world.draft(name="Ada", color_id=TEAL)
        clock.moment += timedelta(minutes=5)
        patch(world, draft_id, 1, name="Bo", voice_ids=[ALTO])
        clock.moment += timedelta(minutes=5)

        answer = patch(world, draft_id, 1, name="Cy", color_id=TEAL, voice_ids=[BASS], description=None)

        assert fault(answer) == (409, "version_conflict")
        assert answer.body["detail"] == (
            "Version 1 of the draft was expected, and version 2 is stored. Nothing was written."
        )
        assert answer.body["draft_id"] == draft_id
        assert answer.body["expected_version"] == 1
        assert answer.body["current_version"] == 2
        assert answer.body["form_state"] == {
            **EMPTY,
            "name_id": text_id("names", "Bo"),
            "color_id": TEAL,
            "voice_ids": [ALTO],
        }
        assert answer.body["updated_at"] == "2026-11-24T12:05:00+00:00"
        assert answer.body["differing_fields"] == ["name_id", "voice_ids"]

    @pytest.mark.parametrize("version", [0, 1, 3, None])
    def test_nothing_is_written_forked_or_bumped(self, world: World, version: int | None) -> None:
        draft_id = world.draft(name="Ada")
        patch(world, draft_id, 1, name="Bo")
        before = world.contents()

        answer = patch(world, draft_id, version, name="Cy")

        assert fault(answer) == (409, "version_conflict")
        assert world.contents() == before

    def test_an_absent_version_counts_as_0(self, world: World) -> None:
        draft_id = world.draft(name="Ada")

        answer = world.client("root").call("draft", {"input_draft_id": draft_id, "name": "Bo"})

        assert fault(answer) == (409, "version_conflict")
        assert (answer.body["expected_version"], answer.body["current_version"]) == (0, 1)

    def test_a_patch_that_says_what_is_stored_differs_in_nothing(self, world: World) -> None:
        draft_id = world.draft(name="Ada", voice_ids=[ALTO])

        answer = patch(world, draft_id, 7, name="Ada", voice_ids=[ALTO], examples=[], icon_id=None)

        assert answer.body["differing_fields"] == []

    def test_the_current_version_of_a_conflict_can_be_used(self, world: World) -> None:
        draft_id = world.draft(name="Ada")
        current = patch(world, draft_id, 5, name="Bo").body["current_version"]

        assert patch(world, draft_id, current, name="Bo").body["new_version"] == 2


class TestWhose:
    @pytest.mark.parametrize(
        ("who", "status"), [("root", 200), ("admin", 200), ("coach", 200), ("loner", 200), ("learner", 403)]
    )
    def test_roles_that_write_may_keep_drafts(self, world: World, who: str, status: int) -> None:
        assert world.client(who).call("draft", {"name": "Ada"}).status == status

    def test_a_role_that_only_reads_is_told_so(self, world: World) -> None:
        answer = world.client("learner").call("draft", {"name": "Ada"})

        assert fault(answer) == (403, "role_may_not_write")
        assert world.contents() == []

    @pytest.mark.parametrize("who", ["root", "admin"])
    def test_another_profiles_draft_is_404_and_stays(self, world: World, who: str) -> None:
        draft_id = world.draft("coach", name="Ada")
        before = world.contents()

        answer = patch(world, draft_id, 1, who, name="Bo")

        assert fault(answer) == (404, "not_found")
        assert world.contents() == before

    def test_another_groups_draft_is_404(self, world: World) -> None:
        draft_id = world.draft("root", name="Ada")

        assert fault(patch(world, draft_id, 1, "stranger", name="Bo")) == (404, "not_found")

    @pytest.mark.parametrize("version", [0, 1])
    def test_one_that_never_was_is_404(self, world: World, version: int) -> None:
        answer = patch(world, NOBODY, version, name="Ada")

        assert fault(answer) == (404, "not_found")
        assert world.contents() == []

    def test_a_role_that_was_lost_can_still_read_its_draft(self, world: World) -> None:
        draft_id = world.draft("coach", name="Ada")
        world.profile("coach", role="learner")
        world.restart()

        assert patch(world, draft_id, 1, "coach", name="Bo").status == 403
        assert world.client("coach").call("get", {"draft_id": draft_id}).status == 200


class TestExpiry:
    def test_is_90_days_after_the_last_write(self, world: World, clock: Clock) -> None:
        draft_id = world.draft(name="Ada")
        clock.moment += timedelta(days=60)
        patch(world, draft_id, 1, name="Bo")

        item = world.table.get(key_of(draft_id))

        assert item is not None
        assert item["expires_at"] == int((clock.moment + timedelta(days=90)).timestamp())

    def test_until_then_it_is_there(self, world: World, clock: Clock) -> None:
        draft_id = world.draft(name="Ada")
        clock.moment += timedelta(days=90, seconds=-1)

        assert patch(world, draft_id, 1, name="Bo").status == 200

    def test_from_that_moment_a_patch_is_404(self, world: World, clock: Clock) -> None:
        draft_id = world.draft(name="Ada")
        clock.moment += timedelta(days=90)

        assert fault(patch(world, draft_id, 1, name="Bo")) == (404, "not_found")

    def test_a_conflict_does_not_tell_of_it_either(self, world: World, clock: Clock) -> None:
        draft_id = world.draft(name="Ada")
        clock.moment += timedelta(days=90)

        assert fault(patch(world, draft_id, 5, name="Bo")) == (404, "not_found")

    def test_get_does_not_show_it(self, world: World) -> None:
        draft_id = world.draft(name="Ada")
        world.set(key_of(draft_id), "expires_at", 1)

        assert fault(world.client("root").call("get", {"draft_id": draft_id})) == (404, "not_found")

    def test_it_cannot_be_written_back_to_life(self, world: World) -> None:
        draft_id = world.draft(name="Ada")
        world.set(key_of(draft_id), "expires_at", 1)
        before = world.contents()

        assert fault(patch(world, draft_id, 1, name="Bo")) == (404, "not_found")
        assert world.contents() == before


class TestListing:
    def test_a_profile_is_listed_among_the_drafters_of_its_group_once_a_day(self, world: World, clock: Clock) -> None:
        # Given a profile that began a draft, when it begins others an hour and a day later,
        listed = []
        for hours in (0, 1, 24):
            clock.moment += timedelta(hours=hours)
            world.draft(name="Ada")
            listed.append(world.table.get(keys.drafter(GROUP, PEOPLE["root"].id)))
        # then its entry is written again after the day alone.
        assert listed[0] == listed[1]
        assert listed[1] != listed[2]


class TestStrictness:
    @pytest.mark.parametrize(
        "field", ["nickname", "color", "icon", "departments", "voices", "mcp", "generated", "persona_id", "can_edit"]
    )
    def test_an_unknown_field_is_refused_by_name(self, world: World, field: str) -> None:
        answer = world.client("root").call("draft", {"name": "Ada", field: "x"})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": f"/{field}", "message": "unknown field"}]
        assert world.contents() == []

    def test_group_id_is_accepted_and_ignored(self, world: World) -> None:
        assert world.client("root").call("draft", {"group_id": OTHER_GROUP, "name": "Ada"}).status == 200

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"color_id": NOBODY}, "/color_id"),
            ({"icon_id": NOBODY}, "/icon_id"),
            ({"flag_id": NOBODY}, "/flag_id"),
            ({"active_flag_id": NOBODY}, "/active_flag_id"),
            ({"department_ids": [CARE, NOBODY]}, "/department_ids/1"),
            ({"parameter_field_ids": [NOBODY]}, "/parameter_field_ids/0"),
            ({"voice_ids": [NOBODY]}, "/voice_ids/0"),
            ({"name_id": NOBODY}, "/name_id"),
            ({"description_id": NOBODY}, "/description_id"),
            ({"instructions_id": NOBODY}, "/instructions_id"),
            ({"example_ids": [NOBODY]}, "/example_ids/0"),
        ],
    )
    def test_ids_of_nothing_are_422(self, world: World, fields: dict[str, object], pointer: str) -> None:
        answer = world.client("root").call("draft", fields)

        assert fault(answer) == (422, "invalid")
        assert pointers(answer) == [pointer]
        assert world.contents() == []

    def test_another_groups_texts_do_not_exist(self, world: World) -> None:
        world.draft("stranger", name="Foreign")

        answer = world.client("root").call("draft", {"name_id": text_id("names", "Foreign", OTHER_GROUP)})

        assert pointers(answer) == ["/name_id"]

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"name": "Ada", "name_id": text_id("names", "Ada")}, "/name"),
            ({"description": "A", "description_id": NOBODY}, "/description"),
            ({"instructions": "A", "instructions_id": NOBODY}, "/instructions"),
        ],
    )
    def test_single_texts_by_id_or_by_value_but_not_both(
        self, world: World, fields: dict[str, object], pointer: str
    ) -> None:
        answer = world.client("root").call("draft", fields)

        assert answer.status == 422
        assert pointers(answer) == [pointer]

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"name": "x" * 201}, "/name"),
            ({"name": 7}, "/name"),
            ({"examples": "Hello."}, "/examples"),
            ({"examples": [str(n) for n in range(51)]}, "/examples"),
            ({"color_id": "Teal"}, "/color_id"),
            ({"expected_version": "one"}, "/expected_version"),
            ({"expected_version": -1}, "/expected_version"),
            ({"input_draft_id": "x"}, "/input_draft_id"),
        ],
    )
    def test_malformed_fields_are_422(self, world: World, fields: dict[str, object], pointer: str) -> None:
        answer = world.client("root").call("draft", fields)

        assert fault(answer) == (422, "invalid")
        assert pointers(answer) == [pointer]

    def test_ids_and_texts_of_examples_together_are_at_most_50(self, world: World) -> None:
        texts = [str(n) for n in range(30)]
        world.draft(examples=texts)
        ids = [text_id("examples", each) for each in texts]

        answer = world.client("root").call("draft", {"example_ids": ids, "examples": [f"x{n}" for n in range(21)]})

        assert answer.status == 422
        assert pointers(answer) == ["/examples"]

    def test_texts_of_more_than_256_kib_are_422(self, world: World) -> None:
        examples = [f"{n:02}" + "\N{EURO SIGN}" * 1_998 for n in range(44)]

        answer = world.client("root").call("draft", {"examples": examples})

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [
            {"field": "", "message": "all texts together must have at most 262144 bytes of UTF-8, these have 263824"}
        ]
