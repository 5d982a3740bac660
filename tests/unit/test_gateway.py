"""The local gateway: events of payload format 2.0, answers, limits and CORS, with functions that are plain Python."""

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from personas_tools.gateway import BODY_LIMIT, Gateway, Received, Scope, Sent
from personas_tools.invocation import Answer, Failure, Json
from personas_tools.payload import MalformedAnswer, Request, Response, document, match, to_event, to_response
from personas_tools.template import Cors, Route

NOW = datetime(2026, 3, 12, 19, 3, 58, 390_000, tzinfo=UTC)
GET = Route("POST", "/api/get")
CORS = Cors(("https://app.example",), ("GET", "POST"), ("Content-Type", "X-Api-Key"), ("ETag", "Retry-After"), 600)


def event_of(**request: object) -> dict[str, Json]:
    event = to_event(Request(**({"method": "POST", "path": "/api/get"} | request)), GET, {}, "id-1", NOW)
    assert isinstance(event, dict)
    return event


class Functions:
    """A stand-in that answers in place of the functions."""

    parallel = 2

    def __init__(self, outcome: Callable[[Json], Answer | Failure]) -> None:
        self.outcome = outcome
        self.events: list[dict[str, Json]] = []

    def invoke(self, name: str, event: Json) -> Answer | Failure:
        assert isinstance(event, dict)
        self.events.append(event | {"function": name})
        return self.outcome(event)


def answering(payload: Json) -> Functions:
    return Functions(lambda event: Answer(payload))


def ask(
    gateway: Gateway,
    method: str = "POST",
    path: str = "/api/get",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    query: str = "",
    cut_off: bool = False,
) -> Response | None:
    """Send one request through the ASGI interface; None: the gateway gave no answer."""
    parts = [body[start : start + 1_000_000] for start in range(0, len(body), 1_000_000)] or [b""]
    sent: list[Sent] = []

    def incoming() -> Iterator[Received]:
        for number, part in enumerate(parts, 1):
            yield {"type": "http.request", "body": part, "more_body": cut_off or number < len(parts)}
        yield {"type": "http.disconnect"}

    stream = incoming()

    async def receive() -> Received:
        return next(stream)

    async def send(message: Sent) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "http_version": "1.1",
        "headers": [
            (n.lower().encode(), v.encode()) for n, v in ({"host": "localhost:3000"} | (headers or {})).items()
        ],
        "client": ("127.0.0.1", 50_000),
    }
    asyncio.run(gateway(scope, receive, send))
    if not sent:
        return None
    names = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    return Response(
        sent[0]["status"],
        {name: value for name, value in names if name != "set-cookie"},
        b"".join(message.get("body", b"") for message in sent),
        tuple(value for name, value in names if name == "set-cookie"),
    )


def answered(*args: object, **kwargs: object) -> Response:
    response = ask(*args, **kwargs)
    assert response is not None
    return response


