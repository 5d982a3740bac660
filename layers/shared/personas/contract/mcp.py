"""mcp: the persona library for programs that speak the Model Context Protocol."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from personas.contract.base import ReadRequest, WireModel
from personas.contract.operation import Operation

LATEST: Final = "2026-07-28"
"""The revision without a handshake: each request says its version and who sends it."""
HANDSHAKE: Final = ("2025-11-25", "2025-06-18")
"""The revisions that begin with ``initialize``, latest first."""
REVISIONS: Final = (LATEST, *HANDSHAKE)

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
"""The place of a resource's metadata (RFC 9728, section 3.1)."""


class McpMessage(ReadRequest, defer_build=True):
    """A request or a notification of JSON-RPC 2.0, as the Model Context Protocol has them."""

    model_config = ConfigDict(title="McpMessage")

    jsonrpc: Annotated[Literal["2.0"], Field(description="The version of JSON-RPC.")]
    # Absent it is in a notification, and never null.
    id: Annotated[
        str | int | None,
        Field(description="The id that the answer repeats; a notification has none."),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    ] = None
    method: Annotated[str, Field(description="The method, such as tools/list.")]
    params: Annotated[dict[str, JsonValue] | None, Field(description="Its parameters.")] = None


class McpError(WireModel, defer_build=True):
    """The reason why a request has no result."""

    code: Annotated[int, Field(description="The kind of error: a code of JSON-RPC or of the protocol.")]
    message: Annotated[str, Field(description="The reason, in words.")]
    data: Annotated[
        JsonValue, Field(description="All else that there is to tell.", exclude_if=lambda data: data is None)
    ] = None


class McpAnswer(WireModel, defer_build=True):
    """The answer to a request: its result, or the error for which it has none."""

    jsonrpc: Annotated[Literal["2.0"], Field(description="The version of JSON-RPC.")]
    id: Annotated[str | int | None, Field(description="The id of the request; null where it has none to repeat.")]
    result: Annotated[
        dict[str, JsonValue] | None, Field(description="The result.", exclude_if=lambda result: result is None)
    ] = None
    error: Annotated[
        McpError | None, Field(description="The error, in place of a result.", exclude_if=lambda error: error is None)
    ] = None


OPERATION: Final = Operation(
    name="mcp",
    summary="Call the MCP server",
    description=(
        "Answers one message of the Model Context Protocol, over Streamable HTTP without sessions and in JSON alone: "
        f"revision {LATEST}, and {' and '.join(HANDSHAKE)} with `initialize`. Keys and tokens are the same as "
        "everywhere; here `Authorization: Bearer` may carry a key, too. All that is written through it counts as made "
        "through an MCP server."
    ),
    request=McpMessage,
    response=McpAnswer,
    errors=(400, 401, 403, 404, 405, 413, 415, 429, 500, 503),
    own_path="/mcp",
    own_routes=(("ANY", "/mcp"), ("GET", METADATA_PATH), ("GET", f"{METADATA_PATH}/mcp")),
    failure=McpAnswer,
    own_answers={
        202: "A notification was taken; there is nothing to answer",
        400: (
            "The body is no message of the protocol (-32700, -32600), its parameters are not those of the method "
            "(-32602), a header says something else than the body (-32020), or its revision is not served (-32022)"
        ),
        401: "No valid key or token; where tokens are taken, `WWW-Authenticate` names the place that tells whose",
        403: "`Origin` is a page that may not call",
        404: f"The method does not exist in revision {LATEST} (-32601)",
        405: "Another method than POST: there are no streams and no sessions",
        413: "The body is too large",
        415: "The body is declared as something other than JSON",
        500: "A defect of the service; quote the `request_id`",
        503: "A backing service throttles or cannot be reached; `Retry-After` says when to try again",
    },
    writes=True,
)
