"""update: changing stored personas, as the contract states it."""

from datetime import timedelta

import pytest

from support.world import (
    ACTIVE,
    ALTO,
    BASS,
    CARE,
    HEART,
    LEGAL,
    MOOD_ANGRY,
    MOOD_CALM,
    NOBODY,
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
    result,
    text_id,
)


class TestChanges:
    def test_only_the_fields_that_are_present_change(self, world: World) -> None:
        persona_id = world.save(
            name="Ada", description="A nurse.", instructions="Be brief.", active_flag=True, examples=["Hello."]
        )

        answer = world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert answer.status == 200
        assert result(answer) == {
            "success": True,
            "persona_id": persona_id,
            "message": "The persona was updated.",
            "errors": None,
            "version": 2,
            "code": None,
        }
        persona = world.persona(persona_id)
        assert persona.name.text == "Bo"
        assert persona.form.description == (text_id("descriptions", "A nurse."), "A nurse.")
        assert persona.form.instructions.text == "Be brief."
        assert (persona.form.color_id, persona.form.icon_id, persona.form.active_flag_id) == (TEAL, STAR, ACTIVE)
        assert [example.text for example in persona.form.examples] == ["Hello."]

    def test_everything_by_value(self, world: World) -> None:
        persona_id = world.save()
        changes = {
            "name": "Bo",
            "description": "A doctor.",
            "instructions": "Be long.",
            "color": "#6e2a59",
            "icon": "HEART-PULSE",
            "active_flag": True,
            "departments": ["care"],
            "parameter_fields": ["mood: calm"],
            "examples": ["Well."],
            "voices": ["bass"],
        }

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, **changes}]})

        persona = world.persona(persona_id)
        assert persona.name.text == "Bo"
        assert persona.form.description == (text_id("descriptions", "A doctor."), "A doctor.")
        assert persona.form.instructions.text == "Be long."
        assert (persona.form.color_id, persona.form.icon_id, persona.form.active_flag_id) == (PLUM, HEART, ACTIVE)
        assert persona.department_ids == (CARE,)
        assert persona.form.parameter_field_ids == (MOOD_CALM,)
        assert [example.text for example in persona.form.examples] == ["Well."]
        assert persona.form.voice_ids == (BASS,)

    def test_everything_by_id(self, world: World) -> None:
        world.save(name="Bo", description="A doctor.", instructions="Be long.", examples=["Well."])
        persona_id = world.save()
        changes = {
            "name_id": text_id("names", "Bo"),
            "description_id": text_id("descriptions", "A doctor."),
            "instructions_id": text_id("instructions", "Be long."),
            "color_id": PLUM,
            "icon_id": HEART,
            "active_flag_id": ACTIVE,
            "department_ids": [CARE],
            "parameter_field_ids": [MOOD_ANGRY],
            "example_ids": [text_id("examples", "Well.")],
            "voice_ids": [ALTO],
        }

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, **changes}]})

        persona = world.persona(persona_id)
        assert (persona.name.text, persona.form.instructions.text) == ("Bo", "Be long.")
        assert persona.form.description == (text_id("descriptions", "A doctor."), "A doctor.")
        assert (persona.form.color_id, persona.form.icon_id, persona.form.active_flag_id) == (PLUM, HEART, ACTIVE)
        assert persona.department_ids == (CARE,)
        assert persona.form.parameter_field_ids == (MOOD_ANGRY,)
        assert [example.text for example in persona.form.examples] == ["Well."]
        assert persona.form.voice_ids == (ALTO,)

    @pytest.mark.parametrize(
        "clear", [{"description": None}, {"description_id": None}, {"description": ""}, {"description": "  "}]
    )
    def test_null_clears_a_selection(self, world: World, clear: dict[str, object]) -> None:
        persona_id = world.save(description="A nurse.")

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, **clear}]})

        assert world.persona(persona_id).form.description is None

    @pytest.mark.parametrize("clear", [{"active_flag": None}, {"active_flag_id": None}, {"active_flag": False}])
    def test_the_flag_is_cleared_so(self, world: World, clear: dict[str, object]) -> None:
        persona_id = world.save(active_flag=True)

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, **clear}]})

        assert world.persona(persona_id).form.active_flag_id is None

    @pytest.mark.parametrize("empty", [[], None])
    @pytest.mark.parametrize("by_id", [True, False])
    def test_empty_clears_a_list(self, world: World, empty: object, by_id: bool) -> None:
        persona_id = world.save(departments=["Care"], parameter_fields=["Angry"], examples=["Hello."], voices=["Alto"])
        names = (
            ("department_ids", "parameter_field_ids", "example_ids", "voice_ids")
            if by_id
            else ("departments", "parameter_fields", "examples", "voices")
        )

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, **dict.fromkeys(names, empty)}]})

        persona = world.persona(persona_id)
        assert persona.department_ids == ()
        assert persona.form.parameter_field_ids == ()
        assert persona.form.examples == ()
        assert persona.form.voice_ids == ()

    def test_a_list_replaces_the_whole_list(self, world: World) -> None:
        persona_id = world.save(examples=["One.", "Two."], parameter_fields=["Angry"], voices=["Alto"])
        changes = {"examples": ["Three.", "One."], "parameter_field_ids": [TONE_FORMAL], "voices": ["Bass"]}

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, **changes}]})

        persona = world.persona(persona_id)
        assert [example.text for example in persona.form.examples] == ["Three.", "One."]
        assert persona.form.parameter_field_ids == (TONE_FORMAL,)
        assert persona.form.voice_ids == (BASS,)

    @pytest.mark.parametrize("field", ["name", "color", "icon", "instructions"])
    @pytest.mark.parametrize("suffix", ["", "_id"])
    def test_what_is_needed_cannot_be_cleared(self, world: World, field: str, suffix: str) -> None:
        persona_id = world.save()
        before = world.contents()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, f"{field}{suffix}": None}]}
        )

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [
            {"field": f"/personas/0/{field}{suffix}", "message": "is required and cannot be cleared"}
        ]
        assert world.contents() == before

    def test_one_side_of_a_pair_may_be_null_beside_the_other(self, world: World) -> None:
        persona_id = world.save()
        item = {"persona_id": persona_id, "color_id": None, "color": "Plum", "name_id": None, "name": "Bo"}

        world.client("root").call("update", {"personas": [item]})

        persona = world.persona(persona_id)
        assert (persona.form.color_id, persona.name.text) == (PLUM, "Bo")

    def test_nothing_but_the_id_is_a_change_of_nothing(self, world: World) -> None:
        persona_id = world.save(description="A nurse.")

        answer = world.client("root").call("update", {"personas": [{"persona_id": persona_id}]})

        assert answer.status == 200
        assert world.persona(persona_id).form.description == (text_id("descriptions", "A nurse."), "A nurse.")

    def test_texts_together_are_counted_as_they_will_stand(self, world: World) -> None:
        euro = "\N{EURO SIGN}"
        persona_id = world.save(instructions=euro * 32_000)

        answer = world.client("root").call(
            "update",
            {"personas": [{"persona_id": persona_id, "examples": [f"{n:02}" + euro * 1_998 for n in range(30)]}]},
        )

        assert fault(answer) == (422, "invalid")
        assert answer.body["errors"] == [
            {
                "field": "/personas/0",
                "message": "all texts together must have at most 262144 bytes of UTF-8, these have 275883",
            }
        ]

    def test_a_later_read_shows_the_change(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        world.client("root").call("get", {"persona_id": persona_id})

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        shown = world.client("root").call("get", {"persona_id": persona_id})
        assert (shown.body["names"]["resource"]["name"], shown.body["version"]) == ("Bo", 2)

    def test_it_keeps_who_made_it_and_when(self, world: World) -> None:
        persona_id = world.save()
        before = world.persona(persona_id)

        world.client("root", X_MCP="true").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        after = world.persona(persona_id)
        assert (after.created_at, after.mcp, after.generated) == (before.created_at, False, False)

    def test_it_says_when_it_was_changed(self, world: World, clock: Clock) -> None:
        persona_id = world.save()
        clock.moment += timedelta(hours=1)

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        persona = world.persona(persona_id)
        assert persona.created_at == "2026-11-24T12:00:00+00:00"
        assert persona.updated_at == "2026-11-24T13:00:00+00:00"

    def test_it_keeps_the_scenarios(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Desk", persona_id, active=False)
        scenario_ids = world.persona(persona_id).scenario_ids

        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert len(scenario_ids) == 1
        assert world.persona(persona_id).scenario_ids == scenario_ids

    def test_scenarios_do_not_count_as_a_version(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Desk", persona_id, active=False)

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "expected_version": 1, "name": "Bo"}]}
        )

        assert result(answer)["version"] == 2


