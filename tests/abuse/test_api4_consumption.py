"""API4, unrestricted resource consumption: everything that a caller can make large has a bound.

Sizes of items, pages and batches against DynamoDB's own limits are in tests/integration/test_limits.py, bodies over a
megabyte in tests/integration/test_problems.py, time that grows faster than a text in tests/property/test_composing.py.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from personas.contract.base import BODY_MAX, ITEMS_MAX, PAGE_SIZE_MAX
from personas.contract.registry import ARTIFACT
from support.client import event
from support.world import NEEDED, NOBODY, World, fault

IGNORED: Final = {"group_id"}
"""Fields that nothing reads: the body's own size bounds them."""


def unbounded(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the places of a schema at which a value can be as large as the body."""
    match schema.get("type"):
        case "string" if not schema.keys() & {"maxLength", "format", "enum", "const"}:
            yield path
        case "array" if "maxItems" not in schema:
            yield path
        case "integer" | "number" if not schema.keys() & {"maximum", "exclusiveMaximum"}:
            yield path
    for name, inner in schema.get("properties", {}).items():
        if name not in IGNORED:
            yield from unbounded(inner, f"{path}/{name}")
    for name, inner in schema.get("$defs", {}).items():
        yield from unbounded(inner, f"{path}#{name}")
    if items := schema.get("items"):
        yield from unbounded(items, f"{path}/*")
    for inner in schema.get("anyOf", ()):
        yield from unbounded(inner, path)


@pytest.mark.parametrize("operation", ARTIFACT)
def test_every_string_list_and_number_of_a_request_has_a_bound(operation: str) -> None:
    request = ARTIFACT[operation].request

    assert request is None or list(unbounded(request.model_json_schema())) == []


def test_an_unbounded_field_would_be_found() -> None:
    schema = {"properties": {"a": {"anyOf": [{"type": "array", "items": {"type": "string"}, "maxItems": 1}]}}}

    assert list(unbounded(schema)) == ["/a/*"]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("create", {"personas": [dict(NEEDED)] * (ITEMS_MAX + 1)}),
        ("update", {"personas": [{"persona_id": "x"}] * (ITEMS_MAX + 1)}),
        ("delete", {"persona_ids": ["x"] * (ITEMS_MAX + 1)}),
        ("search", {"page_size": PAGE_SIZE_MAX + 1}),
        ("search", {"page_size": 0}),
        ("search", {"page_offset": -1}),
        ("history", {"persona_id": NOBODY, "page_size": PAGE_SIZE_MAX + 1}),
        ("history", {"persona_id": NOBODY, "page_size": 0}),
        ("history", {"persona_id": NOBODY, "before_version": 2**53}),
        ("compare", {"persona_id": NOBODY, "from_version": -1}),
        ("restore", {"persona_id": NOBODY, "version": 2**53}),
        ("search", {"page_offset": 2**53}),
    ],
)
def test_one_more_than_the_bound_is_refused(world: World, operation: str, body: object) -> None:
    assert fault(world.client("root").call(operation, body)) == (422, "invalid")


def test_a_far_page_costs_no_more_than_the_first(world: World) -> None:
    world.save()

    answer = world.client("root").call("search", {"page_offset": 2**53 - 1})

    assert (answer.status, answer.body["personas"], answer.body["total_count"]) == (200, [], 1)


class TestCompressedBodies:
    """Tests that no body is ever decompressed: a bomb stays a bomb."""

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
    def test_are_not_json(self, world: World, encoding: str) -> None:
        bomb = gzip.compress(b'{"search": "' + b" " * 50_000_000 + b'"}')
        raw = event("search", "", {"x-api-key": world.key("root"), "content-encoding": encoding})
        raw |= {"body": base64.b64encode(bomb).decode(), "isBase64Encoded": True}

        assert len(bomb) < BODY_MAX
        assert fault(world.client("root").invoke("search", raw)) == (400, "invalid_json")


def test_faults_are_not_told_without_end(world: World) -> None:
    """A small body cannot ask for a large answer."""
    body = json.dumps({"personas": [{f"f{field}": 1 for field in range(200)} for _ in range(ITEMS_MAX)]})

    answer = world.client("root").call("create", body)

    assert answer.status == 200
    assert len(answer.text) < len(body)
