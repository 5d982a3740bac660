"""One persona in the forms that the MCP server gives it: fields by value, Markdown, and messages to play it by."""

from collections.abc import Iterable, Iterator
from typing import Final

from mcp_types import PromptMessage, Role, TextContent

from personas.contract.base import NEEDED
from personas.contract.field_values import FieldValue, FieldValues, NamedEntry
from personas.contract.persona_fields import SHOWN_FIELDS
from personas.domain.shown_values import values_of
from personas.operations.read import Read

_OPENING: Final = (
    "From now on you are {name}. Stay in this role in all that you say, until I write that the role-play is over.\n\n"
    "{about}Your instructions:\n\n{instructions}"
)
_CLOSING: Final = "The role-play begins now. Say your first line, as {name}."


def by_value(values: FieldValues) -> dict[str, object]:
    """Return the fields of a persona as the tools take them, entries by name; without those that hold nothing."""
    told = {field.name: _plain(getattr(values, shown)) for shown, field in SHOWN_FIELDS}
    held = {name: value for name, value in told.items() if value or name in NEEDED}
    return {**held, "active_flag": values.active is not None}


def markdown(read: Read) -> str:
    """Return a persona as a page of Markdown."""
    values = values_of(read.persona.form, read.catalogue)
    parts = [f"# {values.name}", values.description, "## Instructions", values.instructions]
    if values.examples:
        parts += ["## Examples", *("\n".join(f"> {line}" for line in each.splitlines()) for each in values.examples)]
    facts = {
        "Version": str(read.persona.version),
        "Active": "yes" if values.active else "no",
        "Departments": ", ".join(_names(values.departments)),
        "Parameters": ", ".join(_names(values.parameter_fields)),
        "Voices": ", ".join(_names(values.voices)),
    }
    parts += ["## Facts", "\n".join(f"- {name}: {told}" for name, told in facts.items() if told)]
    return "\n\n".join(part for part in parts if part) + "\n"


def messages(read: Read) -> Iterator[PromptMessage]:
    """Yield the messages by which a model takes the part of a persona: instructions, examples, and the beginning."""
    values = values_of(read.persona.form, read.catalogue)
    about = f"{values.description}\n\n" if values.description else ""
    yield _message("user", _OPENING.format(name=values.name, about=about, instructions=values.instructions))
    for example in values.examples:
        yield _message("assistant", example)
    yield _message("user", _CLOSING.format(name=values.name))


def _message(role: Role, text: str) -> PromptMessage:
    return PromptMessage(role=role, content=TextContent(text=text))


def _plain(value: FieldValue) -> FieldValue:
    if isinstance(value, list):
        return [each if isinstance(each, str) else _name(each) for each in value]
    return _name(value) if isinstance(value, NamedEntry) else value


def _names(entries: Iterable[NamedEntry]) -> list[str]:
    return [_name(each) for each in entries]


def _name(entry: NamedEntry) -> str:
    """Return the name of an entry, or its id where it has left the catalogue."""
    return entry.name or entry.id
