"""create: saving new personas, as the contract states it."""

import unicodedata

import pytest

from personas.store import keys
from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    GROUP,
    HEART,
    LEGAL,
    MOOD_ANGRY,
    MOOD_CALM,
    NEEDED,
    NOBODY,
    OTHER_GROUP,
    PLUM,
    SALES,
    STAR,
    TEAL,
    TONE_FORMAL,
    TONE_IS_CALM,
    World,
    color,
    fault,
    icon,
    pointers,
    result,
    text_id,
    texts_of_bytes,
)

NEW_ID = "0b0c5f6e-1f2a-4c3d-8e4f-a0b1c2d3e4f5"


class TestSaving:
    def test_what_is_needed_is_enough(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [NEEDED]})

        assert answer.status == 200
        saved = result(answer)
        assert saved == {
            "success": True,
            "persona_id": saved["persona_id"],
            "message": "The persona was created.",
            "errors": None,
            "version": 1,
            "code": None,
        }
        assert world.names() == ["Ada"]

    def test_by_value_everything_is_stored(self, world: World) -> None:
        persona_id = world.save(
            name="Ada",
            description="A nurse.",
            instructions="Be brief.",
            color="Plum",
            icon="Beating heart",
            active_flag=True,
            departments=["Care", "Legal"],
            parameter_fields=["Angry", "Tone: Calm"],
            examples=["Hello.", "Good bye."],
            voices=["Alto"],
        )

        persona = world.persona(persona_id)
        assert persona.name == (text_id("names", "Ada"), "Ada")
        assert persona.form.description == (text_id("descriptions", "A nurse."), "A nurse.")
        assert persona.form.instructions == (text_id("instructions", "Be brief."), "Be brief.")
        assert persona.form.color_id == PLUM
        assert persona.form.icon_id == HEART
        assert persona.form.active_flag_id == ACTIVE
        assert persona.department_ids == (CARE, LEGAL)
        assert persona.form.parameter_field_ids == (MOOD_ANGRY, TONE_IS_CALM)
        assert [example.text for example in persona.form.examples] == ["Hello.", "Good bye."]
        assert persona.form.voice_ids == (ALTO,)

    def test_by_id_everything_is_stored(self, world: World) -> None:
        first = world.save(description="A nurse.", examples=["Hello.", "Good bye."])

        second = world.save(
            name_id=text_id("names", "Ada"),
            description_id=text_id("descriptions", "A nurse."),
            instructions_id=text_id("instructions", "Ask before you answer."),
            color_id=TEAL,
            icon_id=STAR,
            active_flag_id=ACTIVE,
            department_ids=[SALES],
            parameter_field_ids=[TONE_FORMAL, MOOD_CALM],
            example_ids=[text_id("examples", "Good bye."), text_id("examples", "Hello.")],
            voice_ids=[BASS, ALTO],
        )

        made, persona = world.persona(first), world.persona(second)
        assert persona.name == made.name
        assert persona.form.description == made.form.description
        assert persona.form.instructions == made.form.instructions
        assert [example.text for example in persona.form.examples] == ["Good bye.", "Hello."]
        assert persona.form.active_flag_id == ACTIVE
        assert persona.department_ids == (SALES,)
        assert persona.form.parameter_field_ids == (TONE_FORMAL, MOOD_CALM)
        assert persona.form.voice_ids == (BASS, ALTO)

    def test_ids_and_values_mix_across_fields(self, world: World) -> None:
        persona_id = world.save(color_id=PLUM, icon="star", department_ids=[CARE], voices=["bass"])

        persona = world.persona(persona_id)
        assert (persona.form.color_id, persona.form.icon_id) == (PLUM, STAR)
        assert persona.form.voice_ids == (BASS,)

    def test_the_ids_that_a_draft_gave_can_be_saved_as_they_are(self, world: World) -> None:
        draft = world.client("coach").call(
            "draft",
            {
                "name": "Ada",
                "instructions": "Be brief.",
                "examples": ["Hello."],
                "color_id": TEAL,
                "icon_id": STAR,
                "active_flag_id": ACTIVE,
                "department_ids": [CARE],
            },
        )

        answer = world.client("coach").call("create", {"personas": [draft.body["form_state"]]})

        assert answer.status == 200
        persona = world.persona(result(answer)["persona_id"])
        assert persona.name.text == "Ada"
        assert persona.form.description is None
        assert [example.text for example in persona.form.examples] == ["Hello."]

    @pytest.mark.parametrize("flag", [{}, {"active_flag": False}, {"active_flag": None}, {"active_flag_id": None}])
    def test_without_the_flag_it_is_inactive(self, world: World, flag: dict[str, object]) -> None:
        persona = world.persona(world.save(**flag))

        assert persona.form.active_flag_id is None

    def test_what_is_null_or_empty_is_as_if_absent(self, world: World) -> None:
        persona_id = world.save(
            name="Ada",
            name_id=None,
            description=None,
            description_id=None,
            departments=None,
            department_ids=[],
            examples=[],
        )

        persona = world.persona(persona_id)
        assert persona.form.description is None
        assert persona.department_ids == ()

    def test_what_is_listed_twice_counts_once(self, world: World) -> None:
        persona_id = world.save(voices=["Alto", "ALTO"], examples=["Hello.", " Hello. "], department_ids=[CARE, CARE])

        persona = world.persona(persona_id)
        assert persona.form.voice_ids == (ALTO,)
        assert [example.text for example in persona.form.examples] == ["Hello."]
        assert persona.department_ids == (CARE,)

    def test_names_need_not_be_unique(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [NEEDED, NEEDED]})

        assert [each["success"] for each in answer.body["results"]] == [True, True]
        assert world.names() == ["Ada", "Ada"]

    def test_a_hundred_at_once(self, world: World) -> None:
        items = [{**NEEDED, "name": f"P{number:02}"} for number in range(100)]

        answer = world.client("root").call("create", {"personas": items})

        assert [each["success"] for each in answer.body["results"]] == [True] * 100
        some = [world.persona(each["persona_id"]) for each in answer.body["results"][::33]]
        assert [each.name.text for each in some] == ["P00", "P33", "P66", "P99"]

    def test_it_is_not_made_by_a_machine_and_in_no_scenario(self, world: World) -> None:
        persona = world.persona(world.save())

        assert persona.generated is False
        assert persona.mcp is False
        assert persona.scenario_ids == ()
        assert persona.num_profiles == 0


