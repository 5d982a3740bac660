"""The tools of the MCP server: short answers, the operations' own rules, and errors that say what to do next."""

from typing import Any, Final

import pytest
from pydantic_core import to_json

from personas.contract.mcp import REVISIONS
from personas.store import keys
from support.mcp import Mcp
from support.streamed import Streamed
from support.world import GROUP, NOBODY, World

ANSWER_MAX: Final = 4_000
LIST_MAX: Final = 12_000
INVALID_PARAMS: Final = -32602

ADA: Final = {"name": "Ada", "instructions": "You are Ada.", "color": "Teal", "icon": "Star"}


@pytest.fixture
def mcp(world: World) -> Mcp:
    return Mcp(world.client())


def create(mcp: Mcp, **fields: object) -> str:
    persona_id: str = mcp.told("create_persona", **{**ADA, **fields})["persona_id"]
    return persona_id


def names(found: dict[str, Any]) -> list[str]:
    return [each["name"] for each in found["personas"]]


class TestList:
    @pytest.mark.parametrize("revision", REVISIONS)
    def test_is_short(self, world: World, revision: str) -> None:
        tools = Mcp(world.client(), revision).request("tools/list")["tools"]
        assert [each["name"] for each in tools] == [
            "find_personas",
            "read_persona",
            "list_choices",
            "create_persona",
            "edit_persona",
            "copy_persona",
            "delete_persona",
            "persona_history",
            "restore_persona",
        ]
        assert len(to_json(tools)) < LIST_MAX

    def test_says_which_tools_only_read_and_which_overwrite(self, mcp: Mcp) -> None:
        hints = {each["name"]: each["annotations"] for each in mcp.request("tools/list")["tools"]}
        assert {name for name, each in hints.items() if each.get("readOnlyHint")} == {
            "find_personas",
            "read_persona",
            "list_choices",
            "persona_history",
        }
        assert {name for name, each in hints.items() if each.get("destructiveHint")} == {
            "edit_persona",
            "delete_persona",
            "restore_persona",
        }

    def test_one_that_is_not_in_it_cannot_be_called(self, mcp: Mcp) -> None:
        assert mcp.error("tools/call", {"name": "drop_table"})["code"] == INVALID_PARAMS