class TestVersions:
    def test_the_expected_one_is_saved(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "expected_version": 1, "name": "Bo"}]}
        )

        assert result(answer)["version"] == 2

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_any_other_is_409_and_changes_nothing(self, world: World, expected: int) -> None:
        persona_id = world.save()
        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})
        before = world.contents()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "expected_version": expected, "name": "Cy"}]}
        )

        assert fault(answer) == (409, "version_conflict")
        assert answer.body["expected_version"] == expected
        assert answer.body["current_version"] == 2
        assert pointers(answer) == ["/personas/0/expected_version"]
        assert world.contents() == before

    def test_null_expects_nothing(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "expected_version": None, "name": "Bo"}]}
        )

        assert answer.status == 200

    @pytest.mark.parametrize("expected", ["x", 1.5, -1, True])
    def test_what_is_no_version_is_422(self, world: World, expected: object) -> None:
        persona_id = world.save()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "expected_version": expected, "name": "Bo"}]}
        )

        assert answer.status == 422
        assert pointers(answer) == ["/personas/0/expected_version"]

    def test_each_item_has_its_own_guard(self, world: World) -> None:
        first, second = world.save(name="Ada"), world.save(name="Bo")
        items = [
            {"persona_id": first, "expected_version": 7, "name": "Ada II"},
            {"persona_id": second, "expected_version": 1, "name": "Bo II"},
        ]

        answer = world.client("root").call("update", {"personas": items})

        assert [each["success"] for each in answer.body["results"]] == [False, True]
        assert world.names() == ["Ada", "Bo II"]


