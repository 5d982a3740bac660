"""The prompt, the resources and the completion of the MCP server."""

import base64
from typing import Any, Final

import pytest

from personas.contract.mcp import HANDSHAKE, LATEST, REVISIONS
from support.mcp import Mcp
from support.world import NOBODY, World

INVALID_PARAMS: Final = -32602
RESOURCE_NOT_FOUND: Final = -32002


@pytest.fixture
def mcp(world: World) -> Mcp:
    return Mcp(world.client())


def play(mcp: Mcp, persona: str) -> list[tuple[str, str]]:
    found = mcp.request("prompts/get", {"name": "play_persona", "arguments": {"persona": persona}})
    return [(each["role"], each["content"]["text"]) for each in found["messages"]]


def complete(mcp: Mcp, ref: dict[str, str], argument: str, value: str) -> dict[str, Any]:
    params = {"ref": ref, "argument": {"name": argument, "value": value}}
    completion: dict[str, Any] = mcp.request("completion/complete", params)["completion"]
    return completion


PROMPT: Final = {"type": "ref/prompt", "name": "play_persona"}
TEMPLATE: Final = {"type": "ref/resource", "uri": "persona://{id}"}


class TestPrompt:
    @pytest.mark.parametrize("revision", REVISIONS)
    def test_there_is_one_however_many_personas_there_are(self, world: World, revision: str) -> None:
        world.save(name="Ada")
        world.save(name="Bo")
        (prompt,) = Mcp(world.client(), revision).request("prompts/list")["prompts"]
        assert prompt["name"] == "play_persona"
        assert [(each["name"], each["required"]) for each in prompt["arguments"]] == [("persona", True)]

    def test_gives_instructions_and_examples_as_messages(self, world: World, mcp: Mcp) -> None:
        world.save(name="Ada", description="A customer.", instructions="Be furious.", examples=["Where?", "When?"])
        opening, *examples, closing = play(mcp, "ada")
        assert opening[0] == "user"
        for told in ("Ada", "A customer.", "Be furious."):
            assert told in opening[1]
        assert examples == [("assistant", "Where?"), ("assistant", "When?")]
        assert closing[0] == "user"

    def test_an_inactive_persona_can_be_played_and_by_its_id_too(self, world: World, mcp: Mcp) -> None:
        persona_id = world.save(name="Ada")
        assert play(mcp, persona_id) == play(mcp, persona_id.replace("-", "").upper()) == play(mcp, " ADA ")

    def test_braces_in_texts_stay_as_they_are(self, world: World, mcp: Mcp) -> None:
        world.save(name="{name}", instructions="Say {instructions} {0}.")
        assert "Say {instructions} {0}." in play(mcp, "{name}")[0][1]

    def test_of_two_with_one_name_the_ids_are_told(self, world: World, mcp: Mcp) -> None:
        ids = {world.save(name="Ada"), world.save(name="ADA")}
        error = mcp.error("prompts/get", {"name": "play_persona", "arguments": {"persona": "Ada"}})
        assert error["code"] == INVALID_PARAMS
        assert all(each in error["message"] for each in ids)

    def test_one_name_is_told_from_those_that_contain_it(self, world: World, mcp: Mcp) -> None:
        for name in ("A", "Ada", "Ada Copy", "Adam", "Bo", "B Ada"):
            world.save(name=name, instructions=f"You are {name}.")
        assert "You are Ada." in play(mcp, "Ada")[0][1]

    @pytest.mark.parametrize(
        "params",
        [
            {"name": "play", "arguments": {"persona": "Ada"}},
            {"name": "play_persona"},
            {"name": "play_persona", "arguments": {"persona": " "}},
            {"name": "play_persona", "arguments": {"persona": "Nobody"}},
            {"name": "play_persona", "arguments": {"persona": NOBODY}},
        ],
    )
    def test_what_there_is_not_is_an_error(self, world: World, mcp: Mcp, params: dict[str, object]) -> None:
        world.save(name="Ada")
        assert mcp.error("prompts/get", params)["code"] == INVALID_PARAMS


