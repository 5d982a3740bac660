"""The models in documents: their JSON schemas, and types in the short notation of the reference."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, cast

from pydantic import BaseModel

type Schema = Mapping[str, object]

_REF: Final = "#/$defs/"


class Param(NamedTuple):
    """A field of a body: ``personas[].name`` is the name of each entry of ``personas``."""

    name: str
    type: str
    required: bool
    default: object


def params_of(model: type[BaseModel] | None) -> Iterator[Param]:
    """Yield the fields of a body, those of a list's entries behind the list. Deprecated fields are left out."""
    if model is not None:
        schema = model.model_json_schema()
        yield from _params(schema, cast("Mapping[str, Schema]", schema.get("$defs", {})), "")


def returns_of(model: type[BaseModel]) -> dict[str, object]:
    """Return the JSON schema of an answer, complete in itself."""
    return model.model_json_schema(mode="serialization")


def notation(schema: Schema) -> str:
    """Return a type in short: ``string | null``, ``uuid[]``, ``CreatePersonaItem[]``."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.removeprefix(_REF)
        case {"anyOf": list(members)}:
            return " | ".join(notation(member) for member in members)
        case {"type": "array", "items": dict(items)}:
            item = notation(items)
            return f"({item})[]" if " | " in item else f"{item}[]"
        case {"format": str(form)}:
            return form
        case {"type": str(kind)}:
            return kind
    return "any"


def _params(schema: Schema, definitions: Mapping[str, Schema], prefix: str) -> Iterator[Param]:
    required = cast("list[str]", schema.get("required", []))
    for name, part in cast("Mapping[str, Schema]", schema["properties"]).items():
        if part.get("deprecated"):
            continue
        yield Param(prefix + name, notation(part), name in required, part.get("default"))
        match part:
            case {"items": {"$ref": str(reference)}}:
                yield from _params(definitions[reference.removeprefix(_REF)], definitions, f"{prefix}{name}[].")
