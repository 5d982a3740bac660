"""The OpenAPI document, made of the registry, the models, the page of errors and the recorded examples."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema

from personas.contract.names import EXAMPLES_MAX, ITEMS_MAX, TEXTS_MAX
from personas.contract.operation import Operation
from personas.contract.problems import Problem
from personas.contract.registry import ABOUT, ROUTES
from personas.identity import challenge
from personas_tools.worker import Json

type Part = dict[str, Json]

ROOT: Final = Path(__file__).resolve().parents[2]
ERRORS: Final = ROOT / "docs" / "errors.md"
EXAMPLES: Final = ROOT / "docs" / "examples.json"
DOCUMENT: Final = ROOT / "docs" / "openapi.json"

TAGS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "Find": ("What there is: lists, forms and options.", ("search", "get")),
    "Save": (f"What is changed, up to {ITEMS_MAX:,} personas a call.", ("create", "update", "duplicate", "delete")),
    "Drafts": ("What someone is still typing. Drafts belong to their profile.", ("draft", "drafts")),
    "Files": ("Personas as a CSV file.", ("export", "download")),
    "Service": ("What the service says of itself, and what keeps it fresh.", ("docs", "refresh")),
}
"""The groups in which readers find the operations."""

_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_REF: Final = "#/components/schemas/{model}"
_CODE: Final = re.compile(r"`(\w+)`")

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


class Failure(NamedTuple):
    """A kind of error: which operations may answer it, when, and what helps."""

    statuses: tuple[int, ...]
    codes: tuple[str, ...]
    where: frozenset[str]
    when: str


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


class _Schemas(GenerateJsonSchema):
    """Schemas without the titles that pydantic makes of field names, and without defaults.

    Readers see the names already. Generators take a field with a default for one that is always there, even in a
    request; the descriptions say what an absent field means.
    """

    def field_title_should_be_set(self, schema: object) -> bool:
        """Return False for every field."""
        return False

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema of the value alone."""
        return self.generate_inner(schema["schema"])


class ErrorsPageError(Exception):
    """docs/errors.md cannot be read as the table that the document is made of."""


def render(document: Json) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def openapi(*, errors_page: str, examples: Sequence[Example]) -> Part:
    """The OpenAPI 3.1 document of the service.

    Raises:
        ErrorsPageError: the tables of the page of errors are not what they should be.
    """
    failures, gateway = list(_failures(errors_page)), dict(_gateway_answers(errors_page))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Personas", "version": project["version"], "description": _INTRODUCTION},
        "servers": [{"url": "/", "description": "The host that this document came from"}],
        "tags": [{"name": name, "description": about} for name, (about, _) in TAGS.items()],
        "security": [{"ApiKey": []}, {"Bearer": []}, {"ApiKey": [], "Bearer": []}],
        "paths": {
            operation.path: {
                operation.method.lower(): _operation(operation, failures, gateway, [*_of(examples, operation)])
            }
            for operation in ROUTES.values()
        },
        "components": {
            "securitySchemes": _SECURITY,
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "schemas": _schemas() | {"Message": _MESSAGE},
        },
    }


def current() -> Part:
    """The document of this checkout."""
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
            *_sent(operation),
        ],
        "responses": {
            str(operation.success): _success(operation, examples),
            **{
                str(status): _problem(operation, status, failures, gateway, examples)
                for status in sorted({*operation.errors, *gateway})
            },
        },
    }
    if operation.request is not None:
        needed = any(field.is_required() for field in operation.request.model_fields.values())
        requests: Json = _named((each, each["request"]) for each in examples if each["status"] == operation.success)
        content: Part = {"schema": _reference(operation.request), "examples": requests}
        described["requestBody"] = {"required": needed, "content": {_JSON: content}}
    return described


def _path_parameters(operation: Operation) -> Iterator[Part]:
    for name, about in operation.path_parameters.items():
        schema: Part = {"type": "string", "format": "uuid"}
        yield {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


def _sent(operation: Operation) -> Iterator[Part]:
    """The header parameters of an operation."""
    sent = {"X-MCP": True, "Idempotency-Key": operation.idempotent_header, "If-Match": operation.if_match}
    for name, read in sent.items():
        if read:
            yield {"$ref": f"#/components/parameters/{name}"}


def _success(operation: Operation, examples: Sequence[Example]) -> Part:
    headers = ["apigw-requestid"]
    if operation.success == HTTPStatus.FOUND:
        return {
            "description": "Where the file is: `text/csv`, which a client that follows redirects gets at once.",
            "headers": _headers([*headers, "Location"]),
        }
    if operation.response is None:
        return {"description": HTTPStatus(operation.success).phrase, "headers": _headers(headers)}
    if operation.name == "get":
        headers.append("ETag")
    if operation.idempotent_header:
        headers.append("Idempotent-Replayed")
    content: Part = {"schema": _reference(operation.response)}
    links: Part = {"links": _LINKS[operation.name]} if operation.name in _LINKS else {}
    answers = _named((each, each["response"]) for each in examples if each["status"] == operation.success)
    if answers:
        content["examples"] = answers
    return {
        "description": _first_line(operation.response),
        "headers": _headers(headers),
        "content": {_JSON: content},
        **links,
    }


def _problem(
    operation: Operation,
    status: int,
    failures: Sequence[Failure],
    gateway: Mapping[int, tuple[str, str]],
    examples: Sequence[Example],
) -> Part:
    """An error that an operation may answer, as a problem, as a message of API Gateway, or as either."""
    possible = [each for each in failures if status in each.statuses and operation.name in each.where]
    codes = [code for each in possible for code in each.codes]
    lines = [f"* `{'`, `'.join(each.codes)}`: {each.when}" for each in possible]
    shapes: list[Json] = []
    shown: Part = {}
    content: Part = {}
    headers = ["apigw-requestid"]
    if codes:
        recorded = _named((each, each["response"]) for each in examples if each["status"] == status)
        shapes.append(_reference(Problem))
        shown |= recorded or dict(_made_up(status, possible))
        content[_PROBLEM] = {"schema": shapes[0]}
        if any("Retry-After" in each.when for each in possible):
            headers.append("Retry-After")
        if status == HTTPStatus.UNAUTHORIZED:
            headers.append("WWW-Authenticate")
    if status in gateway:
        said, when = gateway[status]
        lines.append(f"* API Gateway says *{said}*: {when}")
        shapes.append({"$ref": _REF.format(model="Message")})
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
    """A problem for each code, for a status that no recorded call has; its detail is what the page of errors says."""
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
    """What can be done with a persona whose id an answer tells."""
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
"""Which operations take what an operation answers."""


# ---- Components ------------------------------------------------------------------------------------------------------

_SECURITY: Final[Part] = {
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": (
            "A token (RS256 or ES256) of the issuer that the deployment trusts; its subject is the profile's id. "
            "`personas token` signs one for the local service."
        ),
    },
    # Last, for a form puts the cursor into its last field, and most callers have a key.
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": (
            "A key of a group. One that names a profile is enough; one that names none needs a token beside it. "
            "`make run` prints those of the demo group, `personas key issue` makes others."
        ),
    },
}

