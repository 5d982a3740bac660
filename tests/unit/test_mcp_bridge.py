"""Tests of `personas mcp` without a service: the headers of a message, the way of its answer, and errors of HTTP."""

import io
import json
from collections.abc import Callable
from threading import Event
from typing import Any, Final

import anyio
import httpx2
import pytest
from mcp.server.stdio import stdio_server

from personas.contract.mcp import HANDSHAKE, LATEST
from personas_tools.http_api import Api
from personas_tools.mcp_bridge import Bridge
from support.commands import modules_of

META: Final = {"io.modelcontextprotocol/protocolVersion": LATEST, "io.modelcontextprotocol/clientCapabilities": {}}
HEADERS: Final = ("mcp-protocol-version", "mcp-method", "mcp-name")

type Service = Callable[[httpx2.Request], httpx2.Response]


def asked(number: int | str, method: str, **params: object) -> dict[str, object]:
    """Return a request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def echo(request: httpx2.Request) -> httpx2.Response:
    """Answer a request with what it holds."""
    message = json.loads(request.content)
    if "id" not in message:
        return httpx2.Response(202)
    return httpx2.Response(200, json={"jsonrpc": "2.0", "id": message["id"], "result": message["params"]})


def passed(service: Service, *inputs: object) -> list[dict[str, Any]]:
    """Return what comes back through a bridge to a service. Each input ends before the next: a message, or lines."""
    written = io.StringIO()

    async def run(api: Api) -> None:
        bridge = Bridge(api)
        for each in inputs:
            typed = io.StringIO(each if isinstance(each, str) else json.dumps(each))
            async with (
                stdio_server(anyio.wrap_file(typed), anyio.wrap_file(written)) as (received, replies),
                received,
                replies,
            ):
                await bridge.run(received, replies.send)

    with Api("https://example.com/stage", "secret", transport=httpx2.MockTransport(service)) as api:
        anyio.run(run, api)
    return [json.loads(line) for line in written.getvalue().split("\n")[:-1]]


def headers_of(*messages: object) -> list[dict[str, str]]:
    """Return the protocol's headers with which messages reach the service."""
    seen: list[dict[str, str]] = []

    def service(request: httpx2.Request) -> httpx2.Response:
        seen.append({name: request.headers[name] for name in HEADERS if name in request.headers})
        return echo(request)

    passed(service, *messages)
    return seen


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "params", "name"),
        [
            ("tools/list", {}, {}),
            ("tools/call", {"name": "find_personas", "arguments": {"name": "x"}}, {"mcp-name": "find_personas"}),
            ("prompts/get", {"name": "play_persona"}, {"mcp-name": "play_persona"}),
            ("resources/read", {"uri": "persona://\N{SNOWMAN}"}, {"mcp-name": "=?base64?cGVyc29uYTovL+KYgw==?="}),
            ("tools/call", {"name": " a\r\nX-Api-Key: b"}, {"mcp-name": "=?base64?IGENClgtQXBpLUtleTogYg==?="}),
            ("tools/call", {"name": 3}, {}),
            ("completion/complete", {"name": "x"}, {}),
        ],
    )
    def test_those_of_the_latest_revision_repeat_the_message(
        self, method: str, params: dict[str, object], name: dict[str, str]
    ) -> None:
        (headers,) = headers_of(asked(1, method, _meta=META, **params))
        assert headers == {"mcp-protocol-version": LATEST, "mcp-method": method, **name}

    @pytest.mark.parametrize("revision", HANDSHAKE)
    def test_those_of_a_handshake_say_what_was_agreed_on(self, revision: str) -> None:
        greeting = asked(1, "initialize", protocolVersion=revision)
        thanks = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        agreed = {"mcp-protocol-version": revision}
        seen = headers_of(greeting, thanks, asked(2, "tools/call", name="x"), greeting, asked(3, "tools/list"))
        assert seen == [{}, agreed, agreed, {}, agreed]

    def test_a_request_that_declares_its_revision_keeps_it(self) -> None:
        greeting = asked(1, "initialize", protocolVersion=HANDSHAKE[0])
        _, headers = headers_of(greeting, asked(2, "tools/list", _meta=META))
        assert headers["mcp-protocol-version"] == LATEST

    @pytest.mark.parametrize("meta", [None, [], "x", {}, {"io.modelcontextprotocol/protocolVersion": 3}])
    def test_a_message_that_declares_none_has_none(self, meta: object) -> None:
        (headers,) = headers_of(asked(1, "tools/list", _meta=meta))
        assert "mcp-protocol-version" not in headers


