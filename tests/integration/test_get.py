"""get: the form of a persona, as the contract states it."""

import pytest

from support.world import (
    ACTIVE,
    ALTO,
    ANGRY,
    BASS,
    CALM,
    CARE,
    FORMAL,
    GROUP,
    HEART,
    LEGAL,
    LETTER,
    LOADED_AT,
    MOOD,
    MOOD_ANGRY,
    MOOD_CALM,
    NOBODY,
    PLUM,
    SALES,
    STAR,
    TEAL,
    TONE,
    TONE_CALM,
    TONE_FORMAL,
    TONE_IS_CALM,
    World,
    color,
    department,
    entry_id,
    fault,
    field_row,
    icon,
    parameter,
    parameter_field_id,
    text_id,
)

SECTIONS = (
    "names",
    "descriptions",
    "colors",
    "icons",
    "instructions",
    "flags",
    "departments",
    "parameter_fields",
    "examples",
    "parameters",
    "voices",
)


class TestBlankForm:
    def test_it_is_no_persona_and_has_no_version(self, world: World) -> None:
        answer = world.client("root").call("get", {})

        assert answer.status == 200
        assert answer.body["persona_exists"] is False
        assert answer.body["version"] is None
        assert answer.body["draft_version"] is None
        assert "ETag" not in answer.headers

    def test_a_missing_body_is_an_empty_one(self, world: World) -> None:
        client = world.client("root")

        assert client.call("get").body == client.call("get", {}).body

    def test_nulls_are_as_if_absent(self, world: World) -> None:
        client = world.client("root")

        answer = client.call("get", {"persona_id": None, "draft_id": None, "color_search": None, "parameter_ids": None})

        assert answer.body == client.call("get", {}).body

    def test_it_names_the_caller_and_its_group(self, world: World) -> None:
        answer = world.client("coach").call("get", {})

        assert answer.body["actor_name"] == "coach"
        assert answer.body["group_id"] == GROUP

    @pytest.mark.parametrize(
        ("who", "can_edit", "reason"),
        [
            ("root", True, None),
            ("admin", True, None),
            ("coach", True, None),
            ("learner", False, "The role 'learner' can only read personas."),
        ],
    )
    def test_the_role_says_who_may_fill_it_in(self, world: World, who: str, can_edit: bool, reason: str | None) -> None:
        answer = world.client(who).call("get", {})

        assert answer.body["can_edit"] is can_edit
        assert answer.body["disabled_reason"] == reason

    def test_what_has_options_is_shown(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        shown = {name: body[name]["show"] for name in SECTIONS}
        assert shown == {name: name != "examples" for name in SECTIONS}

    def test_four_sections_show_even_in_a_group_without_a_library(self, world: World) -> None:
        body = world.client("stranger").call("get", {}).body

        assert [name for name in SECTIONS if body[name]["show"]] == ["names", "descriptions", "instructions", "flags"]

    def test_four_sections_are_required(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        assert [name for name in SECTIONS if body[name]["required"]] == ["names", "colors", "icons", "instructions"]

    def test_nothing_is_selected(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        for name in ("names", "descriptions", "colors", "icons", "instructions"):
            assert body[name]["resource"] is None
        for name in ("departments", "parameter_fields", "examples", "parameters", "voices"):
            assert body[name]["current"] == []
        assert body["flags"]["current"] is None
        assert body["resolved_parameter_ids"] == []

    def test_the_one_flag_is_active(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        assert body["flags"]["resources"] == [
            {
                "key": "active",
                "label": "Active",
                "description": "In use.",
                "icon_id": None,
                "flag_option_id": ACTIVE,
                "show": True,
                "required": False,
                "generated": False,
            }
        ]

    def test_a_group_whose_library_has_no_flag_has_it_all_the_same(self, world: World) -> None:
        flags = world.client("stranger").call("get", {}).body["flags"]

        assert [flag["key"] for flag in flags["resources"]] == ["active"]

    def test_options_carry_the_fields_of_their_type_in_the_order_of_their_names(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        assert body["colors"]["resources"] == [
            {"id": PLUM, "name": "Plum", "description": None, "hex_code": "#6E2A59", "generated": False},
            {"id": TEAL, "name": "Teal", "description": None, "hex_code": "#16818A", "generated": False},
        ]
        assert body["icons"]["resources"] == [
            {"id": HEART, "name": "Beating heart", "description": None, "value": "heart-pulse", "generated": False},
            {"id": STAR, "name": "Star", "description": None, "value": "star", "generated": False},
        ]
        assert body["voices"]["resources"] == [
            {"id": ALTO, "voice": "Alto", "generated": False},
            {"id": BASS, "voice": "Bass", "generated": False},
        ]
        assert body["departments"]["resources"][0] == {
            "department_id": CARE,
            "name": "Care",
            "description": "The Care people.",
            "generated": False,
        }
        assert body["parameter_fields"]["resources"][0] == {
            "id": MOOD_ANGRY,
            "field_id": ANGRY,
            "parameter_id": MOOD,
            "name": "Angry",
            "description": "Angry it is.",
            "generated": False,
        }

    def test_parameters_and_fields_come_whole(self, world: World) -> None:
        body = world.client("root").call("get", {"parameter_ids": [MOOD]}).body

        assert body["parameters"]["resources"][0] == {
            "id": MOOD,
            "name": "Mood",
            "description": "About Mood.",
            "value": "mood",
            "department_ids": [],
            "persona_parameter": True,
            "document_parameter": False,
            "scenario_parameter": False,
            "video_parameter": False,
            "field_ids": [CALM, ANGRY],
            "created_at": LOADED_AT,
            "active": True,
            "generated": False,
            "mcp": False,
        }
        assert body["fields"][0] == {
            "id": CALM,
            "name": "Calm",
            "description": "Calm it is.",
            "value": "calm",
            "department_ids": [],
            "conditional_parameter_ids": [],
            "created_at": LOADED_AT,
            "active": True,
            "generated": False,
            "mcp": False,
        }


class TestPersona:
    def test_it_comes_with_its_version_as_a_strong_etag(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("update", {"personas": [{"persona_id": persona_id, "name": "Bo"}]})

        answer = world.client("root").call("get", {"persona_id": persona_id})

        assert answer.body["persona_exists"] is True
        assert answer.body["version"] == 2
        assert answer.headers["ETag"] == '"2"'

    def test_every_selection_is_in_its_section(self, world: World) -> None:
        persona_id = world.save(
            name="Ada",
            description="A nurse.",
            instructions="Be brief.",
            color_id=PLUM,
            icon_id=HEART,
            active_flag=True,
            department_ids=[SALES, CARE],
            parameter_field_ids=[TONE_FORMAL, MOOD_CALM],
            examples=["Hello.", "Good bye."],
            voice_ids=[BASS],
        )

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert body["names"]["resource"] == {"id": text_id("names", "Ada"), "name": "Ada", "generated": False}
        assert body["descriptions"]["resource"] == {
            "id": text_id("descriptions", "A nurse."),
            "description": "A nurse.",
            "generated": False,
        }
        assert body["instructions"]["resource"] == {
            "id": text_id("instructions", "Be brief."),
            "template": "Be brief.",
            "generated": False,
        }
        assert body["colors"]["resource"]["id"] == PLUM
        assert body["icons"]["resource"]["id"] == HEART
        assert body["flags"]["current"]["flag_option_id"] == ACTIVE
        assert [each["department_id"] for each in body["departments"]["current"]] == [SALES, CARE]
        assert [each["id"] for each in body["parameter_fields"]["current"]] == [TONE_FORMAL, MOOD_CALM]
        assert [each["id"] for each in body["parameters"]["current"]] == [TONE, MOOD]
        assert [each["id"] for each in body["voices"]["current"]] == [BASS]
        assert body["examples"]["current"] == [
            {"id": text_id("examples", "Hello."), "example": "Hello.", "generated": False},
            {"id": text_id("examples", "Good bye."), "example": "Good bye.", "generated": False},
        ]

    def test_its_own_texts_are_among_the_options(self, world: World) -> None:
        persona_id = world.save(name="Ada", examples=["Hello."])

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert "Ada" in [each["name"] for each in body["names"]["resources"]]
        assert "Hello." in [each["example"] for each in body["examples"]["resources"]]
        assert body["examples"]["show"] is True

    def test_an_inactive_one_has_no_current_flag(self, world: World) -> None:
        persona_id = world.save(active_flag=False)

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert body["flags"]["current"] is None
        assert [each["key"] for each in body["flags"]["resources"]] == ["active"]

    def test_resolved_parameters_are_those_of_the_selected_fields(self, world: World) -> None:
        persona_id = world.save(parameter_field_ids=[TONE_FORMAL, MOOD_CALM, TONE_IS_CALM])

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert body["resolved_parameter_ids"] == [TONE, MOOD]

    def test_ids_are_taken_in_any_spelling(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("get", {"persona_id": persona_id.replace("-", "").upper()})

        assert answer.status == 200
        assert answer.body["persona_exists"] is True

    def test_one_that_does_not_exist_is_404(self, world: World) -> None:
        answer = world.client("root").call("get", {"persona_id": NOBODY})

        assert fault(answer) == (404, "not_found")

    def test_a_deleted_one_is_404(self, world: World) -> None:
        persona_id = world.save()
        world.client("root").call("delete", {"persona_ids": [persona_id]})

        answer = world.client("root").call("get", {"persona_id": persona_id})

        assert fault(answer) == (404, "not_found")

    def test_another_groups_is_404_in_the_words_for_a_random_id(self, world: World) -> None:
        persona_id = world.save()
        client = world.client("stranger")

        foreign = client.call("get", {"persona_id": persona_id})
        unknown = client.call("get", {"persona_id": NOBODY})

        assert fault(foreign) == fault(unknown) == (404, "not_found")
        assert foreign.body["detail"].replace(persona_id, NOBODY) == unknown.body["detail"]

    @pytest.mark.parametrize(
        ("who", "departments", "status"),
        [
            ("root", [LEGAL], 200),
            ("coach", [], 200),
            ("coach", [CARE], 200),
            ("coach", [CARE, LEGAL], 200),
            ("coach", [SALES], 404),
            ("admin", [LEGAL], 404),
            ("learner", [CARE], 200),
            ("learner", [SALES], 404),
            ("loner", [], 200),
            ("loner", [CARE], 404),
        ],
    )
    def test_departments_say_who_sees_it(self, world: World, who: str, departments: list[str], status: int) -> None:
        persona_id = world.save(department_ids=departments)

        assert world.client(who).call("get", {"persona_id": persona_id}).status == status


class TestDisabledReason:
    @pytest.mark.parametrize(
        ("who", "departments", "reason"),
        [
            ("root", [], None),
            ("admin", [CARE, SALES], None),
            ("coach", [CARE], None),
            ("learner", [CARE], "The role 'learner' can only read personas."),
            ("admin", [], "Only a superadmin can change or delete a persona without departments."),
            ("coach", [CARE, SALES], "You can only edit a persona when you belong to all its departments."),
        ],
    )
    def test_says_which_rule_applied(self, world: World, who: str, departments: list[str], reason: str | None) -> None:
        persona_id = world.save(department_ids=departments)

        body = world.client(who).call("get", {"persona_id": persona_id}).body

        assert (body["can_edit"], body["disabled_reason"]) == (reason is None, reason)

    def test_an_active_scenario_disables_it_for_everyone(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Ward", persona_id)

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert body["can_edit"] is False
        assert body["disabled_reason"] == (
            "An active scenario uses this persona, so it cannot be changed or deleted now."
        )

    def test_an_inactive_scenario_does_not(self, world: World) -> None:
        persona_id = world.save()
        world.cast("Desk", persona_id, active=False)

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert (body["can_edit"], body["disabled_reason"]) == (True, None)


class TestDraftOverlay:
    def test_what_the_draft_holds_is_shown_instead_of_the_personas_own(self, world: World) -> None:
        persona_id = world.save(name="Ada", instructions="Be brief.", color="Teal", voices=["Alto"])
        draft_id = world.draft(name="Bo", color_id=PLUM, voice_ids=[BASS])

        body = world.client("root").call("get", {"persona_id": persona_id, "draft_id": draft_id}).body

        assert body["names"]["resource"]["name"] == "Bo"
        assert body["colors"]["resource"]["id"] == PLUM
        assert [each["id"] for each in body["voices"]["current"]] == [BASS]
        assert body["instructions"]["resource"]["template"] == "Be brief."
        assert body["icons"]["resource"]["id"] == STAR

    def test_what_the_draft_cleared_is_cleared(self, world: World) -> None:
        persona_id = world.save(
            description="A nurse.",
            active_flag=True,
            departments=["Care"],
            parameter_fields=["Angry"],
            examples=["Hello."],
            voices=["Alto"],
        )
        draft_id = world.draft(
            name=None,
            description=None,
            instructions=None,
            color_id=None,
            icon_id=None,
            flag_id=None,
            department_ids=[],
            parameter_field_ids=None,
            examples=[],
            voice_ids=[],
        )

        body = world.client("root").call("get", {"persona_id": persona_id, "draft_id": draft_id}).body

        for name in ("names", "descriptions", "instructions", "colors", "icons"):
            assert body[name]["resource"] is None
        for name in ("departments", "parameter_fields", "examples", "voices"):
            assert body[name]["current"] == []
        assert body["flags"]["current"] is None

    def test_what_a_later_patch_cleared_is_cleared(self, world: World) -> None:
        persona_id = world.save(description="A nurse.", examples=["Hello."])
        draft_id = world.draft(description="A doctor.", examples=["Well."])
        patch = {"input_draft_id": draft_id, "expected_version": 1, "description": None, "examples": []}
        world.client("root").call("draft", patch)

        body = world.client("root").call("get", {"persona_id": persona_id, "draft_id": draft_id}).body

        assert body["descriptions"]["resource"] is None
        assert body["examples"]["current"] == []

    def test_an_empty_draft_changes_nothing(self, world: World) -> None:
        persona_id = world.save(description="A nurse.", examples=["Hello."], active_flag=True)
        draft_id = world.draft()
        client = world.client("root")

        laid_over = client.call("get", {"persona_id": persona_id, "draft_id": draft_id}).body

        assert laid_over == {**client.call("get", {"persona_id": persona_id}).body, "draft_version": 1}

    def test_versions_of_both_are_told(self, world: World) -> None:
        persona_id = world.save()
        draft_id = world.draft()
        world.client("root").call("draft", {"input_draft_id": draft_id, "expected_version": 1, "name": "Bo"})

        answer = world.client("root").call("get", {"persona_id": persona_id, "draft_id": draft_id})

        assert (answer.body["version"], answer.body["draft_version"]) == (1, 2)
        assert answer.headers["ETag"] == '"1"'

    def test_over_the_blank_form(self, world: World) -> None:
        draft_id = world.draft(name="Bo", examples=["Well."], color_id=TEAL)

        answer = world.client("root").call("get", {"draft_id": draft_id})

        assert answer.body["persona_exists"] is False
        assert answer.body["draft_version"] == 1
        assert answer.body["version"] is None
        assert "ETag" not in answer.headers
        assert answer.body["names"]["resource"]["name"] == "Bo"
        assert [each["example"] for each in answer.body["examples"]["current"]] == ["Well."]
        assert answer.body["colors"]["resource"]["id"] == TEAL

    def test_another_profiles_draft_is_404_even_to_a_superadmin(self, world: World) -> None:
        draft_id = world.draft("coach", name="Bo")

        assert fault(world.client("root").call("get", {"draft_id": draft_id})) == (404, "not_found")

    def test_a_draft_that_does_not_exist_is_404_over_a_persona_that_does(self, world: World) -> None:
        persona_id = world.save()

        answer = world.client("root").call("get", {"persona_id": persona_id, "draft_id": NOBODY})

        assert fault(answer) == (404, "not_found")

    def test_a_text_that_only_a_draft_uses_is_offered_to_nobody_else(self, world: World) -> None:
        persona_id = world.save(name="Ada")
        world.draft("root", name="Secret name", examples=["Secret line."])

        body = world.client("admin").call("get", {"persona_id": persona_id}).body

        assert "Secret" not in str(body)


class TestSearches:
    @pytest.mark.parametrize(
        ("sought", "found"), [("pl", ["Plum"]), ("PLUM", ["Plum"]), ("#6e2a", ["Plum"]), ("l", ["Plum", "Teal"])]
    )
    def test_colors_by_name_or_hex_code_without_case(self, world: World, sought: str, found: list[str]) -> None:
        body = world.client("root").call("get", {"color_search": sought}).body

        assert [each["name"] for each in body["colors"]["resources"]] == found

    @pytest.mark.parametrize(("sought", "found"), [("BEAT", ["Beating heart"]), ("-pulse", ["Beating heart"])])
    def test_icons_by_name_or_value_without_case(self, world: World, sought: str, found: list[str]) -> None:
        body = world.client("root").call("get", {"icon_search": sought}).body

        assert [each["name"] for each in body["icons"]["resources"]] == found

    @pytest.mark.parametrize("field", ["parameter_field_search", "field_search"])
    def test_parameter_fields_by_name_under_both_names_of_the_request(self, world: World, field: str) -> None:
        body = world.client("root").call("get", {field: "ANG"}).body

        assert [each["id"] for each in body["parameter_fields"]["resources"]] == [MOOD_ANGRY]

    @pytest.mark.parametrize("sought", [".", "%", "_", "*", "P.um"])
    def test_are_literal(self, world: World, sought: str) -> None:
        body = world.client("root").call("get", {"color_search": sought}).body

        assert body["colors"]["resources"] == []

    def test_fold_what_only_looks_different(self, world: World) -> None:
        grass = world.add("colors", "Straße", color("Straße", "#00FF00"))

        body = world.client("root").call("get", {"color_search": "\N{FULLWIDTH LATIN CAPITAL LETTER S}TRASSE"}).body

        assert [each["id"] for each in body["colors"]["resources"]] == [grass]

    def test_a_section_without_hits_is_not_shown(self, world: World) -> None:
        body = world.client("root").call("get", {"color_search": "nothing"}).body

        assert body["colors"]["show"] is False

    def test_the_selected_one_stays_among_the_options(self, world: World) -> None:
        persona_id = world.save(color="Teal", icon="Star", parameter_field_ids=[TONE_FORMAL])
        searches = {"color_search": "plum", "icon_search": "heart", "parameter_field_search": "angry"}

        body = world.client("root").call("get", {"persona_id": persona_id, **searches}).body

        assert [each["id"] for each in body["colors"]["resources"]] == [PLUM, TEAL]
        assert [each["id"] for each in body["icons"]["resources"]] == [HEART, STAR]
        assert [each["id"] for each in body["parameter_fields"]["resources"]] == [MOOD_ANGRY, TONE_FORMAL]

    def test_an_empty_search_finds_everything(self, world: World) -> None:
        body = world.client("root").call("get", {"color_search": ""}).body

        assert len(body["colors"]["resources"]) == 2


class TestShowSelected:
    def test_reduces_options_to_what_is_selected(self, world: World) -> None:
        persona_id = world.save(color="Teal", icon="Star", parameter_field_ids=[MOOD_CALM])
        switches = {"color_show_selected": True, "icon_show_selected": True, "parameter_field_show_selected": True}

        body = world.client("root").call("get", {"persona_id": persona_id, **switches}).body

        assert [each["id"] for each in body["colors"]["resources"]] == [TEAL]
        assert [each["id"] for each in body["icons"]["resources"]] == [STAR]
        assert [each["id"] for each in body["parameter_fields"]["resources"]] == [MOOD_CALM]

    def test_has_the_other_name_that_clients_send(self, world: World) -> None:
        persona_id = world.save(parameter_field_ids=[MOOD_CALM])

        body = world.client("root").call("get", {"persona_id": persona_id, "field_show_selected": True}).body

        assert [each["id"] for each in body["parameter_fields"]["resources"]] == [MOOD_CALM]

    @pytest.mark.parametrize("switch", [False, None])
    def test_off_reduces_nothing(self, world: World, switch: bool | None) -> None:
        body = world.client("root").call("get", {"color_show_selected": switch}).body

        assert len(body["colors"]["resources"]) == 2

    def test_goes_by_the_draft_where_one_is_laid_over(self, world: World) -> None:
        persona_id = world.save(color="Teal")
        draft_id = world.draft(color_id=PLUM)
        request = {"persona_id": persona_id, "draft_id": draft_id, "color_show_selected": True}

        body = world.client("root").call("get", request).body

        assert [each["id"] for each in body["colors"]["resources"]] == [PLUM]


class TestParameters:
    def test_only_parameters_for_personas_are_offered(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        assert [each["id"] for each in body["parameters"]["resources"]] == [MOOD, TONE]
        assert LETTER not in [each["field_id"] for each in body["parameter_fields"]["resources"]]

    def test_parameter_ids_pick_whose_fields_are_offered(self, world: World) -> None:
        body = world.client("root").call("get", {"parameter_ids": [TONE]}).body

        assert {each["id"] for each in body["parameter_fields"]["resources"]} == {TONE_IS_CALM, TONE_FORMAL}
        assert {each["id"] for each in body["fields"]} == {TONE_CALM, FORMAL}
        assert [each["id"] for each in body["parameters"]["current"]] == [TONE]
        assert [each["id"] for each in body["parameters"]["resources"]] == [MOOD, TONE]

    def test_selected_fields_of_other_parameters_stay_among_the_options(self, world: World) -> None:
        persona_id = world.save(parameter_field_ids=[MOOD_CALM])

        body = world.client("root").call("get", {"persona_id": persona_id, "parameter_ids": [TONE]}).body

        assert {each["id"] for each in body["parameter_fields"]["resources"]} == {
            MOOD_CALM,
            TONE_IS_CALM,
            TONE_FORMAL,
        }
        assert body["resolved_parameter_ids"] == [MOOD]

    def test_none_picked_offers_the_fields_of_all(self, world: World) -> None:
        body = world.client("root").call("get", {"parameter_ids": []}).body

        assert len(body["parameter_fields"]["resources"]) == 4

    def test_withdrawn_ones_are_not_offered(self, world: World) -> None:
        world.add("parameters", "Mood", parameter("Mood", CALM, ANGRY, active=False))
        world.add("fields", "Tone/Formal", field_row("Formal", active=False))

        body = world.client("root").call("get", {}).body

        assert [each["id"] for each in body["parameters"]["resources"]] == [TONE]
        assert [each["id"] for each in body["parameter_fields"]["resources"]] == [TONE_IS_CALM]

    def test_withdrawn_ones_stay_where_they_are_selected(self, world: World) -> None:
        persona_id = world.save(parameter_field_ids=[MOOD_CALM])
        world.add("parameters", "Mood", parameter("Mood", CALM, ANGRY, active=False))

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert [each["id"] for each in body["parameter_fields"]["current"]] == [MOOD_CALM]
        assert [each["id"] for each in body["parameters"]["current"]] == [MOOD]

    def test_those_meant_for_other_departments_are_not_offered(self, world: World) -> None:
        world.add("parameters", "Mood", parameter("Mood", CALM, ANGRY, department_ids=[SALES]))

        assert [each["id"] for each in world.client("coach").call("get", {}).body["parameters"]["resources"]] == [TONE]
        assert len(world.client("seller").call("get", {}).body["parameters"]["resources"]) == 2
        assert len(world.client("root").call("get", {}).body["parameters"]["resources"]) == 2


class TestWithdrawn:
    """Tests of entries with ``active: false``: kept where they are selected, and not offered otherwise."""

    def test_a_color_is_not_offered(self, world: World) -> None:
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})

        body = world.client("root").call("get", {}).body

        assert [each["id"] for each in body["colors"]["resources"]] == [TEAL]

    def test_a_color_stays_where_it_is_selected(self, world: World) -> None:
        persona_id = world.save(color="Plum")
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        assert body["colors"]["resource"]["id"] == PLUM

    def test_neither_are_icons_voices_and_departments(self, world: World) -> None:
        world.add("icons", "Star", {**icon("Star", "star"), "active": False})
        world.add("voices", "Alto", {"voice": "Alto", "generated": False, "active": False})
        world.add("departments", "Care", {**department("Care"), "active": False})

        body = world.client("root").call("get", {}).body

        assert [each["id"] for each in body["icons"]["resources"]] == [HEART]
        assert [each["id"] for each in body["voices"]["resources"]] == [BASS]
        assert {each["department_id"] for each in body["departments"]["resources"]} == {LEGAL, SALES}


class TestDepartments:
    @pytest.mark.parametrize(
        ("who", "offered"), [("root", {CARE, SALES, LEGAL}), ("admin", {CARE, SALES}), ("coach", {CARE})]
    )
    def test_the_callers_own_are_offered_and_all_to_a_superadmin(
        self, world: World, who: str, offered: set[str]
    ) -> None:
        body = world.client(who).call("get", {}).body

        assert {each["department_id"] for each in body["departments"]["resources"]} == offered

    def test_those_of_the_persona_are_among_them(self, world: World) -> None:
        persona_id = world.save(department_ids=[CARE, LEGAL])

        body = world.client("coach").call("get", {"persona_id": persona_id}).body

        assert {each["department_id"] for each in body["departments"]["resources"]} == {CARE, LEGAL}


class TestLimits:
    def test_at_most_100_options_and_the_selected_one_among_them(self, world: World) -> None:
        for number in range(101):
            world.add("colors", f"A{number:03}", color(f"A{number:03}", f"#0000{number:02X}"))
        persona_id = world.save(color="Teal")

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        names = [each["name"] for each in body["colors"]["resources"]]
        assert names == [*(f"A{number:03}" for number in range(99)), "Teal"]

    def test_selected_lists_count_into_the_100(self, world: World) -> None:
        for number in range(110):
            world.add("voices", f"V{number:03}", {"voice": f"V{number:03}", "generated": False})
        selected = [entry_id("voices", f"V{number:03}") for number in range(105, 110)]
        persona_id = world.save(voice_ids=selected)

        body = world.client("root").call("get", {"persona_id": persona_id}).body

        offered = [each["id"] for each in body["voices"]["resources"]]
        assert len(offered) == 100
        assert set(selected) <= set(offered)

    def test_parameter_fields_too(self, world: World) -> None:
        field_ids = [world.add("fields", f"Big/{n:03}", field_row(f"{n:03}")) for n in range(120)]
        big = world.add("parameters", "Big", parameter("Big", *field_ids))

        body = world.client("root").call("get", {"parameter_ids": [big]}).body

        assert len(body["parameter_fields"]["resources"]) == 100
        assert body["parameter_fields"]["resources"][0]["id"] == parameter_field_id(big, field_ids[0])


class TestGeneration:
    def test_follows_the_groups_setting(self, world: World) -> None:
        world.settings(ai_generate=["names", "examples", "parameter_fields"])

        body = world.client("root").call("get", {}).body

        offered = [name for name in SECTIONS if body[name]["show_ai_generate"]]
        assert offered == ["names", "parameter_fields", "examples"]

    def test_a_group_without_settings_offers_none(self, world: World) -> None:
        body = world.client("root").call("get", {}).body

        assert [name for name in SECTIONS if body[name]["show_ai_generate"]] == []
        assert body["basic_show_ai_generate"] is False

    @pytest.mark.parametrize(
        ("kind", "basic", "content", "parameters"),
        [
            ("names", True, False, False),
            ("descriptions", True, False, False),
            ("flags", True, False, False),
            ("departments", True, False, False),
            ("instructions", False, True, False),
            ("examples", False, True, False),
            ("voices", False, True, False),
            ("parameters", False, False, True),
            ("parameter_fields", False, False, True),
            ("colors", False, False, False),
            ("icons", False, False, False),
        ],
    )
    def test_steps_gather_their_kinds(
        self, world: World, kind: str, basic: bool, content: bool, parameters: bool
    ) -> None:
        world.settings(ai_generate=[kind])

        body = world.client("root").call("get", {}).body

        assert body[kind]["show_ai_generate"] is True
        assert body["basic_show_ai_generate"] is basic
        assert body["content_show_ai_generate"] is content
        assert body["parameters_step_show_ai_generate"] is parameters


class TestTolerance:
    def test_unknown_fields_are_passed_over(self, world: World) -> None:
        client = world.client("root")

        answer = client.call("get", {"profile_id": NOBODY, "names_search": "x", "can_edit": True, "nested": {"a": [1]}})

        assert answer.body == client.call("get", {}).body

    @pytest.mark.parametrize("group_id", [NOBODY, None, 7, "not an id"])
    def test_group_id_is_accepted_and_ignored(self, world: World, group_id: object) -> None:
        answer = world.client("root").call("get", {"group_id": group_id})

        assert answer.status == 200
        assert answer.body["group_id"] == GROUP

    def test_what_changes_in_the_library_is_offered_at_once(self, world: World) -> None:
        client = world.client("root")
        client.call("get", {})

        sand = world.add("colors", "Sand", color("Sand", "#D8C8A0"))

        assert sand in [each["id"] for each in client.call("get", {}).body["colors"]["resources"]]
