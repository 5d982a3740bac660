"""docs/openapi.json: valid by itself, and true of the events, of the README and of what the demo answers."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from openapi_spec_validator import validate

from personas.contract.registry import ROUTES
from personas_tools import openapi
from personas_tools.errors_page import ErrorsPageError
from support.described import Described, described
from support.server import Session, demo_key, serving

ROOT: Final = Path(__file__).parents[2]
EVENTS: Final = ROOT / "events"

TEXT_SHOWN: Final = 160
"""Characters of a text in a recorded answer."""
ENTRIES_SHOWN: Final = 2

EXAMPLES: Final[list[openapi.Example]] = json.loads(openapi.EXAMPLES.read_text(encoding="utf-8"))


def test_it_is_what_the_models_say() -> None:
    assert openapi.DOCUMENT.read_text(encoding="utf-8") == openapi.render(openapi.current()), "make openapi"


def test_it_is_valid_openapi_3_1() -> None:
    document = described().document
    validate(document)
    assert document["openapi"].startswith("3.1.")


def test_it_has_every_operation_and_no_other() -> None:
    assert described().operations.keys() == ROUTES.keys()
    for name, operation in ROUTES.items():
        assert described().operation(operation.method, operation.path) is described().operations[name]


@pytest.mark.parametrize("name", ROUTES)
def test_an_operation_can_be_read_about(name: str) -> None:
    operation = described().operations[name]
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    assert all(answer["description"] for answer in operation["responses"].values())


@pytest.mark.parametrize("name", ROUTES)
def test_an_operation_tells_all_its_errors_by_code(name: str) -> None:
    responses = described().operations[name]["responses"]
    assert responses.keys() >= {str(status) for status in ROUTES[name].errors}
    for status, answer in responses.items():
        content = answer.get("content", {})
        problem = content.get("application/problem+json")
        if problem:
            plain = content["application/json"]["schema"]
            assert problem["schema"] in plain.get("anyOf", [plain])
            codes = answer["x-codes"]
            assert codes
            assert all(f"`{code}`" in answer["description"] for code in codes), status
        else:
            assert int(status) < 400 or status in {"413", "429", "431"} or ROUTES[name].failure


def test_both_ways_to_say_who_is_calling_are_there() -> None:
    document = described().document
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {"ApiKey": "apiKey", "Bearer": "http"}
    assert document["security"] == [{"ApiKey": []}, {"Bearer": []}, {"ApiKey": [], "Bearer": []}]


def test_a_client_may_be_told_more_than_is_described() -> None:
    answer = {"success": True, "persona_id": "x", "message": "Done.", "version": 1, "errors": None, "code": None}
    answer["new"] = 1
    schemas = described().document["components"]["schemas"]
    assert described().schema_faults(schemas["PersonaResultItem"], answer) == []
    assert described().schema_faults(schemas["CreatePersonaItem"], {"new": 1}) != []


@pytest.mark.parametrize("path", sorted(path for path in EVENTS.glob("*.json") if path.stem in ROUTES), ids=str)
def test_an_event_is_a_request_as_described(path: Path) -> None:
    event = json.loads(path.read_text(encoding="utf-8"))
    line = event["requestContext"]["http"]
    body = event.get("body", "")
    assert described().request_faults(line["method"], line["path"], event["headers"], body) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"page_size": "x"}, "page_size"),
        ({"scenario_ids": ["x"]}, "scenario_ids"),
    ],
)
def test_another_request_is_at_fault(change: Mapping[str, object], fault: str) -> None:
    path = ROUTES["search"].path
    (found,) = described().request_faults("POST", path, {"Content-Type": "application/json"}, json.dumps(change))
    assert fault in found


@pytest.mark.parametrize(
    ("status", "media_type", "body", "fault"),
    [
        (418, "application/json", {}, "not said to answer 418"),
        (200, "text/plain", {}, "text/plain is not one of"),
        (200, "application/json", {"success": 1}, "success"),
        (404, "application/problem+json", {"status": 404, "code": "gone"}, "code"),
    ],
)
def test_another_answer_is_at_fault(status: int, media_type: str, body: object, fault: str) -> None:
    path = ROUTES["duplicate"].path
    found = described().answer_faults("POST", path, status, {"Content-Type": media_type}, json.dumps(body))
    assert any(fault in each for each in found)


# ---- The page of errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("| 404 | `not_found` | everywhere | x | y |", "'everywhere' is neither an operation nor one of"),
        ("| 404 | `not_found` | x | y |", "a row of 4 cells where 5 are needed"),
        ("", "has no row for the 400"),
    ],
)
def test_a_page_of_errors_that_says_too_little_is_refused(row: str, message: str) -> None:
    page = (
        f"| status | code | where | when | what to do |\n| - | - | - | - | - |\n{row}\n\n| status | message | when |\n|"
    )
    with pytest.raises(ErrorsPageError, match=message):
        openapi.openapi(errors_page=page, examples=[])


# ---- Examples --------------------------------------------------------------------------------------------------------


def described_examples(document: Described) -> Iterator[tuple[str, Mapping[str, Any], object]]:
    """Yield every example in the document: its place, its schema, its value."""
    for name, operation in document.operations.items():
        contents = {"requestBody": operation.get("requestBody", {}), **operation["responses"]}
        for place, part in contents.items():
            for content in part.get("content", {}).values():
                for key, example in content.get("examples", {}).items():
                    yield f"{name} {place} {key}", content["schema"], example["value"]


def test_examples_are_valid() -> None:
    examples = list(described_examples(described()))
    faults = {place: described().schema_faults(schema, value) for place, schema, value in examples}
    assert {place: found for place, found in faults.items() if found} == {}
    shown = {place.split()[0] for place, _, _ in examples if place.split()[1] == "200"}
    assert shown == {name for name, operation in ROUTES.items() if operation.response}


def shortened(value: Any, key: str = "") -> Any:
    """Return an answer as the document shows it: shortened lists and texts, and no schema within."""
    match value:
        case dict() if key == "returns":
            return None
        case dict():
            return {name: shortened(inner, name) for name, inner in value.items()}
        case list():
            return [shortened(inner) for inner in value[:ENTRIES_SHOWN]]
        case str() if len(value) > TEXT_SHOWN:
            return f"{value[:TEXT_SHOWN]}…"
    return value


def volatile(value: object) -> str | None:
    """Return the kind of a value that differs from run to run; None for other values."""
    if isinstance(value, str):
        if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", value):
            return "time"
        if re.fullmatch(r"[+-]{3} draft [\da-f-]{36}", value):
            return "side of a comparison"
        if re.fullmatch(r"personas_export_[\d_-]+\.csv", value):
            return "file"
        try:
            return f"uuid{UUID(value).version}"
        except ValueError:
            return None
    return None


def same(recorded: Any, answered: Any, key: str = "") -> bool:
    """Return True if two answers differ in nothing but times, random ids and the ids of calls."""
    match recorded, answered:
        case dict(), dict():
            return recorded.keys() == answered.keys() and all(
                same(recorded[name], answered[name], name) for name in recorded
            )
        case list(), list():
            return len(recorded) == len(answered) and all(map(same, recorded, answered))
    unlike = volatile(recorded)
    return recorded == answered or key == "request_id" or (unlike is not None and unlike == volatile(answered))


@pytest.mark.emulator
def test_the_demo_answers_as_the_examples_say(tmp_path: Path) -> None:
    """With RECORD_EXAMPLES in the environment, what it answers is written down instead."""
    recording = "RECORD_EXAMPLES" in os.environ
    played = []
    with serving(tmp_path) as (_, port):
        sessions = {role: Session(port, demo_key(tmp_path, role)) for role in ("superadmin", "viewer")}
        sessions["nobody"] = Session(port, "")
        draft_ids = {None: None}
        for example in EXAMPLES:
            request = example["request"]
            for name in {"input_draft_id", "draft_id"} & (request or {}).keys():
                request = {**request, name: draft_ids[request[name]]}
            session = sessions[example.get("role", "superadmin") or "nobody"]
            status, answer = session.call(example["operation"], request, **example.get("headers", {}))
            draft_ids[example.get("response", {}).get("draft_id")] = answer.get("draft_id")
            played.append({**example, "request": request, "status": status, "response": shortened(answer)})
        for session in sessions.values():
            session.__exit__()
    if recording:
        openapi.EXAMPLES.write_text(openapi.render(played), encoding="utf-8")
    different = [
        f"{each['operation']} {each['name']}" for each, now in zip(EXAMPLES, played, strict=True) if not same(each, now)
    ]
    assert recording or different == [], "make examples, then make openapi"