class TestIfMatch:
    @pytest.mark.parametrize("header", ['"1"', ' "1" ', '"7", "1"', "*"])
    def test_a_tag_of_the_stored_version_lets_through(self, world: World, header: str) -> None:
        persona_id = world.save()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]}, If_Match=header
        )

        assert answer.status == 200
        assert world.names() == ["Bo"]

    def test_the_etag_of_get_can_be_sent_back(self, world: World) -> None:
        persona_id = world.save()
        etag = world.client("root").call("get", {"persona_id": persona_id}).headers["ETag"]

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]}, If_Match=etag
        )

        assert answer.status == 200

    @pytest.mark.parametrize("header", ['"2"', '"0"', '"01"', '"abc"', '""', 'W/"1"', '"' + "9" * 5_000 + '"'])
    def test_any_other_tag_is_412_and_changes_nothing(self, world: World, header: str) -> None:
        persona_id = world.save(name="Ada")

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]}, If_Match=header
        )

        assert fault(answer) == (412, "precondition_failed")
        assert answer.body["current_version"] == 1
        assert [each["success"] for each in answer.body["results"]] == [False]
        assert world.names() == ["Ada"]

    @pytest.mark.parametrize("header", ["1", "'1'", '"1', "abc", '"1" "2"', ""])
    def test_what_is_no_entity_tag_is_422(self, world: World, header: str) -> None:
        persona_id = world.save(name="Ada")

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]}, If_Match=header
        )

        assert fault(answer) == (422, "if_match_malformed")
        assert world.names() == ["Ada"]

    def test_with_more_than_one_item_it_is_422_and_nothing_is_saved(self, world: World) -> None:
        first, second = world.save(name="Ada"), world.save(name="Bo")
        items = [{"persona_id": first, "name": "Cy"}, {"persona_id": second, "name": "Di"}]

        answer = world.client("root").call("update", {"personas": items}, If_Match='"1"')

        assert fault(answer) == (422, "if_match_many")
        assert world.names() == ["Ada", "Bo"]

    def test_both_given_must_agree(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        item = {"persona_id": persona_id, "expected_version": 1, "name": "Bo"}

        answer = world.client("root").call("update", {"personas": [item]}, If_Match='"2"')

        assert fault(answer) == (422, "if_match_disagrees")
        assert answer.body["detail"] == "If-Match and expected_version name different versions."
        assert pointers(answer) == ["/personas/0/expected_version"]
        assert world.names() == ["Ada"]

    def test_both_given_and_agreeing_are_saved(self, world: World) -> None:
        persona_id = world.save()
        item = {"persona_id": persona_id, "expected_version": 1, "name": "Bo"}

        answer = world.client("root").call("update", {"personas": [item]}, If_Match='"1"')

        assert answer.status == 200

    def test_both_given_agreeing_and_stale_is_412(self, world: World) -> None:
        persona_id = world.save()
        item = {"persona_id": persona_id, "expected_version": 2, "name": "Bo"}

        answer = world.client("root").call("update", {"personas": [item]}, If_Match='"2"')

        assert fault(answer) == (412, "precondition_failed")

    def test_for_a_persona_that_is_not_there_it_is_404(self, world: World) -> None:
        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": NOBODY, "name": "Bo"}]}, If_Match='"1"'
        )

        assert fault(answer) == (404, "not_found")