class TestEvent:
    def test_has_the_shape_of_payload_format_2_0(self) -> None:
        event = event_of(
            query="a=1&b=x%20y&a=2&empty=",
            headers={"host": "api.example:3000", "content-type": "application/json", "user-agent": "curl/8"},
            cookies=("one=1", "two=2"),
            body=b'{"name": "J\xc3\xbcrgen"}',
            source="192.0.2.7",
        )
        assert event == {
            "version": "2.0",
            "routeKey": "POST /api/get",
            "rawPath": "/api/get",
            "rawQueryString": "a=1&b=x%20y&a=2&empty=",
            "cookies": ["one=1", "two=2"],
            "headers": {"host": "api.example:3000", "content-type": "application/json", "user-agent": "curl/8"},
            "queryStringParameters": {"a": "1,2", "b": "x y", "empty": ""},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "api.example",
                "domainPrefix": "api",
                "http": {
                    "method": "POST",
                    "path": "/api/get",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.7",
                    "userAgent": "curl/8",
                },
                "requestId": "id-1",
                "routeKey": "POST /api/get",
                "stage": "$default",
                "time": "12/Mar/2026:19:03:58 +0000",
                "timeEpoch": 1773342238390,
            },
            "body": '{"name": "Jürgen"}',
            "isBase64Encoded": False,
        }

    def test_leaves_out_what_the_request_does_not_have(self) -> None:
        event = event_of()
        assert {"body", "cookies", "queryStringParameters", "pathParameters"}.isdisjoint(event)
        assert event["rawQueryString"] == ""
        assert event["isBase64Encoded"] is False

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "Application/JSON; charset=utf-8", "text/csv", "application/xml", "application/x+json"],
    )
    def test_passes_text_on_as_text(self, content_type: str) -> None:
        event = event_of(headers={"content-type": content_type}, body=b"\xc3\xa9")
        assert (event["body"], event["isBase64Encoded"]) == ("é", False)

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ({"content-type": "application/octet-stream"}, b"abc"),
            ({"content-type": "application/x-www-form-urlencoded"}, b"a=b"),
            ({}, b"abc"),
            ({"content-type": "application/json"}, b"\xff{}"),
        ],
    )
    def test_passes_everything_else_on_in_base64(self, headers: dict[str, str], body: bytes) -> None:
        event = event_of(headers=headers, body=body)
        assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(body).decode(), True)


@pytest.mark.parametrize(
    ("route", "method", "path", "parameters"),
    [
        (Route("POST", "/a/b"), "POST", "/a/b", {}),
        (Route("POST", "/a/b"), "GET", "/a/b", None),
        (Route("POST", "/a/b"), "POST", "/a/b/", None),
        (Route("POST", "/a.b"), "POST", "/aXb", None),
        (Route("ANY", "/a"), "PUT", "/a", {}),
        (Route("GET", "/u/{upload_id}/download"), "GET", "/u/42/download", {"upload_id": "42"}),
        (Route("GET", "/u/{upload_id}/download"), "GET", "/u/4/2/download", None),
        (Route("GET", "/f/{rest+}"), "GET", "/f/a/b", {"rest": "a/b"}),
    ],
)
def test_routes_match(route: Route, method: str, path: str, parameters: dict[str, str] | None) -> None:
    assert match(route, method, path) == parameters