class TestFind:
    def test_by_part_of_a_name_or_a_description(self, world: World, mcp: Mcp) -> None:
        world.save(name="Furious customer")
        world.save(name="Ada", description="a CUSTOMER of ours")
        world.save(name="Bo")
        assert names(mcp.told("find_personas", query="customer")) == ["Ada", "Furious customer"]

    def test_by_the_names_of_a_department_and_a_field(self, world: World, mcp: Mcp) -> None:
        world.save(name="Ada", departments=["Care"], parameter_fields=["Mood: Calm"])
        world.save(name="Bo", departments=["Sales"], parameter_fields=["Mood: Calm"])
        assert names(mcp.told("find_personas", department="care")) == ["Ada"]
        assert names(mcp.told("find_personas", field="CALM")) == ["Ada", "Bo"]
        assert names(mcp.told("find_personas", field="calm", department="Sales")) == ["Bo"]

    def test_by_a_name_that_the_tools_tell(self, world: World, mcp: Mcp) -> None:
        world.save(name="Ada", parameter_fields=["Mood: Calm"])
        (name,) = mcp.told("list_choices", kind="parameter_fields", search="mood: calm")["names"]
        assert names(mcp.told("find_personas", field=name)) == ["Ada"]

    def test_a_long_name_is_not_told_back(self, mcp: Mcp) -> None:
        assert len(mcp.refused("find_personas", department="d" * 500)) < 400
        assert "at most 500 characters" in mcp.refused("find_personas", department="d" * 501)

    def test_many_unknown_arguments_are_told_in_few_lines(self, mcp: Mcp) -> None:
        said = mcp.refused("find_personas", **{f"argument{number}": number for number in range(300)})
        assert "and 90 more" in said
        assert len(said) < 1_000

    @pytest.mark.parametrize("argument", ["department", "field"])
    def test_a_name_that_there_is_not_is_told(self, mcp: Mcp, argument: str) -> None:
        assert "'Nowhere'" in mcp.refused("find_personas", **{argument: "Nowhere"})

    def test_page_by_page_comes_to_all(self, world: World, mcp: Mcp) -> None:
        for number in range(12):
            world.save(name=f"Persona {number:02}")
        found, offset = [], 0
        while offset is not None:
            page = mcp.told("find_personas", limit=5, offset=offset)
            assert page["total"] == 12
            found += names(page)
            offset = page.get("next_offset")
        assert found == [f"Persona {number:02}" for number in range(12)]

    def test_long_texts_are_cut_and_long_lists_end_early(self, world: World, mcp: Mcp) -> None:
        for number in range(30):
            world.save(name=f"{number:02} {'n' * 190}", description="d" * 2_000)
        answer = mcp.send("tools/call", {"name": "find_personas", "arguments": {"limit": 50}})
        assert len(answer.text) < ANSWER_MAX
        page = answer.body["result"]["structuredContent"]
        assert 1 < len(page["personas"]) == page["next_offset"] < 30

    def test_null_and_nothing_are_the_same(self, world: World, mcp: Mcp) -> None:
        world.save()
        nothing = dict.fromkeys(("query", "department", "field", "limit", "offset"))
        assert mcp.told("find_personas", **nothing) == mcp.told("find_personas")

    @pytest.mark.parametrize("arguments", [{"limit": 0}, {"limit": 51}, {"offset": -1}, {"query": 5}, {"page": 2}])
    def test_arguments_that_are_none_are_told_by_name(self, mcp: Mcp, arguments: dict[str, object]) -> None:
        (name,) = arguments
        assert f"- {name}: " in mcp.refused("find_personas", **arguments)


class TestRead:
    def test_tells_what_a_persona_is_by_value(self, world: World, mcp: Mcp) -> None:
        persona_id = create(
            mcp,
            description="a customer",
            active_flag=True,
            departments=["Care"],
            parameter_fields=["Mood: Calm"],
            examples=["Where is it?"],
            voices=["Alto"],
        )
        assert mcp.told("read_persona", persona_id=persona_id) == {
            **ADA,
            "persona_id": persona_id,
            "version": 1,
            "can_edit": True,
            "description": "a customer",
            "active_flag": True,
            "departments": ["Care"],
            "parameter_fields": ["Mood: Calm"],
            "examples": ["Where is it?"],
            "voices": ["Alto"],
        }

    def test_what_it_tells_can_be_sent_back(self, world: World, mcp: Mcp) -> None:
        persona_id = create(mcp, departments=["Care"], parameter_fields=["Mood: Calm"], examples=["One."])
        told = mcp.told("read_persona", persona_id=persona_id)
        fields = {name: value for name, value in told.items() if name not in {"version", "can_edit"}}
        assert mcp.told("edit_persona", expected_version=1, **fields)["version"] == 1

    def test_one_that_there_is_not_is_looked_for(self, mcp: Mcp) -> None:
        assert "find_personas" in mcp.refused("read_persona", persona_id=NOBODY)

    def test_one_that_cannot_be_read_is_told_as_one_that_there_is_not_but_to_a_superadmin(
        self, world: World, mcp: Mcp
    ) -> None:
        persona_id = create(mcp)
        world.set(keys.persona(GROUP, persona_id), "row", "damaged")

        coach = Mcp(world.client("coach"))

        assert f"There is no persona {persona_id}." in coach.refused("read_persona", persona_id=persona_id)
        assert "cannot be read" in mcp.refused("read_persona", persona_id=persona_id)

    def test_an_id_that_is_none_is_told(self, mcp: Mcp) -> None:
        assert "- persona_id: must be a UUID" in mcp.refused("read_persona", persona_id="Ada")