class TestResources:
    def test_the_active_ones_are_listed_by_name(self, world: World, mcp: Mcp) -> None:
        ids = {name: world.save(name=name, description="A customer.", active_flag=True) for name in ("Bo", "Ada")}
        world.save(name="Cy")
        listed = mcp.request("resources/list")["resources"]
        assert [each["name"] for each in listed] == ["Ada", "Bo"]
        assert listed[0] == {
            "uri": f"persona://{ids['Ada']}",
            "name": "Ada",
            "description": "A customer.",
            "mimeType": "text/markdown",
        }

    @pytest.mark.parametrize("revision", REVISIONS)
    def test_are_read_as_markdown(self, world: World, revision: str) -> None:
        persona_id = world.save(
            name="Ada", instructions="Be furious.", examples=["Where?\nWhen?"], departments=["Care"]
        )
        uri = f"persona://{persona_id}"
        (content,) = Mcp(world.client(), revision).request("resources/read", {"uri": uri})["contents"]
        assert content["uri"] == uri
        assert content["mimeType"] == "text/markdown"
        for told in ("# Ada\n", "Be furious.", "> Where?\n> When?", "- Departments: Care", "- Active: no"):
            assert told in content["text"]

    def test_the_template_names_them_all(self, mcp: Mcp) -> None:
        (template,) = mcp.request("resources/templates/list")["resourceTemplates"]
        assert template["uriTemplate"] == "persona://{id}"

    @pytest.mark.parametrize("uri", [f"persona://{NOBODY}", "persona://Ada", "persona:", "file:///etc/passwd", ""])
    @pytest.mark.parametrize(
        ("revision", "code"), [(LATEST, INVALID_PARAMS), *((each, RESOURCE_NOT_FOUND) for each in HANDSHAKE)]
    )
    def test_one_that_there_is_not_is_told_by_its_address(
        self, world: World, uri: str, revision: str, code: int
    ) -> None:
        error = Mcp(world.client(), revision).error("resources/read", {"uri": uri})
        assert error["code"] == code
        assert error["data"]["uri"] == uri

    def test_page_by_page_comes_to_all_whatever_is_written_between(self, world: World, mcp: Mcp) -> None:
        wanted = [f"Persona {number:03}" for number in range(120)]
        ids = {name: world.save(name=name, active_flag=True) for name in wanted}
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = mcp.request("resources/list", {} if cursor is None else {"cursor": cursor})
            found += [each["name"] for each in page["resources"]]
            cursor = page.get("nextCursor")
            if cursor is None:
                break
            # Before the place that was reached one comes and one goes, and so does the one that comes next.
            world.save(name=f"A {len(found)}", active_flag=True)
            world.delete(ids[found[-1]])
            gone = wanted[len(found)]
            world.delete(ids[gone])
            wanted.remove(gone)
        assert found == wanted

    @pytest.mark.parametrize("cursor", ["", "?", "bm8="])
    def test_a_cursor_that_is_none_is_refused(self, mcp: Mcp, cursor: str) -> None:
        assert mcp.error("resources/list", {"cursor": cursor})["code"] == INVALID_PARAMS

    def test_a_cursor_of_a_place_behind_all_leads_to_the_end(self, world: World, mcp: Mcp) -> None:
        world.save(name="Ada", active_flag=True)
        behind = base64.urlsafe_b64encode(b"\0" * 16 + "\uffff".encode() * 1_000).decode()
        assert mcp.request("resources/list", {"cursor": behind})["resources"] == []


class TestCompletion:
    def test_of_the_prompt_is_by_name(self, world: World, mcp: Mcp) -> None:
        for name in ("Furious customer", "Calm customer", "Student"):
            world.save(name=name)
        assert complete(mcp, PROMPT, "persona", "CUST") == {
            "values": ["Calm customer", "Furious customer"],
            "total": 2,
            "hasMore": False,
        }

    def test_of_the_resource_is_the_id(self, world: World, mcp: Mcp) -> None:
        persona_id = world.save(name="Ada")
        world.save(name="Bo")
        assert complete(mcp, TEMPLATE, "id", "ad")["values"] == [persona_id]

    def test_of_many_a_hundred_are_told(self, world: World, mcp: Mcp) -> None:
        items = [{"name": f"P {number}", "instructions": "x", "color": "Teal", "icon": "Star"} for number in range(101)]
        assert world.client().call("create", {"personas": items}).status == 200
        told = complete(mcp, PROMPT, "persona", "")
        assert (len(told["values"]), told["hasMore"]) == (100, True)

    def test_of_two_with_one_name_it_is_told_once(self, world: World, mcp: Mcp) -> None:
        for _ in range(2):
            world.save(name="Ada")
        assert complete(mcp, PROMPT, "persona", "ada") == {"values": ["Ada"], "total": 1, "hasMore": False}

    @pytest.mark.parametrize(
        ("ref", "argument"),
        [
            (PROMPT, "name"),
            ({"type": "ref/prompt", "name": "other"}, "persona"),
            ({"type": "ref/resource", "uri": "persona://{name}"}, "id"),
            (TEMPLATE, "persona"),
        ],
    )
    def test_of_what_there_is_not_is_an_error(self, mcp: Mcp, ref: dict[str, str], argument: str) -> None:
        params = {"ref": ref, "argument": {"name": argument, "value": ""}}
        assert mcp.error("completion/complete", params)["code"] == INVALID_PARAMS