class TestLookup:
    @pytest.mark.parametrize(
        "value",
        ["Teal", "TEAL", "teal", " teal ", "#16818a", "#16818A", "\N{FULLWIDTH LATIN SMALL LETTER T}eal"],
    )
    def test_colors_by_name_or_hex_code(self, world: World, value: str) -> None:
        persona = world.persona(world.save(color=value))

        assert persona.form.color_id == TEAL

    @pytest.mark.parametrize("value", ["beating HEART", "heart-pulse", "Heart-Pulse"])
    def test_icons_by_name_or_value(self, world: World, value: str) -> None:
        persona = world.persona(world.save(icon=value))

        assert persona.form.icon_id == HEART

    def test_departments_voices_and_parameter_fields_without_case(self, world: World) -> None:
        persona = world.persona(world.save(departments=["cARE"], voices=["bASS"], parameter_fields=["fORMAL"]))

        assert persona.department_ids == (CARE,)
        assert persona.form.voice_ids == (BASS,)
        assert persona.form.parameter_field_ids == (TONE_FORMAL,)

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"color": "Mauve"}, "/personas/0/color", "there is no color 'Mauve' in this group"),
            ({"icon": "x"}, "/personas/0/icon", "there is no icon 'x' in this group"),
            ({"departments": ["Care", "X"]}, "/personas/0/departments/1", "there is no department 'X' in this group"),
            ({"voices": ["X"]}, "/personas/0/voices/0", "there is no voice 'X' in this group"),
            (
                {"parameter_fields": ["X"]},
                "/personas/0/parameter_fields/0",
                "there is no parameter field 'X' in this group",
            ),
            (
                {"parameter_fields": ["Calm"]},
                "/personas/0/parameter_fields/0",
                "2 entries go by 'Calm': name it as \"parameter: field\"",
            ),
            (
                {"color_id": NOBODY},
                "/personas/0/color_id",
                "there is no entry with this id among the colors of this group",
            ),
            (
                {"active_flag_id": NOBODY},
                "/personas/0/active_flag_id",
                "there is no entry with this id among the flags of this group",
            ),
            (
                {"voice_ids": [ALTO, NOBODY]},
                "/personas/0/voice_ids/1",
                "there is no entry with this id among the voices of this group",
            ),
            (
                {"parameter_field_ids": [NOBODY]},
                "/personas/0/parameter_field_ids/0",
                "there is no entry with this id among the parameter fields of this group",
            ),
            (
                {"name_id": NOBODY},
                "/personas/0/name_id",
                "there is no entry with this id among the names of this group",
            ),
            (
                {"example_ids": [NOBODY]},
                "/personas/0/example_ids/0",
                "there is no entry with this id among the examples of this group",
            ),
        ],
    )
    def test_what_is_not_there_is_422_and_named(
        self, world: World, fields: dict[str, object], pointer: str, message: str
    ) -> None:
        given = {name: value for name, value in NEEDED.items() if f"{name}_id" not in fields}

        answer = world.client("root").call("create", {"personas": [{**given, **fields}]})

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [{"field": pointer, "message": message}]
        assert world.names() == []

    def test_all_faults_of_an_item_are_told(self, world: World) -> None:
        item = {**NEEDED, "color": "Mauve", "icon": "x", "voices": ["Alto", "Tenor"]}

        answer = world.client("root").call("create", {"personas": [item]})

        assert pointers(answer) == ["/personas/0/color", "/personas/0/icon", "/personas/0/voices/1"]

    def test_another_groups_entries_do_not_exist(self, world: World) -> None:
        foreign = world.add("colors", "Mauve", color("Mauve", "#E0B0FF"), OTHER_GROUP)
        item = {**NEEDED, "color_id": foreign}
        del item["color"]

        answer = world.client("root").call("create", {"personas": [item]})

        assert pointers(answer) == ["/personas/0/color_id"]

    def test_another_groups_texts_do_not_exist(self, world: World) -> None:
        world.client("stranger").call("draft", {"name": "Foreign"})
        item = {**NEEDED, "name_id": text_id("names", "Foreign", OTHER_GROUP)}
        del item["name"]

        answer = world.client("root").call("create", {"personas": [item]})

        assert pointers(answer) == ["/personas/0/name_id"]

    def test_what_was_just_loaded_is_found(self, world: World) -> None:
        world.save()

        sand = world.add("colors", "Sand", color("Sand", "#D8C8A0"))

        persona = world.persona(world.save(color="sand"))
        assert persona.form.color_id == sand

    def test_what_is_withdrawn_is_found_by_its_id_alone(self, world: World) -> None:
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})
        by_id = {name: value for name, value in NEEDED.items() if name != "color"}

        answer = world.client("root").call(
            "create", {"personas": [{**NEEDED, "color": "Plum"}, {**by_id, "color_id": PLUM}]}
        )

        assert [each["success"] for each in answer.body["results"]] == [False, True]

    def test_a_group_without_a_flag_in_its_library_can_still_save_active_personas(self, world: World) -> None:
        world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
        world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)
        answer = world.client("stranger").call("create", {"personas": [{**NEEDED, "active_flag": True}]})

        shown = world.client("stranger").call("get", {"persona_id": result(answer)["persona_id"]})

        assert shown.body["flags"]["current"]["key"] == "active"