class TestAnswer:
    def test_is_taken_as_it_is(self) -> None:
        answer: Json = {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "X-Count": 3, "X-Flag": True},
            "cookies": ["a=1; Secure", "b=2"],
            "body": '{"é": 1}',
            "isBase64Encoded": False,
        }
        assert to_response(answer) == Response(
            201,
            {"content-type": "application/json", "x-count": "3", "x-flag": "true"},
            '{"é": 1}'.encode(),
            ("a=1; Secure", "b=2"),
        )

    def test_may_be_binary(self) -> None:
        answer: Json = {"statusCode": 200, "body": base64.b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
        assert to_response(answer) == Response(200, {"content-type": "text/plain;charset=UTF-8"}, b"\x00\xff")

    def test_may_lack_a_body(self) -> None:
        assert to_response({"statusCode": "204"}) == Response(204, {})

    @pytest.mark.parametrize(("answer", "body"), [({"a": 1}, '{"a": 1}'), ([1], "[1]"), ("hi", "hi"), (None, "null")])
    def test_without_a_status_is_the_body_of_a_200(self, answer: Json, body: str) -> None:
        assert to_response(answer) == Response(200, {"content-type": "application/json"}, body.encode())

    @pytest.mark.parametrize(
        "answer",
        [
            {"statusCode": "fine"},
            {"statusCode": 42},
            {"statusCode": None},
            {"statusCode": 200, "body": {"a": 1}},
            {"statusCode": 200, "headers": ["a"]},
            {"statusCode": 200, "headers": {"a": ["b"]}},
            {"statusCode": 200, "headers": {"a": "b\r\nset-cookie: c"}},
            {"statusCode": 200, "headers": {"a b": "c"}},
            {"statusCode": 200, "cookies": "a=b"},
            {"statusCode": 200, "body": "?", "isBase64Encoded": True},
        ],
    )
    def test_of_another_shape_is_malformed(self, answer: Json) -> None:
        with pytest.raises(MalformedAnswer):
            to_response(answer)


class TestGateway:
    def test_gives_the_function_the_event_and_the_client_the_answer(self) -> None:
        functions = answering({"statusCode": 200, "headers": {"ETag": '"1"'}, "body": "{}", "cookies": ["a=1", "b=2"]})
        response = answered(
            Gateway({GET: "stack-Get"}, None, functions),
            headers={"Content-Type": "application/json", "Cookie": "x=1; y=2", "X-Api-Key": "k"},
            body=b'{"a": 1}',
        )
        assert (response.status, response.body, response.cookies) == (200, b"{}", ("a=1", "b=2"))
        assert response.headers["etag"] == '"1"'
        assert response.headers["content-length"] == "2"
        (event,) = functions.events
        assert event["function"] == "stack-Get"
        assert event["body"] == '{"a": 1}'
        assert event["cookies"] == ["x=1", "y=2"]
        assert isinstance(event["headers"], dict)
        assert "cookie" not in event["headers"]
        assert event["headers"]["x-api-key"] == "k"
        assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert isinstance(event["requestContext"], dict)
        assert event["requestContext"]["requestId"] == response.headers["apigw-requestid"]
        assert re.fullmatch(r"[\w-]{15}=", response.headers["apigw-requestid"])

    @pytest.mark.parametrize(("method", "path"), [("GET", "/api/get"), ("POST", "/api/other"), ("OPTIONS", "/api/get")])
    def test_knows_no_other_route(self, method: str, path: str) -> None:
        response = answered(Gateway({GET: "f"}, None, answering({})), method, path)
        assert (response.status, json.loads(response.body)) == (404, {"message": "Not Found"})

    def test_prefers_the_most_specific_route(self) -> None:
        functions = answering({})
        routes = {Route("GET", "/{p+}"): "greedy", Route("GET", "/{p}"): "one", Route("GET", "/x"): "exact"}
        gateway = Gateway(routes, None, functions)
        for path in ("/x", "/y", "/y/z"):
            answered(gateway, "GET", path)
        assert [event["function"] for event in functions.events] == ["exact", "one", "greedy"]
        assert functions.events[1]["pathParameters"] == {"p": "y"}

    def test_serves_its_own_pages(self) -> None:
        gateway = Gateway(
            {GET: "f"}, None, answering({}), pages={"/.well-known/jwks.json": document(200, {"keys": []})}
        )
        assert json.loads(answered(gateway, "GET", "/.well-known/jwks.json").body) == {"keys": []}
        assert answered(gateway, "POST", "/.well-known/jwks.json").status == 404

    @pytest.mark.parametrize(
        ("outcome", "status", "text"),
        [
            (Failure("ValueError: secret"), 500, "Internal Server Error"),
            (Failure("too slow", timed_out=True), 503, "Service Unavailable"),
            (Failure("too large", too_large=True), 413, "Request Entity Too Large"),
            (Answer({"statusCode": "fine"}), 500, "Internal Server Error"),
        ],
    )
    def test_says_nothing_of_what_went_wrong_inside(self, outcome: Answer | Failure, status: int, text: str) -> None:
        response = answered(Gateway({GET: "f"}, None, Functions(lambda event: outcome)))
        assert (response.status, json.loads(response.body)) == (status, {"message": text})

    def test_does_not_wait_forever(self) -> None:
        def slow(event: Json) -> Answer:
            time.sleep(0.3)
            return Answer({})

        response = answered(Gateway({GET: "f"}, None, Functions(slow), patience=0.05))
        assert (response.status, json.loads(response.body)) == (503, {"message": "Service Unavailable"})

    def test_limits_bodies_and_headers(self) -> None:
        functions = answering({})
        gateway = Gateway({GET: "f"}, None, functions)
        assert answered(gateway, body=b"x" * BODY_LIMIT).status == 200
        large = answered(gateway, body=b"x" * (BODY_LIMIT + 1))
        assert (large.status, json.loads(large.body)) == (413, {"message": "Request Entity Too Large"})
        assert answered(gateway, headers={"x-long": "x" * 10_240}).status == 431
        assert len(functions.events) == 1

    def test_does_not_act_on_half_a_request(self) -> None:
        functions = answering({})
        assert ask(Gateway({GET: "f"}, None, functions), body=b'{"items": [', cut_off=True) is None
        assert functions.events == []

    def test_sends_no_body_where_none_may_be(self) -> None:
        response = answered(Gateway({GET: "f"}, None, answering({"statusCode": 204, "body": "x"})))
        assert (response.status, response.body) == (204, b"")
        assert "content-length" not in response.headers


class TestCors:
    ASK: ClassVar = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}

    def test_a_preflight_of_an_allowed_origin_is_answered_without_the_function(self) -> None:
        functions = answering({})
        response = answered(Gateway({GET: "f"}, CORS, functions), "OPTIONS", headers=self.ASK)
        assert (response.status, response.body, functions.events) == (204, b"", [])
        assert {name: value for name, value in response.headers.items() if name.startswith("access-control")} == {
            "access-control-allow-origin": "https://app.example",
            "access-control-allow-methods": "GET,POST",
            "access-control-allow-headers": "Content-Type,X-Api-Key",
            "access-control-expose-headers": "ETag,Retry-After",
            "access-control-max-age": "600",
        }

    def test_a_preflight_of_another_origin_gets_no_permission(self) -> None:
        headers = self.ASK | {"Origin": "https://evil.example"}
        response = answered(Gateway({GET: "f"}, CORS, answering({})), "OPTIONS", headers=headers)
        assert response.status == 204
        assert not any(name.startswith("access-control") for name in response.headers)

    @pytest.mark.parametrize("origin", ["http://localhost:8080", "http://127.0.0.1:5174", "https://[::1]"])
    def test_a_page_of_this_machine_may_call(self, origin: str) -> None:
        gateway = Gateway({GET: "f"}, CORS, answering({}))
        for method, headers in (("POST", {"Origin": origin}), ("OPTIONS", self.ASK | {"Origin": origin})):
            response = answered(gateway, method, headers=headers)
            assert response.headers["access-control-allow-origin"] == origin

    @pytest.mark.parametrize(
        "origin", ["http://localhost.evil.example", "http://evil.example:80/localhost", "null", "http://[::1"]
    )
    def test_a_page_that_only_sounds_like_this_machine_may_not(self, origin: str) -> None:
        response = answered(Gateway({GET: "f"}, CORS, answering({})), headers={"Origin": origin})
        assert not any(name.startswith("access-control") for name in response.headers)

    @pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
    def test_options_that_is_no_preflight_is_a_route_like_any(self, missing: str) -> None:
        headers = {name: value for name, value in self.ASK.items() if name != missing}
        assert answered(Gateway({GET: "f"}, CORS, answering({})), "OPTIONS", headers=headers).status == 404

    def test_answers_carry_the_configured_headers_and_not_the_functions_own(self) -> None:
        functions = answering(
            {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "Access-Control-Max-Age": "1"}}
        )
        gateway = Gateway({GET: "f"}, CORS, functions)
        allowed = answered(gateway, headers={"Origin": "https://app.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert allowed.headers["access-control-expose-headers"] == "ETag,Retry-After"
        assert "access-control-max-age" not in allowed.headers
        for headers in ({"Origin": "https://evil.example"}, {}):
            response = answered(gateway, headers=headers)
            assert not any(name.startswith("access-control") for name in response.headers)

    @pytest.mark.parametrize(
        ("allowed", "origin", "answer"),
        [("*", "http://a", "*"), ("https://*", "https://a", "https://a"), ("https://*", "http://a", None)],
    )
    def test_wildcards(self, allowed: str, origin: str, answer: str | None) -> None:
        gateway = Gateway({GET: "f"}, Cors((allowed,), (), (), (), 0), answering({}))
        assert answered(gateway, headers={"Origin": origin}).headers.get("access-control-allow-origin") == answer