class TestChoices:
    @pytest.mark.parametrize("kind", ["colors", "icons", "departments", "parameter_fields", "voices"])
    def test_each_can_be_given_to_a_persona(self, world: World, mcp: Mcp, kind: str) -> None:
        told = mcp.told("list_choices", kind=kind)
        assert told["total"] == len(told["names"]) > 0
        for name in told["names"]:
            given = {"color": name} if kind == "colors" else {"icon": name} if kind == "icons" else {kind: [name]}
            create(mcp, **given)

    def test_are_narrowed_by_a_part_of_the_name(self, mcp: Mcp) -> None:
        assert mcp.told("list_choices", kind="colors", search="TEA")["names"] == ["Teal"]

    def test_a_name_that_names_two_is_no_choice(self, world: World, mcp: Mcp) -> None:
        world.add("voices", "alto, too", {"voice": "alto"})
        assert "alto" not in {each.casefold() for each in mcp.told("list_choices", kind="voices")["names"]}

    def test_quotes_make_no_answer_long(self, world: World, mcp: Mcp) -> None:
        for number in range(60):
            world.add("voices", f"voice {number}", {"voice": f'{number} {"said" * 10}"""""""""'})
        answer = mcp.send("tools/call", {"name": "list_choices", "arguments": {"kind": "voices"}})
        assert len(answer.text) < ANSWER_MAX

    def test_many_are_no_long_answer(self, world: World, mcp: Mcp) -> None:
        for number in range(300):
            world.add("voices", f"voice {number}", {"voice": f"voice {number}"})
        answer = mcp.send("tools/call", {"name": "list_choices", "arguments": {"kind": "voices"}})
        assert len(answer.text) < ANSWER_MAX
        assert answer.body["result"]["structuredContent"]["total"] >= 300