class TestTexts:
    def test_are_taken_exactly_after_nfc_and_trimming(self, world: World) -> None:
        decomposed = unicodedata.normalize("NFD", "  Zoë  the\tFirst \n")

        persona = world.persona(world.save(name=decomposed, instructions="\n Line one.\n\n Line two. \n"))

        assert persona.name.text == "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}  the\tFirst"
        assert persona.form.instructions.text == "Line one.\n\n Line two."

    def test_case_makes_another_text(self, world: World) -> None:
        first, second = world.persona(world.save(name="Ada")), world.persona(world.save(name="ADA"))

        assert first.name.id != second.name.id

    def test_256_kib_together_are_saved(self, world: World) -> None:
        persona_id = world.save(**texts_of_bytes(262_144))

        persona = world.persona(persona_id)
        assert sum(len(text.encode()) for _, (_, text) in persona.form.texts) == 262_144

    def test_a_byte_more_is_422(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, **texts_of_bytes(262_145)}]})

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [
            {
                "field": "/personas/0",
                "message": "all texts together must have at most 262144 bytes of UTF-8, these have 262145",
            }
        ]

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"name": "x" * 201}, "/personas/0/name", "must have at most 200 characters"),
            ({"description": "x" * 2_001}, "/personas/0/description", "must have at most 2000 characters"),
            ({"instructions": "x" * 32_001}, "/personas/0/instructions", "must have at most 32000 characters"),
            ({"examples": ["x" * 2_001]}, "/personas/0/examples/0", "must have at most 2000 characters"),
            ({"examples": [str(n) for n in range(51)]}, "/personas/0/examples", "must have at most 50 entries"),
            ({"voice_ids": [NOBODY] * 101}, "/personas/0/voice_ids", "must have at most 100 entries"),
            ({"name": "A\x00B"}, "/personas/0/name", "must not contain the character U+0000"),
        ],
    )
    def test_beyond_a_limit_are_422(self, world: World, fields: dict[str, object], pointer: str, message: str) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, **fields}]})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": pointer, "message": message}]

    def test_at_a_limit_are_saved(self, world: World) -> None:
        persona_id = world.save(name="\N{GRINNING FACE}" * 200, description="x" * 2_000, examples=["x" * 2_000])

        persona = world.persona(persona_id)
        assert persona.name.text == "\N{GRINNING FACE}" * 200