class TestStrictness:
    @pytest.mark.parametrize("field", ["nickname", "id", "mcp", "generated", "can_edit", "active"])
    def test_an_unknown_field_is_refused_by_name(self, world: World, field: str) -> None:
        persona_id = world.save(name="Ada")

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "name": "Bo", field: True}]}
        )

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": f"/personas/0/{field}", "message": "unknown field"}]
        assert world.names() == ["Ada"]

    def test_group_id_is_accepted_and_ignored(self, world: World) -> None:
        persona_id = world.save()
        body = {"group_id": NOBODY, "personas": [{"persona_id": persona_id, "group_id": None, "name": "Bo"}]}

        assert world.client("root").call("update", body).status == 200

    def test_the_persona_must_be_named(self, world: World) -> None:
        answer = world.client("root").call("update", {"personas": [{"name": "Bo"}]})

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "/personas/0/persona_id", "message": "is required"}]

    @pytest.mark.parametrize("personas", [[], None, [{"persona_id": NOBODY}] * 1_001])
    def test_one_to_a_thousand_items(self, world: World, personas: object) -> None:
        answer = world.client("root").call("update", {"personas": personas})

        assert answer.status == 422
        assert pointers(answer) == ["/personas"]

    def test_by_id_or_by_value_but_not_both(self, world: World) -> None:
        persona_id = world.save()
        item = {"persona_id": persona_id, "voices": ["Alto"], "voice_ids": [BASS]}

        answer = world.client("root").call("update", {"personas": [item]})

        assert pointers(answer) == ["/personas/0/voices"]

    def test_what_is_not_in_the_catalogue_is_422(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": persona_id, "color": "Mauve", "voice_ids": [NOBODY]}]}
        )

        assert fault(answer) == (422, "invalid")
        assert pointers(answer) == ["/personas/0/color", "/personas/0/voice_ids/0"]

    def test_a_link_that_was_withdrawn_stays_where_nothing_is_said_of_it(self, world: World) -> None:
        persona_id = world.save(color="Plum")
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})

        answer = world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert answer.status == 200
        assert world.persona(persona_id).form.color_id == PLUM


