"""The bytes that a session takes through the MCP server, beside the same session through the endpoints.

    .venv/bin/python benchmarks/mcp.py

A service with the demo in it answers both, uncompressed: a model reads every byte. The session is a usual one: find
a persona and read it, see what there is to choose from, make another one, change it (once over a change of somebody
else, once against it), read it again, copy it, delete it.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import httpx2

from personas.contract.mcp import LATEST
from personas.contract.registry import OPERATIONS, ROUTES
from support.server import demo_key, serving

META: Final = {
    "io.modelcontextprotocol/protocolVersion": LATEST,
    "io.modelcontextprotocol/clientCapabilities": {},
}
TEXT: Final = "customer"
MADE: Final = {
    "name": "Olga Brandt, guest with a lost reservation",
    "description": "Stands at the desk at midnight, and there is no room.",
    "instructions": "You are Olga Brandt. You have travelled for nine hours, and you are tired rather than angry.",
}
CHANGES: Final = (
    {"description": "Stands at the desk at midnight with two children."},
    {"instructions": "You are Olga Brandt. Your children are asleep on the suitcases, so you keep your voice down."},
    {"description": "Wants a room, and an apology."},
)
"""All are made to the first version: the second merges, the third is refused."""
LAST_VERSION: Final = 3

CALLS: Final = (
    ("find_personas", "search"),
    ("read_persona", "get"),
    ("list_choices", "get, of no persona"),
    ("create_persona", "create"),
    ("edit_persona", "update"),
    ("edit_persona, merging", "update"),
    ("edit_persona, refused", "update"),
    ("read_persona", "get"),
    ("copy_persona", "duplicate"),
    ("delete_persona", "delete"),
)


class Server:
    """A service, with the bytes of its answers so far."""

    def __init__(self, port: int, key: str) -> None:
        headers = {"X-Api-Key": key, "Accept-Encoding": "identity"}
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)
        self.sizes: list[int] = []

    def send(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the body of an answer."""
        answer = self._http.post(path, json=body, headers=headers)
        self.sizes.append(len(answer.content))
        told: dict[str, Any] = answer.json()
        return told

    def request(self, method: str, **params: object) -> dict[str, Any]:
        """Return the result of a request to the MCP server."""
        headers = {"Mcp-Protocol-Version": LATEST, "Mcp-Method": method, "Mcp-Name": str(params.get("name", ""))}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **params}}
        result: dict[str, Any] = self.send(ROUTES["mcp"].path, message, headers)["result"]
        return result

    def tool(self, name: str, /, **arguments: object) -> dict[str, Any]:
        """Return the data that a tool answers with; none if it refuses."""
        told: dict[str, Any] = self.request("tools/call", name=name, arguments=arguments).get("structuredContent", {})
        return told

    def operation(self, name: str, /, **body: object) -> dict[str, Any]:
        """Return the answer of an endpoint."""
        return self.send(ROUTES[name].path, body)


def check(read: Mapping[str, Any]) -> None:
    """Hold a session to its changes: a refusal is short, and would pass for thrift."""
    if read["version"] != LAST_VERSION:
        raise RuntimeError(f"version {read['version']} stands, not {LAST_VERSION}")


def by_tools(server: Server) -> list[int]:
    """Return the bytes of the answers through the MCP server."""
    found = server.tool("find_personas", query=TEXT)["personas"][0]
    read = server.tool("read_persona", persona_id=found["persona_id"])
    server.tool("list_choices", kind="departments")
    made = server.tool("create_persona", **MADE, color=read["color"], icon=read["icon"])
    persona = {"persona_id": made["persona_id"]}
    for change in CHANGES:
        server.tool("edit_persona", **persona, expected_version=1, **change)
    check(server.tool("read_persona", **persona))
    server.tool("copy_persona", **persona)
    server.tool("delete_persona", **persona)
    return server.sizes


def by_endpoints(server: Server) -> list[int]:
    """Return the bytes of the answers through the endpoints."""
    found = server.operation("search", search=TEXT, page_size=10)["personas"][0]
    server.operation("get", persona_id=found["persona_id"])
    server.operation("get")
    item = {**MADE, "color": found["color"], "icon": found["icon"]}
    made = server.operation("create", personas=[item])["results"][0]
    persona = {"persona_id": made["persona_id"]}
    for change in CHANGES:
        server.operation("update", personas=[{**persona, "expected_version": 1, "merge": True, **change}])
    check(server.operation("get", **persona))
    server.operation("duplicate", **persona)
    server.operation("delete", persona_ids=[made["persona_id"]])
    return server.sizes


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (service, port):
        key = demo_key(Path(folder), "superadmin")
        endpoints = by_endpoints(Server(port, key))
        tools = by_tools(Server(port, key))
        described = Server(port, key)
        described.request("tools/list")
        described.operation("docs")
        service.terminate()
        service.wait(timeout=60)  # its emulator writes into the folder to the end
    print("| through the MCP server | bytes | through the endpoints | bytes |\n| --- | --- | --- | --- |")
    for (tool, operation), told, answered in zip(CALLS, tools, endpoints, strict=True):
        print(f"| {tool} | {told:,} | {operation} | {answered:,} |")
    print(f"| **ten calls** | **{sum(tools):,}** | **ten calls** | **{sum(endpoints):,}** |")
    listed, documented = described.sizes
    print(f"| tools/list | {listed:,} | docs, of the {len(OPERATIONS)} | {documented:,} |")


if __name__ == "__main__":
    main()