class TestStrictness:
    @pytest.mark.parametrize("missing", ["name", "color", "icon", "instructions"])
    def test_what_is_needed_must_be_there(self, world: World, missing: str) -> None:
        item = {name: value for name, value in NEEDED.items() if name != missing}

        answer = world.client("root").call("create", {"personas": [item]})

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [{"field": f"/personas/0/{missing}", "message": "is required"}]

    @pytest.mark.parametrize("empty", [None, "", "  \n"])
    def test_empty_is_missing(self, world: World, empty: str | None) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, "name": empty}]})

        assert pointers(answer) == ["/personas/0/name"]

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"color_id": TEAL}, "/personas/0/color"),
            ({"name_id": text_id("names", "Ada")}, "/personas/0/name"),
            ({"voice_ids": [ALTO], "voices": ["Alto"]}, "/personas/0/voices"),
            ({"active_flag_id": ACTIVE, "active_flag": True}, "/personas/0/active_flag"),
        ],
    )
    def test_by_id_or_by_value_but_not_both(self, world: World, fields: dict[str, object], pointer: str) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, **fields}]})

        assert answer.status == 422
        assert pointers(answer) == [pointer]

    @pytest.mark.parametrize(
        "field", ["nickname", "mcp", "generated", "can_edit", "can_delete", "can_duplicate", "persona_id", "version"]
    )
    def test_an_unknown_field_of_an_item_is_refused_by_name(self, world: World, field: str) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, field: True}]})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": f"/personas/0/{field}", "message": "unknown field"}]
        assert world.names() == []

    def test_an_unknown_field_beside_the_items_refuses_the_call(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [NEEDED], "dry_run": True})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/dry_run", "message": "unknown field"}]
        assert world.names() == []

    @pytest.mark.parametrize("group_id", [OTHER_GROUP, None, 5])
    def test_group_id_is_accepted_and_ignored(self, world: World, group_id: object) -> None:
        body = {"group_id": group_id, "personas": [{**NEEDED, "group_id": group_id}]}

        answer = world.client("root").call("create", body)

        assert answer.status == 200
        assert world.names() == ["Ada"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "/personas"),
            ({"personas": None}, "/personas"),
            ({"personas": []}, "/personas"),
            ({"personas": {}}, "/personas"),
            ({"personas": [NEEDED] * 1_001}, "/personas"),
        ],
    )
    def test_one_to_a_thousand_items(self, world: World, body: dict[str, object], field: str) -> None:
        answer = world.client("root").call("create", body)

        assert answer.status == 422
        assert pointers(answer) == [field]
        assert world.names() == []

    @pytest.mark.parametrize("item", [None, 5, "Ada", [], True])
    def test_an_item_that_is_no_object_fails_alone(self, world: World, item: object) -> None:
        answer = world.client("root").call("create", {"personas": [item, NEEDED]})

        assert [each["success"] for each in answer.body["results"]] == [False, True]