class TestMessages:
    def test_a_request_reaches_the_service_as_it_is_and_so_does_its_answer(self) -> None:
        # Given a request with all kinds of values,
        requests: list[httpx2.Request] = []

        def service(request: httpx2.Request) -> httpx2.Response:
            requests.append(request)
            return echo(request)

        request = asked("a", "x/y", _meta={"progressToken": 1}, text="\u2028\n\N{SNOWMAN}", count=2**70, none=None)
        # when it is passed on,
        (reply,) = passed(service, request)
        # then it is posted with the key, and the result comes back.
        (sent,) = requests
        assert (sent.method, str(sent.url)) == ("POST", "https://example.com/stage/mcp")
        assert sent.headers["x-api-key"] == "secret"
        assert sent.headers["accept"] == "application/json, text/event-stream"
        assert json.loads(sent.content) == request
        assert reply == {"jsonrpc": "2.0", "id": "a", "result": request["params"]}

    def test_a_slow_answer_holds_up_no_other_and_none_is_lost_at_the_end_of_the_input(self) -> None:
        # Given a service that answers the first request after the second,
        second = Event()

        def service(request: httpx2.Request) -> httpx2.Response:
            if json.loads(request.content)["id"] == 1:
                assert second.wait(10)
            else:
                second.set()
            return echo(request)

        # when both come at once, and nothing after them,
        replies = passed(service, f"{json.dumps(asked(1, 'slow'))}\n{json.dumps(asked(2, 'fast'))}\n")
        # then each is answered.
        assert {each["id"] for each in replies} == {1, 2}

    @pytest.mark.parametrize("status", [202, 400, 401, 503])
    def test_a_notification_is_never_answered(self, status: int) -> None:
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        assert passed(lambda _: httpx2.Response(status, json={}), message) == []

    def test_an_answer_goes_nowhere(self) -> None:
        assert passed(lambda _: pytest.fail("it is posted"), {"jsonrpc": "2.0", "id": 1, "result": {}}) == []

    @pytest.mark.parametrize(
        ("line", "code"), [("{", -32700), ("[]", -32600), ('{"jsonrpc": "2.0"}', -32600), ("\x00", -32700)]
    )
    def test_a_line_that_is_no_message_is_told(self, line: str, code: int) -> None:
        wrong, right = passed(echo, line, asked(1, "ping"))
        assert (wrong["id"], wrong["error"]["code"]) == (None, code)
        assert right["result"] == {}


def refused(code: int, message: str) -> dict[str, object]:
    """Return an error of the protocol, of a service that does not know the request's id yet."""
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


class TestErrors:
    @pytest.mark.parametrize(
        ("answer", "code", "words"),
        [
            (httpx2.Response(401, json=refused(-32600, "Unknown key.")), -32600, "Unknown key. Check the key"),
            (httpx2.Response(404, json=refused(-32601, "No such method.")), -32601, "No such method."),
            (
                httpx2.Response(503, json=refused(-32603, "It is busy."), headers={"Retry-After": "7"}),
                -32603,
                "It is busy. Try again in 7 s.",
            ),
            (httpx2.Response(401, json={"message": "Unauthorized"}), -32603, "401, Unauthorized. Check the key"),
            (httpx2.Response(404, json={"message": "Not Found"}), -32603, "404, Not Found. Check the address"),
            (httpx2.Response(429, json={"message": "Too Many Requests"}), -32603, "Try again in 1 s."),
            (httpx2.Response(503, json={"message": "Service Unavailable"}), -32603, "look whether it is before"),
            (httpx2.Response(502, text="<html>"), -32603, "502, Bad Gateway. If something was to be saved"),
            (httpx2.Response(202), -32603, "202, Accepted. Check the address"),
            (httpx2.Response(301, headers={"Location": "/"}), -32603, "301, Moved Permanently. Check the address"),
            (httpx2.Response(200, json={"personas": []}), -32603, "Check the address"),
            (httpx2.Response(200, text="<html>"), -32603, "is it the address of a Personas service?"),
            (httpx2.ConnectError("refused"), -32603, "Nobody answers at https://example.com/stage (refused)."),
            (httpx2.ReadTimeout(""), -32603, "(ReadTimeout). What was asked for may be done all the same"),
            (httpx2.DecodingError("torn"), -32603, "look before you ask again"),
        ],
        ids=str,
    )
    def test_each_becomes_one_of_the_protocol_that_says_what_to_do(
        self, answer: httpx2.Response | Exception, code: int, words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def service(request: httpx2.Request) -> httpx2.Response:
            if isinstance(answer, Exception):
                raise answer
            return answer

        (reply,) = passed(service, asked(9, "tools/list"))
        assert (reply["id"], reply["error"]["code"]) == (9, code)
        assert words in reply["error"]["message"]
        assert f"tools/list: {reply['error']['message']}" in capsys.readouterr().err

    def test_an_error_keeps_its_data(self) -> None:
        error = {"code": -32022, "message": "Not served.", "data": {"supported": [LATEST]}}
        answer = httpx2.Response(400, json={"jsonrpc": "2.0", "id": 4, "error": error})
        assert passed(lambda _: answer, asked(4, "tools/list")) == [{"jsonrpc": "2.0", "id": 4, "error": error}]


def test_no_other_command_waits_for_the_sdk() -> None:
    assert {"mcp", "mcp_types"}.isdisjoint(modules_of("--help"))


def test_the_command_waits_for_nothing_that_others_need() -> None:
    assert {"boto3", "botocore", "rich", "uvicorn"}.isdisjoint(modules_of("mcp", "--help"))
