"""The MCP server over HTTP: revisions, headers, errors of the protocol, and the admission of callers."""

import json
from typing import Any

import pytest

from personas.contract.mcp import HANDSHAKE, LATEST, METADATA_PATH, REVISIONS
from support.client import Answer, event
from support.issuer import Issuer
from support.mcp import Mcp, encoded
from support.world import PEOPLE, World

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
HEADER_MISMATCH = -32020
UNSUPPORTED = -32022

INITIALIZE = {"protocolVersion": HANDSHAKE[0], "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}


@pytest.fixture
def mcp(world: World) -> Mcp:
    return Mcp(world.client())


@pytest.fixture(params=REVISIONS)
def any_revision(world: World, request: pytest.FixtureRequest) -> Mcp:
    return Mcp(world.client(), request.param)


def code(answer: Answer) -> tuple[int, int]:
    return answer.status, answer.body["error"]["code"]


def sent(world: World, body: object, **headers: str) -> Answer:
    return world.client().call("mcp", body, **headers)


def other(world: World, method: str, path: str = "/mcp", **headers: str) -> Answer:
    """Return the answer to a request of another method or path, without a key."""
    raw = event("mcp", None, {name.replace("_", "-"): value for name, value in headers.items()})
    raw["rawPath"] = raw["requestContext"]["http"]["path"] = path
    raw["requestContext"]["http"]["method"] = method
    return world.client().invoke("mcp", raw)


class TestRevisions:
    def test_the_latest_is_told_by_discovery(self, mcp: Mcp) -> None:
        found = mcp.request("server/discover")
        assert found["supportedVersions"] == [*REVISIONS]
        assert found["capabilities"].keys() == {"tools", "prompts", "resources", "completions"}
        assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "personas"

    @pytest.mark.parametrize(
        ("asked", "given"), [*((each, each) for each in HANDSHAKE), ("2024-11-05", HANDSHAKE[0]), ("9", HANDSHAKE[0])]
    )
    def test_a_handshake_agrees_on_one(self, world: World, asked: str, given: str) -> None:
        mcp = Mcp(world.client(), HANDSHAKE[0])
        told = mcp.request("initialize", {**INITIALIZE, "protocolVersion": asked})
        assert told["protocolVersion"] == given
        assert "mcp-session-id" not in {name.lower() for name in mcp.send("ping").headers}

    def test_a_request_without_a_header_is_of_a_handshake(self, world: World) -> None:
        answer = sent(world, {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": INITIALIZE})
        assert answer.body["id"] == "a"
        assert answer.body["result"]["serverInfo"]["name"] == "personas"

    def test_each_has_its_own_methods(self, world: World) -> None:
        latest, before = Mcp(world.client()), Mcp(world.client(), HANDSHAKE[0])
        assert code(latest.send("initialize", INITIALIZE)) == (404, METHOD_NOT_FOUND)
        assert code(latest.send("ping")) == (404, METHOD_NOT_FOUND)
        assert code(before.send("server/discover")) == (200, METHOD_NOT_FOUND)
        assert before.request("ping") == {}

    @pytest.mark.parametrize("method", ["tools/list", "prompts/list", "resources/list", "resources/templates/list"])
    def test_only_the_latest_says_how_long_to_keep_a_list(self, world: World, method: str) -> None:
        kept = Mcp(world.client()).request(method)
        assert kept["cacheScope"] == "private"
        assert kept["resultType"] == "complete"
        assert kept["ttlMs"] == (0 if method == "resources/list" else 3_600_000)
        for revision in HANDSHAKE:
            told = Mcp(world.client(), revision).request(method)
            assert told.keys().isdisjoint({"cacheScope", "resultType", "ttlMs", "_meta"})

    def test_one_that_is_not_served_is_told_with_those_that_are(self, mcp: Mcp) -> None:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2099-01-01",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        answer = mcp.send("tools/list", {"_meta": meta}, mcp_protocol_version="2099-01-01")
        assert code(answer) == (400, UNSUPPORTED)
        assert answer.body["error"]["data"] == {"supported": [*REVISIONS], "requested": "2099-01-01"}

    @pytest.mark.parametrize("version", ["2024-11-05", "2099-01-01", "latest"])
    def test_one_that_only_the_header_names_is_told_likewise(self, world: World, version: str) -> None:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert code(sent(world, message, mcp_protocol_version=version)) == (400, UNSUPPORTED)


class TestMessages:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("", INVALID_REQUEST),
            ("{", PARSE_ERROR),
            ("\ud800", PARSE_ERROR),
            ("[" * 10_000, PARSE_ERROR),
            ('{"jsonrpc": "2.0", "id": NaN, "method": "ping"}', PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            ('[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', INVALID_REQUEST),
            ("null", INVALID_REQUEST),
            ("3", INVALID_REQUEST),
            ('"ping"', INVALID_REQUEST),
            ("{}", INVALID_REQUEST),
            ('{"jsonrpc": "1.0", "method": "ping"}', INVALID_REQUEST),
            ('{"jsonrpc": "2.0", "method": 1}', INVALID_REQUEST),
            ('{"jsonrpc": "2.0", "id": 1, "result": {}}', INVALID_REQUEST),
        ],
    )
    def test_what_is_none_is_an_error_of_json_rpc(self, world: World, body: str, expected: int) -> None:
        answer = sent(world, body)
        assert code(answer) == (400, expected)
        assert answer.body["id"] is None

    @pytest.mark.parametrize("message_id", [None, True, 1.5, [], {}])
    def test_an_id_that_is_none_is_refused_and_not_repeated(self, world: World, message_id: object) -> None:
        answer = sent(world, {"jsonrpc": "2.0", "id": message_id, "method": "ping"})
        assert code(answer) == (400, INVALID_REQUEST)
        assert answer.body["id"] is None

    @pytest.mark.parametrize("message_id", [0, -1, 2**53, "", "a" * 1_000, "\N{SNOWMAN}"])
    def test_an_id_comes_back_as_it_was_sent(self, world: World, message_id: object) -> None:
        assert sent(world, {"jsonrpc": "2.0", "id": message_id, "method": "ping"}).body == {
            "jsonrpc": "2.0",
            "id": message_id,
            "result": {},
        }

    @pytest.mark.parametrize("params", [[], "x", 1])
    def test_parameters_that_are_no_object_are_refused(self, world: World, params: object) -> None:
        answer = sent(world, {"jsonrpc": "2.0", "id": 7, "method": "ping", "params": params})
        assert code(answer) == (400, INVALID_REQUEST)
        assert answer.body["id"] == 7

    @pytest.mark.parametrize("version", [None, *REVISIONS])
    def test_a_notification_is_taken_without_a_word(self, world: World, version: str | None) -> None:
        headers = {} if version is None else {"mcp_protocol_version": version}
        answer = sent(world, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **headers)
        assert (answer.status, answer.text) == (202, "")

    def test_a_notification_of_an_unknown_revision_is_refused(self, world: World) -> None:
        answer = sent(world, {"jsonrpc": "2.0", "method": "notifications/x"}, mcp_protocol_version="2099-01-01")
        assert code(answer) == (400, UNSUPPORTED)

    def test_a_large_body_is_refused_before_it_is_read(self, world: World) -> None:
        answer = sent(world, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x" * 1_000_000}))
        assert code(answer) == (413, INVALID_REQUEST)

    def test_another_media_type_is_refused(self, world: World) -> None:
        answer = sent(world, "<ping/>", content_type="text/xml")
        assert code(answer) == (415, INVALID_REQUEST)

    def test_what_a_method_does_not_take_is_told_by_place(self, any_revision: Mcp) -> None:
        answer = any_revision.send("tools/call", {"name": "find_personas", "arguments": []})
        status = 400 if any_revision.revision == LATEST else 200
        assert code(answer) == (status, INVALID_PARAMS)
        assert answer.body["error"]["data"]["errors"][0]["field"] == "/params/arguments"

    @pytest.mark.parametrize("method", ["", "tools", "TOOLS/LIST", "subscriptions/listen", "logging/setLevel"])
    def test_an_unknown_method_is_told_in_each_revision(self, any_revision: Mcp, method: str) -> None:
        status = 404 if any_revision.revision == LATEST else 200
        assert code(any_revision.send(method)) == (status, METHOD_NOT_FOUND)

    @pytest.mark.parametrize("method", ["tools/list", "prompts/list", "resources/templates/list"])
    def test_no_cursor_leads_into_a_list_of_one_page(self, mcp: Mcp, method: str) -> None:
        assert mcp.error(method, {"cursor": "bm8="})["code"] == INVALID_PARAMS


class TestHeaders:
    """Of the latest revision: headers repeat what the body says."""

    @pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
    def test_what_every_request_says_must_be_there(self, mcp: Mcp, missing: str) -> None:
        meta: dict[str, Any] = {
            "io.modelcontextprotocol/protocolVersion": LATEST,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        del meta[f"io.modelcontextprotocol/{missing}"]
        answer = mcp.send("tools/list", {"_meta": meta})
        assert code(answer) == (400, INVALID_PARAMS)
        assert missing in answer.body["error"]["message"]

    @pytest.mark.parametrize("capabilities", [5, [], "x", None])
    def test_capabilities_are_an_object(self, mcp: Mcp, capabilities: object) -> None:
        meta = {
            "io.modelcontextprotocol/protocolVersion": LATEST,
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        assert code(mcp.send("tools/list", {"_meta": meta})) == (400, INVALID_PARAMS)

    def test_a_parameter_of_no_name_needs_no_header(self, mcp: Mcp) -> None:
        assert mcp.send("tools/list", {"": "x"}).status == 200

    @pytest.mark.parametrize("meta", [None, [], "x"])
    def test_so_must_their_place(self, mcp: Mcp, meta: object) -> None:
        assert code(mcp.send("tools/list", {"_meta": meta})) == (400, INVALID_PARAMS)

    @pytest.mark.parametrize(
        "headers",
        [
            {"mcp_method": None},
            {"mcp_method": "prompts/list"},
            {"mcp_method": "TOOLS/CALL"},
            {"mcp_name": None},
            {"mcp_name": "read_persona"},
            {"mcp_name": "=?base64?!?="},
            {"mcp_name": f"{encoded('\N{SNOWMAN}')}"},
            {"mcp_protocol_version": None},
            {"mcp_protocol_version": HANDSHAKE[0]},
            {"mcp_protocol_version": f"{LATEST},{LATEST}"},
        ],
    )
    def test_one_that_differs_is_told(self, mcp: Mcp, headers: dict[str, str | None]) -> None:
        answer = mcp.send("tools/call", {"name": "find_personas"}, **headers)
        assert code(answer) == (400, HEADER_MISMATCH)

    @pytest.mark.parametrize("name", [" find_personas ", "=?base64?ZmluZF9wZXJzb25hcw==?="])
    def test_white_space_and_base64_make_no_difference(self, mcp: Mcp, name: str) -> None:
        assert mcp.send("tools/call", {"name": "find_personas"}, mcp_name=name).status == 200


class TestAdmission:
    def test_nobody_is_answered_without_a_credential(self, world: World) -> None:
        answer = world.client().with_headers(x_api_key="").call("mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert code(answer) == (401, INVALID_REQUEST)
        assert "resource_metadata" not in answer.headers["WWW-Authenticate"]

    def test_a_key_may_come_as_a_bearer_token(self, world: World) -> None:
        client = world.client().with_headers(x_api_key="", authorization=f"Bearer {world.key('root')}")
        assert Mcp(client).told("find_personas")["total"] == 0
        assert client.call("drafts").status == 401

    def test_two_keys_that_differ_are_refused(self, world: World) -> None:
        client = world.client("learner").with_headers(authorization=f"Bearer {world.key('root')}")
        assert Mcp(client).send("tools/list").status == 401

    def test_a_token_is_taken_as_everywhere(self, world: World, issuer: Issuer) -> None:
        client = world.client().with_headers(x_api_key="", authorization=f"Bearer {issuer.token(PEOPLE['root'].id)}")
        assert Mcp(client).told("find_personas")["total"] == 0

    def test_where_tokens_are_taken_a_refusal_leads_to_whose(self, world: World, issuer: Issuer) -> None:
        client = world.client().with_headers(x_api_key="", host="api.example.com", x_forwarded_proto="https")
        answer = client.call("mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})
        address = f"https://api.example.com{METADATA_PATH}/mcp"
        assert answer.headers["WWW-Authenticate"] == f'Bearer realm="personas", resource_metadata="{address}"'

    @pytest.mark.parametrize("path", ["", "/mcp"])
    def test_anybody_may_read_whose_tokens_are_taken(self, world: World, issuer: Issuer, path: str) -> None:
        answer = other(world, "GET", METADATA_PATH + path, host="api.example.com", x_forwarded_proto="https")
        assert answer.status == 200
        assert answer.body["resource"] == f"https://api.example.com{path}"
        assert answer.body["authorization_servers"] == [issuer.environment["JWT_ISSUER"]]

    def test_where_no_tokens_are_taken_there_is_nothing_to_read(self, world: World) -> None:
        assert other(world, "GET", METADATA_PATH).status == 404

    def test_an_issuer_that_is_a_mere_name_is_no_place_to_ask(
        self, world: World, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JWT_ISSUER", "personas-local")
        world.restart()
        assert other(world, "GET", METADATA_PATH).status == 404
        answer = world.client().with_headers(x_api_key="").call("mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert "resource_metadata" not in answer.headers["WWW-Authenticate"]

    @pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"])
    def test_another_method_is_refused_to_anybody(self, world: World, method: str) -> None:
        answer = other(world, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")

    @pytest.mark.parametrize("origin", [None, "http://localhost:5173", "http://localhost:6274", "https://127.0.0.1"])
    def test_pages_that_may_call_do(self, mcp: Mcp, origin: str | None) -> None:
        assert mcp.send("tools/list", origin=origin).status == 200

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1@evil.example", ""],
    )
    def test_pages_of_a_foreign_origin_are_refused(self, mcp: Mcp, origin: str) -> None:
        assert code(mcp.send("tools/list", origin=origin)) == (403, INVALID_REQUEST)
