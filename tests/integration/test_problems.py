"""Tests that every error is a problem (RFC 9457) that helps, and that neither it nor a log reveals a secret."""

import base64
import inspect
import io
import json
from types import SimpleNamespace

import pytest

from personas.identity import digest_of
from support.client import Answer, event, load_handler
from support.world import GROUP, NEEDED, NOBODY, PEOPLE, World, fault, pointers

OPERATIONS = ("get", "create", "update", "duplicate", "delete", "draft", "drafts", "docs", "export")
WITH_BODY = tuple(operation for operation in OPERATIONS if operation != "drafts")
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


def records(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestShape:
    def test_members_and_media_type(self, world: World) -> None:
        answer = world.client("root").call("get", {"persona_id": NOBODY})

        assert answer.status == 404
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.body == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": f"There is no persona {NOBODY}.",
            "code": "not_found",
            "request_id": answer.body["request_id"],
        }

    def test_request_id_is_the_gateways(self, world: World) -> None:
        raw = event("get", {"persona_id": NOBODY}, {"x-api-key": world.key("root")})

        answer = world.client("root").invoke("get", raw)

        assert answer.body["request_id"] == raw["requestContext"]["requestId"]

    def test_fields_at_fault_are_json_pointers(self, world: World) -> None:
        item = {**NEEDED, "a/b~c": 1}

        answer = world.client("root").call("create", {"personas": [item]})

        assert answer.body["errors"] == [{"field": "/personas/0/a~1b~0c", "message": "unknown field"}]

    def test_detail_is_a_sentence_for_a_person(self, world: World) -> None:
        answer = world.client("root").call("create", {"personas": [{**NEEDED, "name": 7}]})

        assert answer.body["detail"] == "name: must be a string"

    def test_success_is_plain_json(self, world: World) -> None:
        answer = world.client("root").call("get", {})

        assert answer.headers["Content-Type"] == "application/json"

    def test_a_huge_name_of_an_unknown_field_is_cut(self, world: World) -> None:
        answer = world.client("root").call("draft", {"x" * 100_000: 1})

        assert answer.status == 422
        assert pointers(answer) == ["/" + "x" * 200]

    def test_at_most_100_faults_are_told(self, world: World) -> None:
        answer = world.client("root").call("draft", {f"field{n}": 1 for n in range(500)})

        assert answer.status == 422
        assert len(answer.body["errors"]) == 100

    def test_an_unknown_route_is_404(self, world: World) -> None:
        raw = event("get", {}, {"x-api-key": world.key("root")})
        raw["rawPath"] = raw["requestContext"]["http"]["path"] = "/api/v5/artifacts/personas/fly"

        answer = world.client("root").invoke("get", raw)

        assert fault(answer) == (404, "not_found")
        assert answer.headers["Content-Type"] == "application/json"


class TestMediaType:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            (None, "application/json"),
            ("*/*", "application/json"),
            ("application/json, text/plain, */*", "application/json"),
            ("application/problem+json;q=0", "application/json"),
            ("application/problem+json", "application/problem+json"),
            ("application/json, application/problem+json;q=0.9", "application/problem+json"),
            ("application/*+json", "application/problem+json"),
        ],
    )
    def test_a_problem_is_plain_json_unless_accept_names_its_own_type(
        self, world: World, accept: str | None, media_type: str
    ) -> None:
        headers = {} if accept is None else {"accept": accept}

        answer = world.client("root").call("get", {"persona_id": NOBODY}, **headers)

        assert answer.headers["Content-Type"] == media_type
        assert answer.body["detail"] == f"There is no persona {NOBODY}."

    @pytest.mark.parametrize("persona_id", [None, NOBODY])
    def test_caches_are_told_by_which_headers_an_answer_varies(self, world: World, persona_id: str | None) -> None:
        answer = world.client("root").call("get", {"persona_id": persona_id})

        assert answer.headers["Vary"] == "Accept, Accept-Encoding"


