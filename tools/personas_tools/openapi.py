"""The OpenAPI document, made of the registry, the models, the page of errors and the recorded examples."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypedDict

from pydantic import BaseModel

from personas import __version__
from personas.contract.base import EXAMPLES_MAX, ITEMS_MAX, TEXTS_MAX
from personas.contract.operation import Operation
from personas.contract.problems import Problem
from personas.contract.registry import ABOUT, ROUTES
from personas_tools.errors_page import ERRORS, ErrorsPageError, Failure, failures_in, gateway_answers_in
from personas_tools.invocation import Json
from personas_tools.openapi_components import Part, components, reference_to

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = ROOT / "docs" / "examples.json"
DOCUMENT: Final = ROOT / "docs" / "openapi.json"

TAGS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "Find": ("Lists, forms and options.", ("search", "get")),
    "Save": (f"Changes, up to {ITEMS_MAX:,} personas a call.", ("create", "update", "duplicate", "delete")),
    "Drafts": ("Forms that somebody is still typing. A draft belongs to its author's profile.", ("draft", "drafts")),
    "Versions": (
        "The authors of a persona's changes, its earlier states, and the way back to one.",
        ("history", "compare", "restore"),
    ),
    "Files": ("Personas as a CSV file.", ("export", "download")),
    "Service": ("The service's own documentation, and its refresh.", ("docs", "refresh")),
    "MCP": ("The library for programs that speak the Model Context Protocol.", ("mcp",)),
}
"""The groups in which readers find the operations."""

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"

_INTRODUCTION: Final = f"""{ABOUT}

**Calling.** Send `X-Api-Key`, or `Authorization: Bearer` with a token, or both. The profile behind them says what may
be seen and changed; what a caller may not see is answered as if it did not exist. The examples are the demo group's,
their lists and texts cut short.

**Bodies** are JSON. Reading operations pass over fields that they do not know, writing ones refuse them by name. A
persona has at most {EXAMPLES_MAX} examples and {TEXTS_MAX // 1024} KB of texts, a call at most {ITEMS_MAX:,} items.

**Errors** are problems (RFC 9457), as `application/json` unless `Accept` names `application/problem+json`. Decide by
`status` and `code`, which stay the same across releases, and quote `request_id`, which is also the header
`apigw-requestid` of every answer. What API Gateway answers itself has only a `message`.

**Repeating.** A writing call with an `Idempotency-Key` can be sent again for 24 hours without doing it twice.
`expected_version` and `If-Match` keep an update from overwriting what was saved in between."""


class Example(TypedDict, total=False):
    """A call as it was recorded: see docs/examples.json."""

    operation: str
    name: str
    summary: str
    role: str | None
    headers: dict[str, str]
    request: Json
    status: int
    response: Json


def render(document: Json) -> str:
    """Return the document as the text that is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def openapi(*, errors_page: str, examples: Sequence[Example]) -> Part:
    """Return the OpenAPI 3.1 document of the service.

    Raises:
        ErrorsPageError: the tables of the page of errors are not what they should be.
    """
    failures, gateway = list(failures_in(errors_page)), dict(gateway_answers_in(errors_page))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Personas", "version": __version__, "description": _INTRODUCTION},
        "servers": [{"url": "/", "description": "The host that this document came from"}],
        "tags": [{"name": name, "description": about} for name, (about, _) in TAGS.items()],
        "security": [{"ApiKey": []}, {"Bearer": []}, {"ApiKey": [], "Bearer": []}],
        "paths": {
            operation.path: {
                operation.method.lower(): _operation(operation, failures, gateway, [*_of(examples, operation)])
            }
            for operation in ROUTES.values()
        },
        "components": components(),
    }


def current() -> Part:
    """Return the document of this checkout."""
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return openapi(errors_page=ERRORS.read_text(encoding="utf-8"), examples=examples)


# ---- Operations ------------------------------------------------------------------------------------------------------


