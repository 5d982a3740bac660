"""The example events: one an operation, and one each of schedule, queue and stream, as the real senders make them."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from personas.contract.registry import ROUTES

EVENTS: Final = Path(__file__).parents[2] / "events"
OTHERS: Final = frozenset({"scheduled", "queue", "stream"})


def test_there_is_one_for_every_operation() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(ROUTES) | OTHERS


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_it_is_what_api_gateway_sends(name: str) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    context = event["requestContext"]
    path = event["routeKey"].partition(" ")[2]
    assert event["version"] == "2.0"
    assert context["routeKey"] == event["routeKey"]
    assert context["http"]["method"] == ROUTES[name].method
    assert context["http"]["path"] == event["rawPath"]
    assert context["stage"] == "$default"
    assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), event["rawPath"])
    assert all(header == header.lower() for header in event["headers"])
    if "body" in event:
        assert int(event["headers"]["content-length"]) == len(event["body"].encode())


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_it_is_a_valid_request_of_its_operation(name: str) -> None:
    operation = ROUTES[name]
    event = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    assert event["routeKey"] == " ".join(operation.routes[0])
    if operation.request is None:
        assert "body" not in event
    else:
        operation.request.model_validate_json(event["body"])


def test_none_holds_a_key() -> None:
    for path in EVENTS.glob("*.json"):
        headers = json.loads(path.read_text(encoding="utf-8")).get("headers", {})
        assert headers.get("x-api-key", "an-api-key-goes-here") == "an-api-key-goes-here"
        assert "authorization" not in headers