class TestResults:
    def test_each_item_is_saved_or_not_on_its_own_in_order(self, world: World) -> None:
        items = [
            {**NEEDED, "name": "One"},
            {**NEEDED, "name": "Two", "color": "Mauve"},
            {**NEEDED, "name": "Three", "nickname": "x"},
            {**NEEDED, "name": "Four"},
        ]

        answer = world.client("root").call("create", {"personas": items})

        assert answer.status == 200
        assert [each["success"] for each in answer.body["results"]] == [True, False, False, True]
        assert world.names() == ["Four", "One"]

    def test_a_failed_one_says_why(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [NEEDED, {**NEEDED, "color": "Mauve"}]})

        assert result(answer, 1) == {
            "success": False,
            "persona_id": None,
            "message": "color: there is no color 'Mauve' in this group",
            "errors": [{"field": "color", "message": "there is no color 'Mauve' in this group"}],
            "version": None,
            "code": "invalid",
        }

    def test_a_failed_one_has_no_id_whatever_it_was_given(self, world: World) -> None:
        items = [NEEDED, {**NEEDED, "id": NEW_ID, "color": "Mauve"}]

        answer = world.client("root").call("create", {"personas": items})

        assert result(answer, 1)["persona_id"] is None

    def test_if_none_was_saved_each_says_why(self, world: World) -> None:
        persona_id = world.save()
        items = [{**NEEDED, "id": persona_id}, {**NEEDED, "color": "Mauve"}, {**NEEDED, "icon": "x"}]

        answer = world.client("root").call("create", {"personas": items})

        assert answer.status == 200
        assert [each["success"] for each in answer.body["results"]] == [False] * 3
        assert [each["code"] for each in answer.body["results"]] == ["id_taken", "invalid", "invalid"]

    def test_a_single_one_is_answered_by_its_own_error(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, "color": "Mauve"}]})

        assert fault(answer) == (422, "invalid")
        assert pointers(answer) == ["/personas/0/color"]
        assert [each["field"] for each in result(answer)["errors"]] == ["color"]

    def test_all_forbidden_are_told_so_one_by_one(self, world: World) -> None:
        items = [{**NEEDED, "department_ids": [LEGAL]}, {**NEEDED, "department_ids": [SALES]}]

        answer = world.client("coach").call("create", {"personas": items})

        assert answer.status == 200
        assert [each["code"] for each in answer.body["results"]] == ["foreign_department"] * 2

    def test_a_role_that_only_reads_is_403_with_the_results(self, world: World) -> None:
        answer = world.client("learner").call("create", {"personas": [{**NEEDED, "department_ids": [CARE]}]})

        assert fault(answer) == (403, "role_may_not_write")
        assert [each["success"] for each in answer.body["results"]] == [False]
        assert world.names() == []


