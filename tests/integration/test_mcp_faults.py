"""The MCP server without its stores: nothing is told as saved that is not, and what to do next is said."""

from typing import Final

import pytest

from personas.contract.mcp import LATEST
from personas.contract.tools import PersonaRead
from support.faults import Faults, Waiting, lost_after, lost_before, throttled, timed_out, to
from support.mcp import Mcp
from support.warm import unguarded_world, warm_client
from support.world import World

INTERNAL: Final = -32603
ADA: Final = {"name": "Ada", "instructions": "You are Ada.", "color": "Teal", "icon": "Star"}

world = pytest.fixture(unguarded_world)


@pytest.fixture
def mcp(world: World) -> Mcp:
    return Mcp(warm_client(world))


@pytest.fixture
def faults(mcp: Mcp, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> Faults:
    # The caller is known by now, so that the faults are those of the tools.
    mcp.told("find_personas")
    return Faults.installed(monkeypatch)


def test_a_write_that_is_throttled_is_told_as_not_saved(mcp: Mcp, faults: Faults) -> None:
    faults.always(to("PutItem", "persona#"), throttled)
    assert "Call again in" in mcp.refused("create_persona", **ADA)
    assert mcp.told("find_personas")["total"] == 0


def test_a_write_whose_answer_is_lost_is_found_to_be_saved(mcp: Mcp, faults: Faults) -> None:
    faults.plan(to("PutItem", "persona#"), lost_after(timed_out()))
    persona_id = mcp.told("create_persona", **ADA)["persona_id"]
    assert mcp.told("read_persona", persona_id=persona_id)["version"] == 1


def test_a_write_of_which_nobody_knows_is_told_as_one_to_look_for(mcp: Mcp, faults: Faults) -> None:
    faults.always(to("PutItem", "persona#"), lost_before(timed_out()))
    said = mcp.refused("create_persona", **ADA)
    assert "It may have been saved, with the id " in said
    assert "before you repeat it" in said
    assert "Idempotency-Key" not in said


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/list", {}),
        ("prompts/get", {"name": "play_persona", "arguments": {"persona": "Ada"}}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "play_persona"}, "argument": {"name": "persona", "value": ""}},
        ),
    ],
)
def test_a_list_that_cannot_be_read_is_an_error_with_the_time_to_wait(
    mcp: Mcp, faults: Faults, method: str, params: dict[str, object]
) -> None:
    faults.always(lambda sent: sent.operation == "Query", throttled)
    answer = mcp.send(method, params)
    assert mcp.revision == LATEST
    assert (answer.status, answer.body["error"]["code"]) == (200, INTERNAL)
    assert answer.body["error"]["data"]["retry_after"] > 0


def test_what_cannot_be_found_out_about_the_caller_is_503(
    world: World, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    mcp = Mcp(warm_client(world))
    Faults.installed(monkeypatch).always(to("BatchGetItem"), throttled)
    answer = mcp.send("tools/list")
    assert (answer.status, answer.body["error"]["code"]) == (503, INTERNAL)
    assert "Retry-After" in answer.headers


def test_a_defect_is_told_as_one_and_nothing_of_its_inside(mcp: Mcp, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        PersonaRead.model_validate({"name": "a secret"})

    monkeypatch.setattr("personas.mcp.tools.listed", broken)
    answer = mcp.send("tools/list")
    assert (answer.status, answer.body["error"]["code"]) == (500, INTERNAL)
    assert answer.body["error"]["data"]["code"] == "internal_error"
    assert "secret" not in answer.text


def test_a_defect_of_a_tool_is_one_too(mcp: Mcp, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("personas.store.personas.PersonaStore.read_decide_write", broken)
    answer = mcp.send("tools/call", {"name": "create_persona", "arguments": ADA})
    assert (answer.status, answer.body["error"]["data"]["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
