"""The methods of the Model Context Protocol that this server has, each answered by the persona library."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mcp_types import (
    SERVER_INFO_META_KEY,
    CacheableResult,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompletionsCapability,
    DiscoverResult,
    EmptyResult,
    GetPromptRequestParams,
    Implementation,
    InitializeRequestParams,
    InitializeResult,
    ListPromptsResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    PromptsCapability,
    ReadResourceRequestParams,
    RequestParams,
    ResourcesCapability,
    Result,
    ServerCapabilities,
    ToolsCapability,
)
from mcp_types.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND
from pydantic import JsonValue, ValidationError

from personas import __version__
from personas.contract.mcp import HANDSHAKE, LATEST, REVISIONS
from personas.contract.problems import field_errors
from personas.domain.profile import Caller
from personas.errors import NotFound, PersonasError
from personas.mcp import prompts, resources, tools
from personas.mcp.completion import complete
from personas.mcp.exchange import ProtocolError, Request
from personas.mcp.tool_errors import is_defect
from personas.observability import add_log_fields, record_error
from personas.services import Services

TTL_MS: Final = 3_600_000
"""The time for which a client may keep what only a deployment changes."""
_RESOURCE_NOT_FOUND: Final = -32002
"""The code of a resource that is not there, in the revisions with a handshake."""

_METHOD_LOGGED: Final = 60
"""Characters of a method's name in the log."""

_INFO: Final = Implementation(name="personas", title="Personas", version=__version__)
_CAPABILITIES: Final = ServerCapabilities(
    tools=ToolsCapability(),
    prompts=PromptsCapability(),
    resources=ResourcesCapability(),
    completions=CompletionsCapability(),
)
_INSTRUCTIONS: Final = (
    "A library of personas: characters, such as a furious customer, that people train conversations with. Find one by"
    " find_personas, and read it before you change it. The prompt play_persona has you play one."
)


class _Method(NamedTuple):
    """A method: the model of its parameters, the function that answers it, and the revisions that have it."""

    params: type[RequestParams]
    answer: Callable[[Services, Caller, Any], Result]
    revisions: tuple[str, ...] = REVISIONS


def serve(services: Services, caller: Caller, request: Request) -> Mapping[str, object]:
    """Return the result of a request.

    Raises:
        ProtocolError: it has none.
    """
    add_log_fields(method=request.method[:_METHOD_LOGGED], revision=request.revision)
    method = _METHODS.get(request.method)
    if method is None or request.revision not in method.revisions:
        raise ProtocolError(METHOD_NOT_FOUND, "This server has no such method in this revision of the protocol.")
    try:
        params = method.params.model_validate(request.params, by_name=False)
    except ValidationError as error:
        faults = field_errors(error.errors(include_url=False), "/params")
        told: JsonValue = [each.model_dump() for each in faults]
        raise ProtocolError(INVALID_PARAMS, "The parameters are not those of this method.", {"errors": told}) from None
    try:
        result = method.answer(services, caller, params)
    except PersonasError as error:
        if is_defect(error):
            raise
        record_error(error)
        raise _protocol_error(error, request) from error
    return _told(result, request.revision)


def _told(result: Result, revision: str) -> dict[str, object]:
    """Return a result as a revision has it: those with a handshake know neither its kind nor how long to keep it."""
    told = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    if revision == LATEST:
        return {**told, "_meta": {**told.get("_meta", {}), SERVER_INFO_META_KEY: _info()}}
    return {name: value for name, value in told.items() if name not in {"resultType", "ttlMs", "cacheScope"}}


def _info() -> dict[str, object]:
    return _INFO.model_dump(mode="json", by_alias=True, exclude_none=True)


def _protocol_error(error: PersonasError, request: Request) -> ProtocolError:
    told: dict[str, JsonValue] = {"code": error.code}
    uri = request.params.get("uri")
    if isinstance(uri, str):
        told["uri"] = uri
    if error.retry_after is not None:
        told["retry_after"] = error.retry_after
    if not isinstance(error, NotFound):
        return ProtocolError(INTERNAL_ERROR if error.retry_after else INVALID_PARAMS, error.detail, told)
    of_handshake = request.method == "resources/read" and request.revision != LATEST
    return ProtocolError(_RESOURCE_NOT_FOUND if of_handshake else INVALID_PARAMS, error.detail, told)


# ---- The methods that are about the server itself --------------------------------------------------------------------


def _initialize(_services: Services, _caller: Caller, params: InitializeRequestParams) -> InitializeResult:
    asked = params.protocol_version
    return InitializeResult(
        protocol_version=asked if asked in HANDSHAKE else HANDSHAKE[0],
        capabilities=_CAPABILITIES,
        server_info=_INFO,
        instructions=_INSTRUCTIONS,
    )


def _discover(_services: Services, _caller: Caller, _params: RequestParams) -> DiscoverResult:
    return DiscoverResult(
        supported_versions=[*REVISIONS], capabilities=_CAPABILITIES, instructions=_INSTRUCTIONS, ttl_ms=TTL_MS
    )


def _ping(_services: Services, _caller: Caller, _params: RequestParams) -> EmptyResult:
    return EmptyResult()


def _call_tool(services: Services, caller: Caller, params: CallToolRequestParams) -> CallToolResult:
    if params.name not in tools.TOOLS:
        raise ProtocolError(INVALID_PARAMS, "There is no such tool: tools/list tells those that there are.")
    return tools.call(services, caller, params.name, params.arguments or {})


def _one_page(result: Callable[[], CacheableResult]) -> Callable[[Services, Caller, PaginatedRequestParams], Result]:
    """Return the method that answers with a list of one page, the same for everybody until the next deployment."""

    def listed(_services: Services, _caller: Caller, params: PaginatedRequestParams) -> Result:
        if params.cursor is not None:
            raise ProtocolError(INVALID_PARAMS, "This list has one page: no cursor leads into it.")
        return result().model_copy(update={"ttl_ms": TTL_MS})

    return listed


_METHODS: Final[Mapping[str, _Method]] = {
    "initialize": _Method(InitializeRequestParams, _initialize, HANDSHAKE),
    "ping": _Method(RequestParams, _ping, HANDSHAKE),
    "server/discover": _Method(RequestParams, _discover, (LATEST,)),
    "tools/list": _Method(PaginatedRequestParams, _one_page(lambda: ListToolsResult(tools=tools.listed()))),
    "tools/call": _Method(CallToolRequestParams, _call_tool),
    "prompts/list": _Method(PaginatedRequestParams, _one_page(lambda: ListPromptsResult(prompts=[prompts.PROMPT]))),
    "prompts/get": _Method(GetPromptRequestParams, prompts.get),
    "resources/list": _Method(PaginatedRequestParams, resources.page),
    "resources/templates/list": _Method(
        PaginatedRequestParams,
        _one_page(lambda: ListResourceTemplatesResult(resource_templates=[resources.TEMPLATE])),
    ),
    "resources/read": _Method(ReadResourceRequestParams, resources.read),
    "completion/complete": _Method(CompleteRequestParams, complete),
}
