"""Messages that no client would send: the MCP server answers each by the protocol, and none by 5xx."""

import json
import os
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personas.contract.mcp import REVISIONS, McpAnswer
from personas.mcp.tools import TOOLS
from support.client import Client
from support.warm import unguarded_world, warm_client
from support.world import NOBODY

MESSAGES: Final = int(os.environ.get("MCP_MESSAGES", "400"))
"""The messages of one run; MCP_MESSAGES tries more."""

METHODS: Final = (
    *("initialize", "ping", "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get"),
    *("resources/list", "resources/templates/list", "resources/read", "completion/complete", "notifications/cancelled"),
)
WORDS: Final = (
    *("name", "arguments", "uri", "cursor", "ref", "argument", "value", "type", "_meta", "protocolVersion"),
    *("capabilities", "clientInfo", "persona", "persona_id", "query", "limit", "offset", "version", "kind"),
    *(TOOLS.keys()),
    *("play_persona", "persona://{id}", f"persona://{NOBODY}", NOBODY, "ref/prompt", "ref/resource", "colors"),
    *REVISIONS,
)
META: Final[dict[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": REVISIONS[0],
    "io.modelcontextprotocol/clientCapabilities": {},
}

words = st.sampled_from(WORDS) | st.text(max_size=600)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=12,
)
calls = st.fixed_dictionaries(
    {"name": st.sampled_from([*TOOLS])},
    optional={
        "arguments": st.dictionaries(
            st.sampled_from([*(name for tool in TOOLS.values() for name in tool.arguments.model_fields)]), values
        )
    },
)
messages = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | values, "id": st.integers() | values, "method": st.sampled_from(METHODS) | values},
    optional={"params": calls | values},
)


world = pytest.fixture(unguarded_world)
client = pytest.fixture(warm_client)


@settings(max_examples=MESSAGES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=messages | values, revision=st.sampled_from([*REVISIONS, None]) | words, declared=st.booleans())
def test_each_is_answered_by_the_protocol(client: Client, message: Any, revision: str | None, declared: bool) -> None:
    sent = {} if revision is None else {"mcp-protocol-version": revision}
    if isinstance(message, dict):
        params = message.get("params")
        if declared and isinstance(params, dict):
            message = {**message, "params": {**params, "_meta": META}}
            named = params.get("name", params.get("uri"))
            sent |= {"mcp-method": str(message.get("method"))} | ({"mcp-name": named} if isinstance(named, str) else {})
    answer = client.call("mcp", json.dumps(message), **sent)
    assert answer.status in {200, 202, 400, 404}, answer.text
    if answer.status != 202:
        McpAnswer.model_validate_json(answer.text)
