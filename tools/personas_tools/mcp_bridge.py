"""Messages of the Model Context Protocol, passed on to a service: each is posted to it, and its answer comes back."""

from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import anyio
import click
from anyio import to_thread
from mcp.server.stdio import stdio_server
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
)
from mcp.shared.message import SessionMessage
from mcp_types import PROTOCOL_VERSION_META_KEY
from mcp_types.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from pydantic import TypeAdapter, ValidationError

from personas_tools.http_api import Answer, Api, ApiError
from personas_tools.screen import printable

_INITIALIZE: Final = "initialize"
_CHECK_KEY: Final = "Check the key that this server was started with: PERSONAS_KEY, or --key."
_CHECK_ADDRESS: Final = "Check the address that this server was started with: PERSONAS_URL, or --url; without /mcp."
_LOOK_FIRST: Final = "If something was to be saved, look whether it is before you send it again."

type Reply = JSONRPCResponse | JSONRPCError
"""A result, or an error."""
type Send = Callable[[SessionMessage], Awaitable[None]]

_REPLY: Final = TypeAdapter[Reply](Reply)


def serve(api: Api) -> None:
    """Pass on what comes by standard input, until it ends; only messages of the protocol go to standard output."""
    # The client may be gone when an answer comes; then there is nobody to tell of it.
    with suppress(BrokenPipeError, anyio.BrokenResourceError):
        anyio.run(_serve, api)


async def _serve(api: Api) -> None:
    async with stdio_server() as (received, replies), received, replies:
        await Bridge(api).run(received, replies.send)


class Bridge:
    """The way of messages to a service and back.

    A message of the latest revision says all that its headers repeat. Those of a session that began with ``initialize``
    do not say their revision, so the bridge remembers the one that was agreed on.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._agreed: str | None = None

    async def run(self, received: AsyncIterable[SessionMessage | Exception], send: Send) -> None:
        """Answer what is received, each message as soon as its answer is there, and return after the last answer."""
        async with anyio.create_task_group() as tasks:
            async for each in received:
                tasks.start_soon(self._pass_on, each, send)

    async def _pass_on(self, received: SessionMessage | Exception, send: Send) -> None:
        if isinstance(received, Exception):
            reply: Reply | None = _unread(received)
        else:
            reply = await to_thread.run_sync(self._reply, received.message)
        if reply is not None:
            await send(SessionMessage(reply))

    def _reply(self, message: JSONRPCMessage) -> Reply | None:
        """Return the reply to a message. A notification has none, nor has an answer: the service asks nothing."""
        if not isinstance(message, JSONRPCRequest | JSONRPCNotification):
            return None
        try:
            answer, pause = self._api.message(_json(message), self._headers(message))
            if isinstance(message, JSONRPCNotification) and answer.status == HTTPStatus.ACCEPTED:
                return None
            reply = _reply_in(answer, pause)
        except ApiError as error:
            reply = _failure(INTERNAL_ERROR, str(error))
        if isinstance(reply, JSONRPCError):
            click.echo(printable(f"{message.method}: {reply.error.message}"), err=True)
        if isinstance(message, JSONRPCNotification):
            return None
        if message.method == _INITIALIZE and isinstance(reply, JSONRPCResponse):
            self._agreed = reply.result.get("protocolVersion")
        # A service that refuses a message before it has read it does not know its id.
        return reply.model_copy(update={"id": message.id})

    def _headers(self, message: JSONRPCRequest | JSONRPCNotification) -> dict[str, str]:
        """Return the headers that repeat what a message says, as its revision wants them."""
        if message.method == _INITIALIZE:
            self._agreed = None
        params = message.params or {}
        meta = params.get("_meta")
        declared = meta.get(PROTOCOL_VERSION_META_KEY) if isinstance(meta, dict) else None
        told: dict[str, object] = {MCP_PROTOCOL_VERSION_HEADER: declared or self._agreed}
        if declared is not None:
            told[MCP_METHOD_HEADER] = message.method
            told[MCP_NAME_HEADER] = params.get(NAME_BEARING_METHODS.get(message.method, ""))
        return {name: encode_header_value(value) for name, value in told.items() if isinstance(value, str)}


def _json(message: JSONRPCMessage) -> bytes:
    return message.model_dump_json(by_alias=True, exclude_unset=True).encode()


def _reply_in(answer: Answer, pause: float) -> Reply:
    """Return the reply that an answer holds, an error with the next step."""
    step = _next_step(answer.status, pause)
    try:
        reply = _REPLY.validate_python(answer.body, by_name=False)
    except ValidationError:
        # API Gateway's own errors are none of the protocol, nor is what anybody else answers.
        unsure = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        step = step or (_LOOK_FIRST if unsure else _CHECK_ADDRESS)
        return _failure(INTERNAL_ERROR, f"The service answered {answer.told}. {step}")
    if isinstance(reply, JSONRPCError) and step:
        reply.error.message += f" {step}"
    return reply


def _next_step(status: int, pause: float) -> str:
    """Return the next step after an answer of HTTP, or nothing where there is none but what its message tells."""
    if status == HTTPStatus.UNAUTHORIZED:
        return _CHECK_KEY
    if pause or status == HTTPStatus.TOO_MANY_REQUESTS:
        return f"Try again in {max(pause, 1):.0f} s."
    return ""


def _unread(error: Exception) -> JSONRPCError:
    """Return the reply to a line that is no message."""
    if isinstance(error, ValidationError) and error.errors()[0]["type"] == "json_invalid":
        return _failure(PARSE_ERROR, "The line is no JSON.")
    return _failure(INVALID_REQUEST, "The line is no message of JSON-RPC 2.0.")


def _failure(code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=code, message=message))
