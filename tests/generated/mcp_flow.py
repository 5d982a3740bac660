"""A day with an MCP client: find, read, create, edit, merge, play, restore, delete. mcp_flow.ts is the same.

Run as: python mcp_flow.py CLIENT ADDRESS KEY.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import fastmcp
import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PromptReference, Resource, TextResourceContents

type Client = mcp.Client | fastmcp.Client[Any]

LIST_SIZE = 50
"""The resources on a page: the service under test has more."""
HISTORY_SECONDS = 30
"""The time after which the history has to know of a version: it is recorded beside the call."""


@asynccontextmanager
async def connected(kind: str, address: str, key: str) -> AsyncIterator[Client]:
    """Connect a client of this kind, and hold it to the revision that it is to speak."""
    if kind == "fastmcp":
        # It sends the key as a bearer token: many clients can send nothing else.
        client: Client = fastmcp.Client(f"{address}/mcp", auth=key)
    else:
        http = httpx2.AsyncClient(headers={"X-Api-Key": key}, timeout=60)
        mode = "legacy" if kind == "mcp-2025" else "auto"
        client = mcp.Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=mode)
    async with client:
        assert client.protocol_version == ("2025-11-25" if kind == "mcp-2025" else "2026-07-28")
        assert client.server_info
        assert client.server_info.name == "personas"
        yield client


def inside(answer: Any, name: str) -> Any:
    """Return what the official client wraps in a result, and fastmcp's gives bare."""
    return getattr(answer, name, answer)


async def listed_resources(client: Client) -> list[Resource]:
    """Return all resources, page by page; fastmcp's client turns the pages by itself."""
    if isinstance(client, fastmcp.Client):
        return await client.list_resources()
    page = await client.list_resources()
    found = page.resources
    while page.next_cursor:
        page = await client.list_resources(cursor=page.next_cursor)
        found += page.resources
    return found


async def flow(client: Client, name: str) -> None:
    """Do a day's work on a persona of this name."""
    call_tool = (
        partial(client.call_tool, raise_on_error=False) if isinstance(client, fastmcp.Client) else client.call_tool
    )

    async def told(tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await call_tool(tool, arguments)
        assert not answer.is_error, answer.content
        assert answer.structured_content is not None
        return answer.structured_content

    async def refused(tool: str, **arguments: Any) -> str:
        answer = await call_tool(tool, arguments)
        assert answer.is_error, answer.content
        return answer.content[0].text

    # The lists
    tools = inside(await client.list_tools(), "tools")
    assert len(tools) == 9, [each.name for each in tools]
    (prompt,) = inside(await client.list_prompts(), "prompts")
    assert prompt.name == "play_persona"
    resources = await listed_resources(client)
    assert len({each.uri for each in resources}) == len(resources) > LIST_SIZE

    # One is found, and read
    found = await told("find_personas", query="first-year student")
    assert found["total"] == 1
    leila = await told("read_persona", persona_id=found["personas"][0]["persona_id"])
    assert leila["name"].startswith("Leila Haddad")

    # One is created, and edited by two: the second is told what stands there, and merges another field
    fields = {"instructions": "Check types.", "color": leila["color"], "icon": leila["icon"], "active_flag": True}
    persona = {"persona_id": (await told("create_persona", name=name, description="First.", **fields))["persona_id"]}
    assert (await told("read_persona", **persona))["version"] == 1
    assert (await told("edit_persona", **persona, expected_version=1, description="Second."))["version"] == 2
    assert '"Second."' in await refused("edit_persona", **persona, expected_version=1, description="Late.")
    merged = await told("edit_persona", **persona, expected_version=1, instructions="Check them all.")
    assert (merged["version"], merged["merged"]) == (3, True)

    # It is played, by a name that the client completes, and read as a resource
    argument = {"name": "persona", "value": name[:-1]}
    completion = inside(await client.complete(PromptReference(name=prompt.name), argument), "completion")
    assert completion.values == [name]
    played = await client.get_prompt(prompt.name, {"persona": completion.values[0]})
    assert "Check them all." in played.messages[0].content.text
    uri = f"persona://{persona['persona_id']}"
    assert uri in {str(each.uri) for each in await listed_resources(client)}
    (page,) = inside(await client.read_resource(uri), "contents")
    assert isinstance(page, TextResourceContents)
    assert page.text.startswith(f"# {name}\n\nSecond.\n")

    # An earlier version comes back once the history knows of them all, and then the persona goes
    patience = time.monotonic() + HISTORY_SECONDS
    while [each["version"] for each in (await told("persona_history", **persona))["versions"]] != [3, 2, 1]:
        assert time.monotonic() < patience, "the history lacks a version"
        await asyncio.sleep(0.1)
    assert (await told("restore_persona", **persona, version=1))["version"] == 4
    assert (await told("read_persona", **persona))["instructions"] == "Check types."
    await told("delete_persona", **persona)
    assert "find_personas" in await refused("read_persona", **persona)


async def main(kind: str, address: str, key: str) -> None:
    """Connect, and do it."""
    async with connected(kind, address, key) as client:
        await flow(client, f"Made by {kind}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
