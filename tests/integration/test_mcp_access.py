"""Access through the MCP server: what an endpoint answers to a caller is what each tool, prompt and resource tells it.

Nothing about access is decided a second time, so each cell is held against the endpoint's own answer about a twin: in
the same situation, to the same caller.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import pytest

from personas.contract.tools import ChoiceKind
from support.client import Client
from support.mcp import Mcp
from support.streamed import Streamed
from support.world import (
    CARE,
    FORMAL,
    LEGAL,
    MOOD_ANGRY,
    NEEDED,
    NOBODY,
    PEOPLE,
    SALES,
    TONE_CALM,
    TONE_FORMAL,
    World,
    entry_id,
    field_row,
    parameter,
)

CALLERS: Final = tuple(each for each in PEOPLE if each != "seller")
"""A seller is to its department what a coach is to another."""
VALUES: Final = {"name": "Ada", "instructions": "Listen.", "color": "Teal", "icon": "Star"}


def saved(*departments: str) -> Callable[[World], str]:
    return lambda world: world.save(department_ids=list(departments), active_flag=True)


def used(world: World) -> str:
    persona_id = world.save(department_ids=[CARE])
    world.cast(f"Ward of {persona_id}", persona_id)
    return persona_id


def deleted(*departments: str) -> Callable[[World], str]:
    def make(world: World) -> str:
        persona_id = world.save(department_ids=list(departments))
        world.delete(persona_id)
        return persona_id

    return make


def moved_away(world: World) -> str:
    persona_id = world.save(department_ids=[CARE])
    world.update(persona_id, department_ids=[SALES])
    return persona_id


SITUATIONS: Final[Mapping[str, Callable[[World], str]]] = {
    "of one department": saved(CARE),
    "of another department": saved(SALES),
    "of two departments": saved(CARE, SALES),
    "of none": saved(),
    "in an active scenario": used,
    "moved away": moved_away,
    "deleted": deleted(CARE),
    "deleted of another": deleted(SALES),
    "that never was": lambda _: NOBODY,
}

type Asked = Callable[[str], dict[str, object]]
TWINS: Final[Mapping[str, tuple[str, Asked, Asked]]] = {
    "read_persona": ("get", lambda each: {"persona_id": each}, lambda each: {"persona_id": each}),
    "edit_persona": (
        "update",
        lambda each: {"personas": [{"persona_id": each, "expected_version": 1, "merge": True, "description": "Calm."}]},
        lambda each: {"persona_id": each, "expected_version": 1, "description": "Calm."},
    ),
    "copy_persona": ("duplicate", lambda each: {"persona_id": each}, lambda each: {"persona_id": each}),
    "delete_persona": ("delete", lambda each: {"persona_ids": [each]}, lambda each: {"persona_id": each}),
    "persona_history": ("history", lambda each: {"persona_id": each}, lambda each: {"persona_id": each}),
    "restore_persona": (
        "restore",
        lambda each: {"persona_id": each, "version": 1},
        lambda each: {"persona_id": each, "version": 1},
    ),
}
"""For each tool about one persona the endpoint that does the same, and what the two are asked."""


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_tool_tells_what_the_endpoint_answers(world: World, situation: str, who: str) -> None:
    client = world.client(who)
    twins = {tool: (SITUATIONS[situation](world), SITUATIONS[situation](world)) for tool in TWINS}
    Streamed(world.aws, world.guard).flow()
    answers = {tool: client.call(operation, asked(twins[tool][0])) for tool, (operation, asked, _) in TWINS.items()}
    for tool, (_, _, asked_of_tool) in TWINS.items():
        (twin, persona_id), answer = twins[tool], answers[tool]
        told = Mcp(client).call(tool, **asked_of_tool(persona_id))
        assert told.failed == (answer.status != 200), (tool, answer.text, told.text)
        if tool == "persona_history" and not told.failed:
            numbers = [each["version"] for each in answer.body["versions"]]
            assert [each["version"] for each in told.data["versions"]] == numbers
        if tool == "read_persona" and not told.failed:
            form = answer.body
            assert (told.data["version"], told.data["can_edit"]) == (form["version"], form["can_edit"])
            assert told.data["name"] == form["names"]["resource"]["name"]
        if told.failed:
            assert told.text.startswith(answer.body["detail"].replace(twin, persona_id)), (tool, told.text)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_prompt_and_a_resource_are_there_for_who_sees_the_persona(world: World, situation: str, who: str) -> None:
    client = world.client(who)
    persona_id = SITUATIONS[situation](world)
    seen = client.call("get", {"persona_id": persona_id}).status == 200
    for method, params in (
        ("resources/read", {"uri": f"persona://{persona_id}"}),
        ("prompts/get", {"name": "play_persona", "arguments": {"persona": persona_id}}),
        ("prompts/get", {"name": "play_persona", "arguments": {"persona": "Ada"}}),
    ):
        answer = Mcp(client).send(method, params)
        assert ("result" in answer.body) == seen, (method, answer.text)
        if not seen:
            assert answer.body["error"]["message"].replace(persona_id, NOBODY) == unknown(client, method, params)


def unknown(client: Client, method: str, params: Mapping[str, Any]) -> str:
    """Return the message about a thing that there is not, asked for in the same way."""
    text = str(params)
    nobody = {"uri": f"persona://{NOBODY}"} if "uri" in params else {**params, "arguments": {"persona": NOBODY}}
    if "'Ada'" in text:
        nobody = {**params, "arguments": {"persona": "Nothing"}}
    message: str = Mcp(client).error(method, nobody)["message"]
    return message


@pytest.mark.parametrize("who", CALLERS)
def test_lists_hold_what_search_finds_and_count_no_more(world: World, who: str) -> None:
    for name, make in SITUATIONS.items():
        if name != "that never was":
            make(world)
    client = world.client(who)
    found = client.call("search", {"page_size": 100}).body
    ids = {each["persona_id"] for each in found["personas"]}
    active = {each["persona_id"] for each in found["personas"] if not each["is_inactive"]}
    mcp = Mcp(client)
    told = mcp.told("find_personas", limit=50)
    listed = mcp.request("resources/list")["resources"]
    by_id = {"ref": {"type": "ref/resource", "uri": "persona://{id}"}, "argument": {"name": "id", "value": ""}}
    completion = mcp.request("completion/complete", by_id)["completion"]
    assert {each["persona_id"] for each in told["personas"]} == ids
    assert told["total"] == completion["total"] == len(ids)
    assert set(completion["values"]) == ids
    assert {each["uri"].removeprefix("persona://") for each in listed} == active


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("kind", get_args(ChoiceKind))
def test_choices_are_those_of_the_blank_form(world: World, kind: str, who: str) -> None:
    withhold(world)
    client = world.client(who)
    options = client.call("get", {}).body[kind]["resources"]
    told = Mcp(client).told("list_choices", kind=kind)
    assert told["total"] == len(options)
    names = {each.get("name", each.get("voice")) for each in options}
    assert {name.partition(": ")[2] or name for name in told["names"]} == names


@pytest.mark.parametrize("who", ["admin", "coach", "loner", "learner"])
def test_what_others_alone_know_changes_no_name(world: World, who: str) -> None:
    persona_id = world.save(parameter_field_ids=[MOOD_ANGRY])
    mcp = Mcp(world.client(who))

    def told() -> object:
        return mcp.told("list_choices", kind="parameter_fields"), mcp.told("read_persona", persona_id=persona_id)

    before = told()
    world.add("fields", "Secret/Angry", field_row("Angry", department_ids=[LEGAL]))
    secret = parameter("Secret", entry_id("fields", "Secret/Angry"), department_ids=[LEGAL])
    world.add("parameters", "Secret", secret)
    assert told() == before


def withhold(world: World) -> None:
    """Make a parameter and a field known to one department alone, and have a persona of it use both."""
    world.add("parameters", "Tone", parameter("Tone", TONE_CALM, FORMAL, department_ids=[LEGAL]))
    world.add("fields", "Mood/Angry", field_row("Angry", department_ids=[LEGAL]))
    world.save(department_ids=[LEGAL], parameter_field_ids=[MOOD_ANGRY, TONE_FORMAL])


@pytest.mark.parametrize("who", ["admin", "coach", "seller", "loner", "learner", "stranger"])
@pytest.mark.parametrize(("argument", "hidden"), [("department", "Legal"), ("field", "Angry"), ("field", "Formal")])
def test_a_name_of_others_is_told_as_one_that_there_is_not(world: World, argument: str, hidden: str, who: str) -> None:
    withhold(world)
    mcp = Mcp(world.client(who))
    there, not_there = (mcp.refused("find_personas", **{argument: each}) for each in (hidden, "Nothing"))
    assert there.replace(hidden, "Nothing") == not_there
    field = "departments" if argument == "department" else "parameter_fields"
    if PEOPLE[who].role != "learner":
        given = {**VALUES, "departments": ["Care"], **{field: ["Nothing"]}}
        not_there = mcp.refused("create_persona", **given)
        assert mcp.refused("create_persona", **{**given, field: [hidden]}).replace(hidden, "Nothing") == not_there


def test_a_stranger_is_told_of_nothing_here(world: World) -> None:
    world.save(**NEEDED)
    mcp = Mcp(world.client("stranger"))
    assert mcp.told("find_personas") == {"total": 0, "personas": []}
    assert mcp.request("resources/list")["resources"] == []
    assert mcp.told("list_choices", kind="colors") == {"total": 0, "names": []}
