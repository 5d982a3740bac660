"""The README's blocks for clients of the MCP server: each leads to a session with it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from support.readme import FENCE, README, checkout_in

pytestmark = pytest.mark.emulator

BLOCKS: Final = [
    block for _, language, block in FENCE.findall(README.read_text(encoding="utf-8")) if language == "json"
]


def filled(block: str, address: str, key: str, checkout: Path) -> dict[str, Any]:
    """Return the server that a block names, with what its reader, or the client, puts in."""
    for blank, value in {
        "/path/to/personas": str(checkout),
        "http://127.0.0.1:3000": address,
        "https://personas.example.com": address,
        "psk.…": key,
        "${input:personas-key}": key,
        "${PERSONAS_KEY}": key,
    }.items():
        block = block.replace(blank, value)
    configuration = json.loads(block)
    server = configuration.get("servers", configuration.get("mcpServers"))["personas"]
    assert isinstance(server, dict)
    return server


@asynccontextmanager
async def connected(server: dict[str, Any], mode: str, folder: Path) -> AsyncIterator[Client]:
    """Connect as a client does that reads the block."""
    if "command" in server:
        with (folder / "errors").open("w") as errors:
            started = stdio_client(StdioServerParameters.model_validate(server), errlog=errors)
            async with Client(started, mode=mode) as client:
                yield client
        return
    assert server["type"] == "http"
    async with (
        httpx2.AsyncClient(headers=server["headers"], trust_env=False) as http,
        Client(streamable_http_client(server["url"], http_client=http), mode=mode) as client,
    ):
        yield client


def test_there_is_one_by_stdio_and_one_for_each_header() -> None:
    assert ["args" in BLOCKS[0], "X-Api-Key" in BLOCKS[1], "Bearer " in BLOCKS[2]] == [True] * 3
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("block", BLOCKS, ids=["stdio", "key", "bearer"])
def test_a_block_leads_to_the_personas(service: tuple[str, str], block: str, mode: str, tmp_path: Path) -> None:
    # Given a block that is filled in,
    server = filled(block, *service, checkout_in(tmp_path))

    async def use() -> None:
        # when a client connects by it, then a tool answers.
        with anyio.fail_after(60):
            async with connected(server, mode, tmp_path) as client:
                found = await client.call_tool("find_personas", {"query": "Amara Diallo"})
        assert found.structured_content is not None
        assert found.structured_content["total"] == 1

    anyio.run(use)
