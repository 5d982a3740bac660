"""The components of the OpenAPI document: what its operations refer to."""

from typing import Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema

from personas.contract.problems import Problem
from personas.contract.registry import ROUTES
from personas.identity import CHALLENGE
from personas_tools.invocation import Json

type Part = dict[str, Json]

_REF: Final = "#/components/schemas/{model}"

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
        "description": "Set by an MCP server to true, 1 or yes. The versions that the call makes are marked `mcp`.",
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
        "schema": {"type": "string", "examples": [CHALLENGE]},
    },
}

_MESSAGE: Final[Part] = {
    "type": "object",
    "description": "What API Gateway answers by itself, before or instead of a function.",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
}


def components() -> Part:
    """Return the components of the document."""
    return {
        "securitySchemes": _SECURITY,
        "parameters": _PARAMETERS,
        "headers": _HEADERS,
        "schemas": _schemas() | {"Message": _MESSAGE},
    }


def reference_to(model: str) -> Part:
    """Return a reference to the schema of a model."""
    return {"$ref": _REF.format(model=model)}


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


def _schemas() -> Part:
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    for operation in ROUTES.values():
        models += [(operation.request, "validation")] if operation.request else []
        models.append((operation.response, "serialization"))
        models += [(operation.failure, "serialization")] if operation.failure else []
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