_PARAMETERS: Final[Part] = {
    "X-MCP": {
        "name": "X-MCP",
        "in": "header",
        "description": "Whether the call came through an MCP server: true, 1 or yes. What it makes is marked `mcp`.",
        "schema": {"type": "string", "examples": ["true"]},
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": (
            "A key of the caller's own making. A repeat within 24 hours gets the first answer; the same key with "
            "another body is refused."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag that `get` answered: the update is made only if it still holds. For one item only.",
        "schema": {"type": "string", "examples": ['"3"']},
    },
}

_HEADERS: Final[Part] = {
    "apigw-requestid": {
        "description": "The id of this call; a problem has it as `request_id`, the logs as `correlation_id`.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The persona's version; absent for the form of a new one.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    },
    "Idempotent-Replayed": {
        "description": "There where a repeat under its Idempotency-Key got the first answer and did nothing.",
        "schema": {"type": "string", "const": "true"},
    },
    "Location": {
        "description": "A link that needs no key and works for five minutes.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again, where waiting helps.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "WWW-Authenticate": {
        "description": "How to say who is calling.",
        "required": True,
        "schema": {"type": "string", "examples": [challenge()]},
    },
}

_MESSAGE: Final[Part] = {
    "type": "object",
    "description": "What API Gateway answers by itself, before or instead of a function.",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
}


def _schemas() -> Part:
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    for operation in ROUTES.values():
        models += [(operation.request, "validation")] if operation.request else []
        models += [(operation.response, "serialization")] if operation.response else []
    _, schemas = models_json_schema(models, ref_template=_REF, schema_generator=_Schemas)
    _, requests = models_json_schema(
        [each for each in models if each[1] == "validation"], ref_template=_REF, schema_generator=_Schemas
    )
    definitions: Part = schemas["$defs"]
    for name in definitions.keys() - requests["$defs"].keys():
        # Fields may be added to an answer: a client passes over what it does not know.
        if isinstance(definition := definitions[name], dict):
            definition.pop("additionalProperties", None)
    return dict(sorted(definitions.items()))


def _reference(model: type[BaseModel]) -> Part:
    return {"$ref": _REF.format(model=model.__name__)}


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


# ---- The page of errors ----------------------------------------------------------------------------------------------


def _failures(page: str) -> Iterator[Failure]:
    """The rows of the table of what the functions answer."""
    for statuses, codes, where, when, _ in _rows(page, "status", "code", "where", "when", "what to do"):
        named = tuple(_CODE.findall(codes))
        yield Failure(tuple(map(int, statuses.split(","))), named, frozenset(_operations(where)), when)


def _operations(where: str) -> Iterator[str]:
    kinds: dict[str, Callable[[Operation], bool]] = {
        "all": lambda _: True,
        "a body": lambda operation: operation.request is not None,
        "writing": lambda operation: operation.writes,
        "keyed": lambda operation: operation.idempotent_header,
    }
    if where in kinds:
        yield from (name for name, operation in ROUTES.items() if kinds[where](operation))
        return
    for name in where.split(", "):
        if name not in ROUTES:
            raise ErrorsPageError(f"{ERRORS.name}: {name!r} is neither an operation nor one of {', '.join(kinds)}")
        yield name


def _gateway_answers(page: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """What API Gateway answers by itself, by status: what it says and when."""
    for status, message, when in _rows(page, "status", "message", "when"):
        if int(status) != HTTPStatus.NOT_FOUND:  # that is for paths that are none of the operations
            yield int(status), (message, when)


def _rows(page: str, *columns: str) -> Iterator[list[str]]:
    """The rows of the table that has these columns."""
    header = f"| {' | '.join(columns)} |\n"
    _, found, behind = page.partition(header)
    if not found:
        raise ErrorsPageError(f"{ERRORS.name} has no table with the columns {', '.join(columns)}")
    for line in behind.splitlines()[1:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) != len(columns):
            raise ErrorsPageError(f"{ERRORS.name}: a row of {len(cells)} cells where {len(columns)} are needed: {line}")
        yield cells