class TestGivenIds:
    def test_a_new_one_is_taken(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, "id": NEW_ID.upper()}]})

        assert result(answer)["persona_id"] == NEW_ID
        assert world.stored(NEW_ID) is not None

    def test_that_of_a_stored_persona_is_409_and_changes_nothing(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        before = world.contents()

        answer = world.client("root").call("create", {"personas": [{**NEEDED, "name": "Bo", "id": persona_id}]})

        assert fault(answer) == (409, "id_taken")
        assert answer.body["detail"] == f"There is a persona with the id {persona_id} already."
        assert pointers(answer) == ["/personas/0/id"]
        assert world.contents() == before

    def test_that_of_a_deleted_persona_goes_on_with_its_version(self, world: World) -> None:
        world.client("root").call("create", {"personas": [{**NEEDED, "id": NEW_ID}]})
        world.client("root").call("update", {"personas": [{"persona_id": NEW_ID, "name": "Bo"}]})
        world.client("root").call("delete", {"persona_ids": [NEW_ID]})

        answer = world.client("root").call("create", {"personas": [{**NEEDED, "id": NEW_ID, "name": "Cy"}]})

        assert result(answer)["version"] == 4
        shown = world.client("root").call("get", {"persona_id": NEW_ID})
        assert shown.body["version"] == 4
        assert shown.body["names"]["resource"]["name"] == "Cy"

    def test_a_persona_made_again_has_nothing_of_the_deleted_one(self, world: World) -> None:
        persona_id = world.save(description="A nurse.", examples=["Hello."], active_flag=True, voices=["Alto"])
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        world.save(id=persona_id)

        body = world.client("root").call("get", {"persona_id": persona_id}).body
        assert body["descriptions"]["resource"] is None
        assert body["examples"]["current"] == []
        assert body["flags"]["current"] is None
        assert body["voices"]["current"] == []

    def test_a_persona_made_again_does_not_expire_with_its_tombstone(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        world.save(id=persona_id)

        stored = world.stored(persona_id)
        assert stored is not None
        assert stored.item.keys().isdisjoint({"deleted", "expires_at"})

    def test_a_tombstone_past_its_time_is_as_good_as_any(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})
        world.set(keys.persona(GROUP, persona_id), "expires_at", 1)

        answer = world.client("root").call("create", {"personas": [{**NEEDED, "id": persona_id}]})

        assert result(answer)["success"] is True

    def test_the_second_item_with_the_same_id_fails(self, world: World) -> None:
        items = [{**NEEDED, "id": NEW_ID, "name": "One"}, {**NEEDED, "id": NEW_ID, "name": "Two"}]

        answer = world.client("root").call("create", {"personas": items})

        assert [each["success"] for each in answer.body["results"]] == [True, False]
        assert result(answer, 1)["errors"] == [{"field": "id", "message": "names the same persona as an earlier item"}]
        assert world.names() == ["One"]

    def test_the_second_item_with_the_same_id_fails_also_where_the_first_breaks_the_contract(
        self, world: World
    ) -> None:
        answer = world.client("root").call("create", {"personas": [{"id": NEW_ID}, {**NEEDED, "id": NEW_ID}]})

        assert [each["code"] for each in answer.body["results"]] == ["invalid", "repeated_item"]
        assert world.names() == []

    def test_another_groups_id_is_new_here(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
        world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)

        answer = world.client("stranger").call("create", {"personas": [{**NEEDED, "id": persona_id, "name": "Bo"}]})

        assert result(answer)["version"] == 1
        own = world.client("root").call("get", {"persona_id": persona_id})
        assert own.body["names"]["resource"]["name"] == "Ada"

    @pytest.mark.parametrize("given", ["", "x", 5, "0b0c5f6e-1f2a-4c3d-8e4f"])
    def test_what_is_no_uuid_is_422(self, world: World, given: object) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, "id": given}]})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/personas/0/id", "message": "must be a UUID"}]