class TestWrite:
    def test_all_counts_as_made_through_an_mcp_server(self, world: World, stream: Streamed, mcp: Mcp) -> None:
        persona_id = create(mcp)
        world.update(persona_id, name="Bo")
        mcp.told("edit_persona", persona_id=persona_id, expected_version=2, name="Cy")
        stream.flow()
        assert world.persona(persona_id).mcp
        history = world.client().call("history", {"persona_id": persona_id}).body["versions"]
        assert [each["mcp"] for each in history] == [True, False, True]

    def test_what_is_wrong_is_told_field_by_field(self, mcp: Mcp) -> None:
        said = mcp.refused("create_persona", **{**ADA, "color": "Purpel", "voices": ["none"], "departments": ["Nix"]})
        for field in ("color", "voices", "departments"):
            assert f"{field}: there is no" in said
        assert "list_choices" in said
        assert mcp.told("find_personas")["total"] == 0

    def test_what_is_needed_is_told(self, mcp: Mcp) -> None:
        said = mcp.refused("create_persona", name="Ada")
        assert [f"- {field}: is required" in said for field in ("instructions", "color", "icon")] == [True] * 3

    def test_an_edit_changes_only_what_it_names(self, world: World, mcp: Mcp) -> None:
        persona_id = create(mcp, description="a customer", examples=["One."])
        mcp.told("edit_persona", persona_id=persona_id, expected_version=1, name="Bo", description="", examples=[])
        told = mcp.told("read_persona", persona_id=persona_id)
        assert told["name"] == "Bo"
        assert told.keys().isdisjoint({"description", "examples"})
        assert told["instructions"] == ADA["instructions"]

    def test_a_stale_edit_of_another_field_is_merged(self, world: World, mcp: Mcp) -> None:
        persona_id = create(mcp)
        mcp.told("edit_persona", persona_id=persona_id, expected_version=1, name="Bo")
        told = mcp.told("edit_persona", persona_id=persona_id, expected_version=1, description="calm")
        assert (told["version"], told["merged"]) == (3, True)
        assert mcp.told("read_persona", persona_id=persona_id)["name"] == "Bo"

    def test_a_stale_edit_of_the_same_field_is_told_what_is_stored(self, world: World, mcp: Mcp) -> None:
        persona_id = create(mcp)
        mcp.told("edit_persona", persona_id=persona_id, expected_version=1, instructions="You are Bo. " + "b" * 5_000)
        said = mcp.refused("edit_persona", persona_id=persona_id, expected_version=1, instructions="You are Cy.")
        assert 'instructions is stored as: "You are Bo. bbb' in said
        assert "expected_version 2" in said
        assert len(said) < 1_000
        assert mcp.told("read_persona", persona_id=persona_id)["version"] == 2

    def test_what_is_stored_is_told_by_the_names_of_the_tools(self, world: World, mcp: Mcp) -> None:
        voices = [f"voice {number}" for number in range(80)]
        for voice in voices:
            world.add("voices", voice, {"voice": voice})
        persona_id = create(mcp)
        given = {"voices": voices, "departments": ["Sales"], "parameter_fields": ["Mood: Calm"], "active_flag": True}
        mcp.told("edit_persona", persona_id=persona_id, expected_version=1, **given)
        other = {"voices": ["Alto"], "departments": ["Care"], "parameter_fields": ["Mood: Angry"]}
        said = mcp.refused("edit_persona", persona_id=persona_id, expected_version=1, active_flag=False, **other)
        for line in (
            '- departments is stored as: ["Sales"]',
            '- parameter_fields is stored as: ["Mood: Calm"]',
            '- voices is stored as: ["voice 0","voice 1"',
        ):
            assert line in said
        assert len(said) < ANSWER_MAX / 2

    def test_an_edit_of_nothing_is_refused(self, mcp: Mcp) -> None:
        persona_id = create(mcp)
        assert "at least one field" in mcp.refused("edit_persona", persona_id=persona_id, expected_version=1)

    @pytest.mark.parametrize("version", [True, 1.5, "one", -1])
    def test_a_version_that_is_none_is_refused(self, mcp: Mcp, version: object) -> None:
        persona_id = create(mcp)
        said = mcp.refused("edit_persona", persona_id=persona_id, expected_version=version, name="Bo")
        assert "- expected_version: " in said

    def test_departments_are_told_as_the_argument_that_they_are(self, world: World) -> None:
        coach = Mcp(world.client("coach"))
        assert "departments: Choose at least one" in coach.refused("create_persona", **ADA)
        said = coach.refused("create_persona", **{**ADA, "departments": ["Caer"]})
        assert "list_choices tells the departments" in said

    def test_a_version_that_is_not_there_yet_is_told(self, mcp: Mcp) -> None:
        persona_id = create(mcp)
        said = mcp.refused("edit_persona", persona_id=persona_id, expected_version=2, name="Bo")
        assert "version 1 is stored" in said
        assert "read_persona" in said

    def test_a_copy_is_inactive_and_named_so(self, mcp: Mcp) -> None:
        told = mcp.told("copy_persona", persona_id=create(mcp, active_flag=True))
        copied = mcp.told("read_persona", persona_id=told["persona_id"])
        assert copied["name"] == "Ada Copy"
        assert copied["active_flag"] is False

    def test_what_was_deleted_comes_back(self, world: World, stream: Streamed, mcp: Mcp) -> None:
        persona_id = create(mcp, examples=["One."])
        before = mcp.told("read_persona", persona_id=persona_id)
        mcp.told("delete_persona", persona_id=persona_id)
        mcp.refused("read_persona", persona_id=persona_id)
        stream.flow()
        assert mcp.told("persona_history", persona_id=persona_id)["deleted"]
        assert mcp.told("restore_persona", persona_id=persona_id, version=1)["version"] == 3
        assert mcp.told("read_persona", persona_id=persona_id) == {**before, "version": 3}

    def test_one_that_only_reads_is_told_to_stop(self, world: World) -> None:
        persona_id = world.save()
        learner = Mcp(world.client("learner"))
        for tool, arguments in (
            ("create_persona", ADA),
            ("edit_persona", {"persona_id": persona_id, "expected_version": 1, "name": "Bo"}),
            ("copy_persona", {"persona_id": persona_id}),
            ("delete_persona", {"persona_id": persona_id}),
            ("restore_persona", {"persona_id": persona_id, "version": 1}),
        ):
            assert "may not do this" in learner.refused(tool, **arguments), tool