class TestUnauthenticated:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_401_says_how_to_authenticate(self, world: World, operation: str) -> None:
        answer = world.anyone().call(operation, {})

        assert fault(answer) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="personas", ApiKey realm="personas"'
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.body.keys() == MEMBERS

    @pytest.mark.parametrize("body", ["{", "[]", '{"personas": 7}'])
    def test_comes_before_anything_that_is_wrong_with_the_body(self, world: World, body: str) -> None:
        assert world.anyone().call("create", body).status == 401

    def test_other_errors_do_not_ask_for_credentials(self, world: World) -> None:
        answer = world.client("root").call("get", {"persona_id": NOBODY})

        assert "WWW-Authenticate" not in answer.headers


class TestBody:
    @pytest.mark.parametrize("operation", WITH_BODY)
    @pytest.mark.parametrize("body", ["{", "nonsense", '{"a": NaN}', '{"a": 1,}', "'a'"])
    def test_not_json_is_400(self, world: World, operation: str, body: str) -> None:
        answer = world.client("root").call(operation, body)

        assert fault(answer) == (400, "invalid_json")
        assert answer.body.keys() == MEMBERS

    def test_not_utf8_is_400(self, world: World) -> None:
        raw = event("draft", "", {"x-api-key": world.key("root")})
        raw["body"] = base64.b64encode(b'{"name": "\xff"}').decode()
        raw["isBase64Encoded"] = True

        assert fault(world.client("root").invoke("draft", raw)) == (400, "invalid_json")

    @pytest.mark.parametrize("body", ["{}!", "e30", "\u20ac", "\ud800"])
    def test_not_base64_is_400(self, world: World, body: str) -> None:
        raw = event("draft", body, {"x-api-key": world.key("root")})
        raw["isBase64Encoded"] = True

        assert fault(world.client("root").invoke("draft", raw)) == (400, "invalid_json")

    def test_base64_is_read(self, world: World) -> None:
        raw = event("draft", "", {"x-api-key": world.key("root")})
        raw["body"] = base64.b64encode('{"name": "Zoë"}'.encode()).decode()
        raw["isBase64Encoded"] = True

        assert world.client("root").invoke("draft", raw).status == 200

    @pytest.mark.parametrize("operation", WITH_BODY)
    @pytest.mark.parametrize("body", ["[]", '"a"', "7", "null", "true"])
    def test_json_that_is_no_object_is_422(self, world: World, operation: str, body: str) -> None:
        answer = world.client("root").call(operation, body)

        assert answer.status == 422
        assert answer.body["errors"] == [{"field": "", "message": "must be an object"}]

    @pytest.mark.parametrize(
        "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
    )
    def test_another_media_type_is_415(self, world: World, media_type: str) -> None:
        answer = world.client("root").call("draft", {"name": "Ada"}, Content_Type=media_type)

        assert fault(answer) == (415, "not_json_content")
        assert answer.body.keys() == MEMBERS
        assert world.contents() == []

    @pytest.mark.parametrize(
        "media_type",
        ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/merge-patch+json"],
    )
    def test_json_by_any_of_its_names_is_read(self, world: World, media_type: str) -> None:
        assert world.client("root").call("draft", {"name": "Ada"}, Content_Type=media_type).status == 200

    def test_without_a_media_type_it_is_taken_for_json(self, world: World) -> None:
        raw = event("draft", {"name": "Ada"}, {"x-api-key": world.key("root")})
        del raw["headers"]["content-type"]

        assert world.client("root").invoke("draft", raw).status == 200

    def test_nothing_needs_no_media_type(self, world: World) -> None:
        answer = world.client("root").call("get", "", Content_Type="text/plain")

        assert answer.status == 200

    def test_more_than_a_megabyte_is_413(self, world: World) -> None:
        answer = world.client("root").call("get", json.dumps({"x": "y" * 1_000_000}))

        assert fault(answer) == (413, "body_too_large")
        assert answer.body.keys() == MEMBERS

    def test_a_megabyte_in_bytes_not_in_characters(self, world: World) -> None:
        euros = json.dumps({"x": "\N{EURO SIGN}" * 333_334}, ensure_ascii=False)

        assert world.client("root").call("get", euros).status == 413

    def test_exactly_a_megabyte_is_read(self, world: World) -> None:
        body = json.dumps({"x": "y" * (1_000_000 - len('{"x": ""}'))})
        assert len(body) == 1_000_000

        assert world.client("root").call("get", body).status == 200

    def test_what_is_too_large_is_not_parsed_first(self, world: World) -> None:
        assert world.client("root").call("get", "{" * 1_000_001).status == 413

    def test_a_deep_nest_is_no_crash(self, world: World) -> None:
        answer = world.client("root").call("get", '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}")

        assert answer.status == 400

    @pytest.mark.parametrize("body", ["", " ", "\n"])
    def test_blank_is_as_missing(self, world: World, body: str) -> None:
        assert world.client("root").call("get", body).status == 200

    def test_a_lone_surrogate_is_400_not_500(self, world: World) -> None:
        answer = world.client("root").call("draft", '{"name": "\\ud800"}')

        assert answer.status == 400


class TestDefects:
    """Mistakes of ours: what they are about stays inside."""

    @pytest.fixture
    def broken(self, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("row 7 of table personas-prod holds Wounded Lion")

        for store in ("personas", "drafts"):
            for method in ("find", "get", "get_many", "insert", "create", "latest"):
                name = f"personas.store.{store}.{store.capitalize().removesuffix('s')}Store.{method}"
                monkeypatch.setattr(name, fail, raising=False)
        return world

    @pytest.mark.parametrize(
        ("operation", "body"),
        [
            ("get", {"persona_id": NOBODY}),
            ("create", {"personas": [NEEDED]}),
            ("update", {"personas": [{"persona_id": NOBODY}]}),
            ("duplicate", {"persona_id": NOBODY}),
            ("delete", {"persona_ids": [NOBODY]}),
            ("draft", {"name": "Ada"}),
            ("drafts", {}),
        ],
    )
    def test_are_500_without_inner_text(self, broken: World, operation: str, body: object) -> None:
        answer = broken.client("root").call(operation, body)

        assert answer.status == 500
        assert {name: answer.body[name] for name in MEMBERS} == {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "Something went wrong on our side. Quote the request_id when you report it.",
            "code": "internal_error",
            "request_id": answer.body["request_id"],
        }
        assert "personas-prod" not in answer.text
        assert answer.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize(
        ("operation", "body", "message"),
        [
            ("get", {"persona_id": NOBODY}, "an operation failed"),
            ("create", {"personas": [NEEDED]}, "an item failed"),
        ],
    )
    def test_are_logged_with_the_request_id_that_is_quoted(
        self, broken: World, logged: io.StringIO, operation: str, body: object, message: str
    ) -> None:
        answer = broken.client("root").call(operation, body)

        (failure,) = [each for each in records(logged) if each["level"] == "ERROR"]
        assert failure["message"] == message
        assert failure["exception_name"] == "RuntimeError"
        assert failure["correlation_id"] == answer.body["request_id"]

    def test_an_answer_that_breaks_the_contract_is_500_and_not_repeated_in_the_log(
        self, world: World, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        persona_id = world.save(name="Wounded Lion")
        monkeypatch.setattr("personas.domain.resources._is_generated", lambda _: "Wounded Lion")

        answer = world.client("root").call("get", {"persona_id": persona_id})

        assert fault(answer) == (500, "internal_error")
        assert "Wounded Lion" not in answer.text
        assert "Wounded Lion" not in logged.getvalue()

    def test_an_answer_that_is_not_its_model_is_500_and_its_places_alone_are_logged(
        self, world: World, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given an operation that answers with something else than its model
        client, handler = world.client("root"), load_handler("get")
        client.handlers["get"] = handler
        other = SimpleNamespace(version=None, can_edit="Wounded Lion")
        monkeypatch.setitem(inspect.unwrap(handler).__globals__, "get_persona", lambda *_: other)
        # When it is called
        answer = client.call("get", {})
        # Then that is a mistake of ours, of which the log has the place
        assert fault(answer) == (500, "internal_error")
        (failure,) = [each for each in records(logged) if each["level"] == "ERROR"]
        assert failure["places"] == [{"loc": ["response", "can_edit"], "type": "bool_parsing"}]
        assert "Wounded Lion" not in answer.text + logged.getvalue()


class TestLogs:
    """Tests of the log of a call: caller, operation, outcome; never a credential, a body or a persona's texts."""

    SECRET = "Wounded Lion"

    def everything(self, world: World) -> list[Answer]:
        """Call every operation that carries texts, also so that some fail on them."""
        client = world.client("root")
        texts = {
            "name": f"{self.SECRET} A",
            "description": f"{self.SECRET} B",
            "instructions": f"{self.SECRET} C",
            "examples": [f"{self.SECRET} D"],
        }
        item = {"color": "Teal", "icon": "Star", **texts}
        created = client.call("create", {"personas": [item, {**item, "color": self.SECRET}]}, Idempotency_Key="abc")
        persona_id = created.body["results"][0]["persona_id"]
        draft = client.call("draft", texts)
        return [
            created,
            draft,
            client.call("create", {"personas": [{**item, "color": self.SECRET}]}),
            client.call("create", {"personas": [{**item, self.SECRET: 1}]}),
            client.call("create", json.dumps({"personas": [item]}) + "{"),
            client.call("draft", {**texts, self.SECRET: 1}),
            client.call("draft", {**texts, "input_draft_id": draft.body["draft_id"], "expected_version": 9}),
            client.call("update", {"personas": [{"persona_id": persona_id, **texts, "expected_version": 9}]}),
            client.call("update", {"personas": [{"persona_id": persona_id, **texts}]}),
            client.call("get", {"persona_id": persona_id, "color_search": self.SECRET}),
            client.call("duplicate", {"persona_id": persona_id}),
            client.call("drafts"),
            client.call("delete", {"persona_ids": [persona_id]}),
        ]

    def test_hold_no_texts(self, world: World, logged: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
        statuses = [answer.status for answer in self.everything(world)]

        assert statuses == [200, 200, 422, 422, 400, 422, 409, 409, 200, 200, 200, 200, 200]
        printed = capsys.readouterr()
        assert self.SECRET not in logged.getvalue() + printed.out + printed.err

    def test_hold_no_credentials(self, world: World, logged: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
        key = world.key("root")
        world.client("root").call("get", {})
        world.anyone(X_Api_Key=key + "x").call("get", {})
        world.anyone(Authorization="Bearer eyJhbGciOiJub25lIn0.secret.").call("get", {})

        printed = capsys.readouterr()
        everything = logged.getvalue() + printed.out + printed.err
        assert key.rpartition(".")[2] not in everything
        assert digest_of(key) not in everything
        assert "eyJhbGciOiJub25lIn0" not in everything

    def test_say_who_did_what_and_how_it_went(self, world: World, logged: io.StringIO) -> None:
        answer = world.client("coach").call("get", {"persona_id": NOBODY})

        (record,) = records(logged)
        assert record["level"] == "INFO"
        assert record["message"] == "answered"
        assert record["operation"] == "get"
        assert record["group"] == GROUP
        assert record["profile"] == PEOPLE["coach"].id
        assert record["status"] == 404
        assert record["code"] == "not_found"
        assert record["correlation_id"] == answer.body["request_id"]

    def test_count_the_items_of_a_writing_call(self, world: World, logged: io.StringIO) -> None:
        world.client("root").call("create", {"personas": [NEEDED, NEEDED, {**NEEDED, "color": "Mauve"}]})

        (record,) = records(logged)
        assert (record["saved"], record["failed"]) == (2, 1)

    def test_one_call_does_not_leak_into_the_next(self, world: World, logged: io.StringIO) -> None:
        world.client("coach").call("get", {"persona_id": NOBODY})
        world.anyone().call("get", {})

        last = records(logged)[-1]
        assert last["code"] == "unauthenticated"
        assert "profile" not in last
