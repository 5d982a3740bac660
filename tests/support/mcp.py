"""A client of the MCP server's handler, in one of the protocol's revisions, that holds each result to its schema."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, Final

from jsonschema_rs import Draft202012Validator
from mcp_types.methods import validate_server_result
from pydantic_core import to_json

from personas.contract.mcp import LATEST
from personas.mcp import tools
from support.client import Answer, Client

NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_ids = count(1)


@dataclass(frozen=True)
class ToolAnswer:
    """The answer of a tool: its data, its text, and whether it is an error."""

    data: dict[str, Any]
    text: str
    failed: bool


@dataclass
class Mcp:
    """A client that speaks one ``revision``; every result is validated against that revision's own schema."""

    client: Client
    revision: str = LATEST
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, method: str, params: Mapping[str, object] | None = None, **headers: str | None) -> Answer:
        """Return the answer to a request as it comes; a header given as None is left out."""
        message = {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": self._params(params or {})}
        sent: dict[str, str | None] = {"mcp_protocol_version": self.revision}
        if self.revision == LATEST:
            sent["mcp_method"] = method
            if method in NAMED_BY and NAMED_BY[method] in (params or {}):
                sent["mcp_name"] = encoded(str((params or {})[NAMED_BY[method]]))
        sent |= {**self.headers, **headers}
        return self.client.call("mcp", message, **{name: value for name, value in sent.items() if value is not None})

    def request(self, method: str, params: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the result of a request."""
        answer = self.send(method, params)
        assert answer.status == 200, answer.text
        assert "result" in answer.body, answer.text
        result: dict[str, Any] = answer.body["result"]
        validate_server_result(method, self.revision, result)
        return result

    def error(self, method: str, params: Mapping[str, object] | None = None, **headers: str | None) -> dict[str, Any]:
        """Return the error of a request that has no result."""
        answer = self.send(method, params, **headers)
        error: dict[str, Any] = answer.body["error"]
        return error

    def call(self, tool: str, **arguments: object) -> ToolAnswer:
        """Call a tool."""
        result = self.request("tools/call", {"name": tool, "arguments": arguments})
        (content,) = result["content"]
        if "structuredContent" in result:
            _output_of(tool).validate(result["structuredContent"])
            assert content["text"] == to_json(result["structuredContent"]).decode()
        return ToolAnswer(result.get("structuredContent", {}), content["text"], result.get("isError", False))

    def told(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Call a tool and return its data."""
        answer = self.call(tool, **arguments)
        assert not answer.failed, answer.text
        return answer.data

    def refused(self, tool: str, **arguments: object) -> str:
        """Call a tool that fails, and return the text."""
        answer = self.call(tool, **arguments)
        assert answer.failed, answer.text
        return answer.text

    def _params(self, params: Mapping[str, object]) -> Mapping[str, object]:
        if self.revision != LATEST:
            return params
        meta = {"io.modelcontextprotocol/protocolVersion": LATEST, "io.modelcontextprotocol/clientCapabilities": {}}
        return {"_meta": meta, **params}


@cache
def _output_of(tool: str) -> Draft202012Validator:
    """Return what validates the output of a tool."""
    (listed,) = (each for each in tools.listed() if each.name == tool)
    assert listed.output_schema is not None
    return Draft202012Validator(listed.output_schema)


def encoded(value: str) -> str:
    """Return a value as a header holds it: in base64 where it has other characters than those of ASCII."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="