def _operation(
    operation: Operation, failures: Sequence[Failure], gateway: Mapping[int, tuple[str, str]], examples: list[Example]
) -> Part:
    described: Part = {
        "operationId": operation.name,
        "tags": [next(name for name, (_, names) in TAGS.items() if operation.name in names)],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [
            *_path_parameters(operation),
            *_query_parameters(operation),
            *_sent(operation),
        ],
        "responses": {
            **_successes(operation, examples),
            **_without_bodies(operation),
            **{
                str(status): _problem(operation, status, failures, gateway, examples)
                for status in sorted({*operation.errors, *gateway})
            },
        },
    }
    if operation.request is not None:
        needed = any(field.is_required() for field in operation.request.model_fields.values())
        requests: Json = _named((each, each["request"]) for each in examples if each["status"] == operation.success)
        content: Part = {"schema": reference_to(operation.request.__name__), "examples": requests}
        described["requestBody"] = {"required": needed, "content": {_JSON: content}}
    return described


def _path_parameters(operation: Operation) -> Iterator[Part]:
    for name, about in operation.path_parameters.items():
        schema: Part = {"type": "string", "format": "uuid"}
        yield {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


def _query_parameters(operation: Operation) -> Iterator[Part]:
    for name, choice in operation.query_parameters.items():
        schema: Part = {"type": "string", "enum": [*choice.values]}
        yield {"name": name, "in": "query", "description": choice.description, "schema": schema}


def _sent(operation: Operation) -> Iterator[Part]:
    """Yield the header parameters of an operation."""
    sent = {
        "X-MCP": operation.failure is None,
        "Idempotency-Key": operation.idempotent_header,
        "If-Match": operation.if_match,
    }
    for name, read in sent.items():
        if read:
            yield {"$ref": f"#/components/parameters/{name}"}


def _successes(operation: Operation, examples: Sequence[Example]) -> Part:
    if operation.success != HTTPStatus.FOUND:
        return {str(operation.success): _success(operation, examples)}
    redirect: Part = {
        "description": "Where the file is: `text/csv`, which a client that follows redirects gets at once.",
        "headers": _headers(["apigw-requestid", "Location"]),
    }
    return {str(HTTPStatus.OK.value): _success(operation, examples), str(HTTPStatus.FOUND.value): redirect}


def _without_bodies(operation: Operation) -> Part:
    """Return the answers of an operation that are no errors and have no body."""
    return {
        str(status): {"description": f"{when}.", "headers": _headers(["apigw-requestid"])}
        for status, when in operation.own_answers.items()
        if status < HTTPStatus.BAD_REQUEST
    }


def _success(operation: Operation, examples: Sequence[Example]) -> Part:
    headers = ["apigw-requestid"]
    if operation.name == "get":
        headers.append("ETag")
    if operation.idempotent_header:
        headers.append("Idempotent-Replayed")
    content: Part = {"schema": reference_to(operation.response.__name__)}
    links: Part = {"links": _LINKS[operation.name]} if operation.name in _LINKS else {}
    answers = _named((each, each["response"]) for each in examples if each["status"] == operation.success)
    if answers or operation.name in _MADE_UP:
        content["examples"] = answers or _MADE_UP[operation.name]
    return {
        "description": _first_line(operation.response),
        "headers": _headers(headers),
        "content": {_JSON: content},
        **links,
    }


_MADE_UP: Final[Mapping[str, Part]] = {
    "download": {
        "as_json": {
            "summary": "The address as JSON",
            "value": {
                "url": "https://bucket.s3.eu-central-1.amazonaws.com/exports/…?X-Amz-Signature=…",
                "expires_at": "2026-11-28T09:05:00+00:00",
            },
        }
    }
}
"""The answers that no recorded call has: an address is a secret, and another one each time."""


def _problem(
    operation: Operation,
    status: int,
    failures: Sequence[Failure],
    gateway: Mapping[int, tuple[str, str]],
    examples: Sequence[Example],
) -> Part:
    """Return an error that an operation may answer, as a problem, as a message of API Gateway, or as either."""
    own = operation.failure is not None
    possible = [each for each in failures if not own and status in each.statuses and operation.name in each.where]
    codes = [code for each in possible for code in each.codes]
    lines = [f"* `{'`, `'.join(each.codes)}`: {each.when}" for each in possible]
    shapes: list[Json] = []
    shown: Part = {}
    content: Part = {}
    headers = ["apigw-requestid"]
    if codes:
        recorded = _named((each, each["response"]) for each in examples if each["status"] == status)
        shapes.append(reference_to(Problem.__name__))
        shown |= recorded or dict(_made_up(status, possible))
        content[_PROBLEM] = {"schema": shapes[0]}
    if operation.failure is not None and status in operation.own_answers:
        lines.append(f"* {operation.own_answers[status]}")
        shapes.append(reference_to(operation.failure.__name__))
    if any("Retry-After" in line for line in lines):
        headers.append("Retry-After")
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append("WWW-Authenticate")
    if status in gateway:
        said, when = gateway[status]
        lines.append(f"* API Gateway says *{said}*: {when}")
        shapes.append(reference_to("Message"))
        shown["api_gateway"] = {"summary": "From API Gateway itself", "value": {"message": said}}
    if not shapes:
        raise ErrorsPageError(f"{ERRORS.name} has no row for the {status} that {operation.name} may answer")
    description = "\n".join([HTTPStatus(status).phrase, "", *lines])
    schema: Json = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    content = {_JSON: {"schema": schema, "examples": shown}, **content}
    # The codes are no part of the schema: generators make one class of Problem, or none of a Problem with conditions.
    told: Part = {"x-codes": [*codes]} if codes else {}
    return {"description": description, "headers": _headers(headers), "content": content, **told}


def _made_up(status: int, possible: Iterable[Failure]) -> Iterator[tuple[str, Json]]:
    """Yield a problem for each code, for a status that no recorded call has, with the detail of the page of errors."""
    for failure in possible:
        said = failure.when.replace("`", "")
        for code in failure.codes:
            problem = Problem(
                type="about:blank",
                title=HTTPStatus(status).phrase,
                status=status,
                detail=f"{said[0].upper()}{said[1:]}.",
                code=code,
                request_id="wWy1r_YE7AJxW0s=",
            )
            yield code, {"summary": code, "value": problem.model_dump(mode="json", exclude_none=True)}


def _headers(names: Iterable[str]) -> Part:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _named(examples: Iterable[tuple[Example, Json]]) -> Part:
    return {each["name"]: {"summary": each["summary"], "value": value} for each, value in examples}


def _of(examples: Iterable[Example], operation: Operation) -> Iterator[Example]:
    return (each for each in examples if each["operation"] == operation.name)


def _link(operation: str, **request: Json) -> Part:
    return {"operationId": operation, "requestBody": request}


def _links_of_persona(persona_id: str) -> Part:
    """Return links to the operations on a persona whose id an answer tells."""
    return {
        "get": _link("get", persona_id=persona_id),
        "update": _link("update", personas=[{"persona_id": persona_id}]),
        "duplicate": _link("duplicate", persona_id=persona_id),
        "delete": _link("delete", persona_ids=[persona_id]),
    }


_DRAFT: Final = "$response.body#/draft_id"
_LINKS: Final[Mapping[str, Part]] = {
    "create": _links_of_persona("$response.body#/results/0/persona_id"),
    "duplicate": _links_of_persona("$response.body#/persona_id"),
    "draft": {
        "get": _link("get", draft_id=_DRAFT),
        "draft": _link("draft", input_draft_id=_DRAFT, expected_version="$response.body#/new_version"),
    },
    "export": {"download": {"operationId": "download", "parameters": {"upload_id": "$response.body#/upload_id"}}},
}
"""The operations that take something from the answer of another, by the name of the other."""


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0]