class TestWhoMay:
    @pytest.mark.parametrize(
        ("who", "departments", "status", "code"),
        [
            ("root", [], 200, None),
            ("root", [LEGAL], 200, None),
            ("admin", [CARE], 200, None),
            ("admin", [CARE, SALES], 200, None),
            ("admin", [CARE, LEGAL], 403, "foreign_department"),
            ("admin", [], 422, "department_needed"),
            ("coach", [CARE], 200, None),
            ("coach", [SALES], 403, "foreign_department"),
            ("coach", [], 422, "department_needed"),
            ("loner", [], 422, "department_needed"),
            ("loner", [CARE], 403, "foreign_department"),
            ("learner", [CARE], 403, "role_may_not_write"),
            ("learner", [], 403, "role_may_not_write"),
        ],
    )
    def test_role_and_departments(
        self, world: World, who: str, departments: list[str], status: int, code: str | None
    ) -> None:
        answer = world.client(who).call("create", {"personas": [{**NEEDED, "department_ids": departments}]})

        assert (answer.status, answer.body.get("code")) == (status, code)

    def test_a_foreign_department_by_name_is_no_different(self, world: World) -> None:
        answer = world.client("coach").call("create", {"personas": [{**NEEDED, "departments": ["Sales"]}]})

        assert fault(answer) == (403, "foreign_department")

    @pytest.mark.parametrize(("sent", "stored"), [("true", True), ("1", True), ("yes", True), ("no", False)])
    def test_x_mcp_marks_what_is_made(self, world: World, sent: str, stored: bool) -> None:
        answer = world.client("root", X_MCP=sent).call("create", {"personas": [NEEDED]})

        assert world.persona(result(answer)["persona_id"]).mcp is stored

    def test_a_draft_with_an_invisible_name_is_not_saved(self, world: World) -> None:
        client = world.client("root")
        state = client.call("draft", {"name": "\N{HANGUL FILLER}", "instructions": "Ask."}).body["form_state"]
        item = {**NEEDED, "name": None, "name_id": state["name_id"]}

        answer = client.call("create", {"personas": [item]})

        assert fault(answer) == (422, "invalid")
        assert pointers(answer) == ["/personas/0/name"]

    @pytest.mark.parametrize(
        ("sent", "field"),
        [
            ({}, "departments"),
            ({"departments": None}, "departments"),
            ({"department_ids": []}, "department_ids"),
            ({"departments": ["Sales"], "department_ids": None}, "departments"),
            ({"departments": None, "department_ids": [SALES]}, "department_ids"),
        ],
    )
    def test_departments_are_at_fault_by_the_name_that_they_were_sent_by(
        self, world: World, sent: dict[str, object], field: str
    ) -> None:
        answer = world.client("coach").call("create", {"personas": [{**NEEDED, **sent}]})

        assert pointers(answer) == [f"/personas/0/{field}"]

    @pytest.mark.parametrize("field", ["department_ids", "departments"])
    def test_whether_a_foreign_department_exists_is_not_told(self, world: World, field: str) -> None:
        there, nowhere = ([SALES], [NOBODY]) if field == "department_ids" else (["Sales"], ["Nowhere"])
        coach = world.client("coach")

        foreign = coach.call("create", {"personas": [{**NEEDED, field: there}]})
        unknown = coach.call("create", {"personas": [{**NEEDED, field: nowhere}]})

        assert fault(foreign) == (403, "foreign_department")
        assert foreign.text.replace(foreign.body["request_id"], unknown.body["request_id"]) == unknown.text

    def test_a_superadmin_learns_that_there_is_no_such_department(self, world: World) -> None:
        item = {**NEEDED, "department_ids": [NOBODY]}

        assert world.client("root").call("create", {"personas": [item]}).status == 422