class TestHistory:
    def test_tells_who_changed_what(self, world: World, stream: Streamed, mcp: Mcp) -> None:
        persona_id = create(mcp)
        mcp.told("edit_persona", persona_id=persona_id, expected_version=1, name="Bo", description="calm")
        stream.flow()
        told = mcp.told("persona_history", persona_id=persona_id)
        latest = told["versions"][0]
        assert (told["current_version"], latest["version"], latest["kind"], latest["by"]) == (2, 2, "updated", "root")
        assert latest["changed"] == ["name", "description"]
        assert "values" not in told

    def test_shows_one_version_with_its_fields(self, world: World, stream: Streamed, mcp: Mcp) -> None:
        persona_id = create(mcp, examples=["One."])
        mcp.told("edit_persona", persona_id=persona_id, expected_version=1, name="Bo")
        stream.flow()
        told = mcp.told("persona_history", persona_id=persona_id, version=1)
        assert told["values"] == {**ADA, "active_flag": False, "examples": ["One."]}

    @pytest.mark.parametrize("fields", [1, 3])
    def test_goes_on_page_by_page(self, world: World, stream: Streamed, mcp: Mcp, fields: int) -> None:
        persona_id = create(mcp)
        for number in range(14):
            changed = {"name": f"Ada {number}", "description": f"{number}", "instructions": f"{number}"}
            world.update(persona_id, **dict(list(changed.items())[:fields]))
        stream.flow()
        first = mcp.send("tools/call", {"name": "persona_history", "arguments": {"persona_id": persona_id}})
        assert len(first.text) < ANSWER_MAX
        page = first.body["result"]["structuredContent"]
        numbers = [each["version"] for each in page["versions"]]
        while "next_before_version" in page:
            page = mcp.told("persona_history", persona_id=persona_id, before_version=page["next_before_version"])
            numbers += [each["version"] for each in page["versions"]]
        assert numbers == [*range(15, 0, -1)]


def test_a_session_of_ten_calls_is_below_20_kb(world: World, stream: Streamed) -> None:
    for number in range(40):
        world.save(
            name=f"Customer {number}", description="A customer who waits for a parcel.", examples=["Where is it?"]
        )
    answers: list[str] = []

    def call(tool: str, **arguments: object) -> dict[str, Any]:
        answer = Mcp(world.client()).send("tools/call", {"name": tool, "arguments": arguments})
        answers.append(answer.text)
        told: dict[str, Any] = answer.body["result"]["structuredContent"]
        return told

    call("find_personas", query="customer")
    persona_id = call("find_personas", query="customer", offset=10)["personas"][0]["persona_id"]
    call("read_persona", persona_id=persona_id)
    call("list_choices", kind="colors")
    call("list_choices", kind="parameter_fields")
    call("edit_persona", persona_id=persona_id, expected_version=1, name="Bo")
    copied = call("copy_persona", persona_id=persona_id)["persona_id"]
    call("edit_persona", persona_id=copied, expected_version=1, description="Calm.")
    call("delete_persona", persona_id=copied)
    stream.flow()
    call("persona_history", persona_id=persona_id)
    assert len(answers) == 10
    assert sum(map(len, answers)) < 20_000