class TestResults:
    def test_each_item_is_saved_or_not_on_its_own_in_order(self, world: World) -> None:
        first, second = world.save(name="Ada"), world.save(name="Bo")
        items = [
            {"persona_id": NOBODY, "name": "X"},
            {"persona_id": first, "name": "Ada II"},
            {"persona_id": second, "name": "Bo II", "color": "Mauve"},
        ]

        answer = world.client("root").call("update", {"personas": items})

        assert answer.status == 200
        told = [(each["success"], each["persona_id"], each["version"]) for each in answer.body["results"]]
        assert told == [(False, NOBODY, None), (True, first, 2), (False, second, None)]
        assert world.names() == ["Ada II", "Bo"]

    def test_the_second_item_for_the_same_persona_fails(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        items = [{"persona_id": persona_id, "name": "Bo"}, {"persona_id": persona_id.upper(), "name": "Cy"}]

        answer = world.client("root").call("update", {"personas": items})

        assert [each["success"] for each in answer.body["results"]] == [True, False]
        assert result(answer, 1) == {
            "success": False,
            "persona_id": persona_id,
            "message": "An earlier item of this call names the same persona.",
            "errors": [{"field": "persona_id", "message": "names the same persona as an earlier item"}],
            "version": None,
            "code": "repeated_item",
        }
        assert world.names() == ["Bo"]

    def test_the_second_fails_also_where_the_first_breaks_the_contract(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        items = [{"persona_id": persona_id.upper(), "name": ""}, {"persona_id": persona_id, "name": "Bo"}]

        answer = world.client("root").call("update", {"personas": items})

        assert [each["code"] for each in answer.body["results"]] == ["invalid", "repeated_item"]
        assert world.names() == ["Ada"]

    def test_an_item_that_breaks_the_contract_still_says_whom_it_was_for(self, world: World) -> None:
        first, second = world.save(name="Ada"), world.save(name="Bo")
        items = [{"persona_id": first, "nickname": "x"}, {"persona_id": second, "name": "Bo II"}]

        answer = world.client("root").call("update", {"personas": items})

        assert [each["persona_id"] for each in answer.body["results"]] == [first, second]

    def test_if_none_was_saved_each_says_why(self, world: World) -> None:
        persona_id = world.save()
        items = [{"persona_id": NOBODY, "name": "X"}, {"persona_id": persona_id, "expected_version": 9, "name": "Y"}]

        answer = world.client("root").call("update", {"personas": items})

        assert answer.status == 200
        assert [each["code"] for each in answer.body["results"]] == ["not_found", "version_conflict"]

    def test_a_hundred_at_once(self, world: World) -> None:
        items = [{**{"color": "Teal", "icon": "Star", "instructions": "Be."}, "name": f"P{n:02}"} for n in range(100)]
        created = world.client("root").call("create", {"personas": items})
        ids = [each["persona_id"] for each in created.body["results"]]

        answer = world.client("root").call(
            "update", {"personas": [{"persona_id": each, "description": "New."} for each in ids]}
        )

        assert [each["version"] for each in answer.body["results"]] == [2] * 100
        assert [each["persona_id"] for each in answer.body["results"]] == ids


class TestWhoMay:
    @pytest.mark.parametrize(
        ("who", "departments", "status", "code"),
        [
            ("root", [], 200, None),
            ("root", [LEGAL], 200, None),
            ("admin", [], 403, "superadmin_only"),
            ("admin", [CARE], 200, None),
            ("admin", [CARE, SALES], 200, None),
            ("admin", [CARE, LEGAL], 403, "not_all_departments"),
            ("admin", [LEGAL], 404, "not_found"),
            ("coach", [CARE], 200, None),
            ("coach", [CARE, SALES], 403, "not_all_departments"),
            ("coach", [SALES], 404, "not_found"),
            ("loner", [], 403, "superadmin_only"),
            ("loner", [CARE], 404, "not_found"),
            ("learner", [], 403, "role_may_not_write"),
            ("learner", [CARE], 403, "role_may_not_write"),
            ("learner", [SALES], 403, "role_may_not_write"),
            ("stranger", [], 404, "not_found"),
        ],
    )
    def test_role_and_departments(
        self, world: World, who: str, departments: list[str], status: int, code: str | None
    ) -> None:
        persona_id = world.save(department_ids=departments)

        answer = world.client(who).call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert (answer.status, answer.body.get("code")) == (status, code)
        assert world.names() == (["Bo"] if status == 200 else ["Ada"])

    @pytest.mark.parametrize("who", ["root", "coach"])
    def test_nobody_while_an_active_scenario_uses_it(self, world: World, who: str) -> None:
        persona_id = world.save(department_ids=[CARE])
        world.cast("Ward", persona_id)

        answer = world.client(who).call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert fault(answer) == (403, "in_use")
        assert world.names() == ["Ada"]

    def test_again_once_the_scenario_is_no_longer_active(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Ward", persona_id)
        world.cast("Ward", persona_id, active=False)

        answer = world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert answer.status == 200

    @pytest.mark.parametrize(
        ("departments", "status", "code"),
        [
            ([CARE], 200, None),
            ([SALES], 200, None),
            ([CARE, SALES], 200, None),
            ([LEGAL], 403, "foreign_department"),
            ([CARE, LEGAL], 403, "foreign_department"),
            ([], 422, "department_needed"),
        ],
    )
    def test_others_than_superadmins_assign_only_their_own_departments(
        self, world: World, departments: list[str], status: int, code: str | None
    ) -> None:
        persona_id = world.save(department_ids=[CARE])

        answer = world.client("admin").call(
            "update", {"personas": [{"persona_id": persona_id, "department_ids": departments}]}
        )

        assert (answer.status, answer.body.get("code")) == (status, code)

    def test_a_superadmin_may_take_all_departments_away(self, world: World) -> None:
        persona_id = world.save(department_ids=[CARE])

        answer = world.client("root").call("update", {"personas": [{"persona_id": persona_id, "department_ids": []}]})

        assert answer.status == 200
        assert world.persona(persona_id).department_ids == ()

    def test_a_deleted_one_is_404(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        answer = world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        assert fault(answer) == (404, "not_found")

    def test_another_groups_is_told_in_the_words_for_a_random_id(self, world: World) -> None:
        persona_id = world.save()
        client = world.client("stranger")

        foreign = client.call("update", {"personas": [{"persona_id": persona_id, "expected_version": 9}]})
        unknown = client.call("update", {"personas": [{"persona_id": NOBODY, "expected_version": 9}]})

        assert (
            foreign.text.replace(persona_id, NOBODY).replace(foreign.body["request_id"], unknown.body["request_id"])
            == unknown.text
        )
