"""One persona in the forms that the MCP server gives it: fields by value, Markdown, and messages to play it by."""

from collections.abc import Iterator
from typing import Final

from mcp_types import PromptMessage, Role, TextContent

from personas.contract.base import NEEDED
from personas.contract.field_values import FieldValue, FieldValues, NamedEntry
from personas.contract.persona_fields import SHOWN_FIELDS
from personas.domain.catalogue import Catalogue
from personas.domain.shown_values import values_of
from personas.operations.read import Read

ARGUMENTS: Final = {shown: field.name for shown, field in SHOWN_FIELDS}
"""The argument of the tools that sets a field, by the name that the field is shown under."""

_OPENING: Final = (
    "From now on you are {name}. Stay in this role in all that you say, until I write that the role-play is over.\n\n"
    "{about}Your instructions:\n\n{instructions}"
)
_CLOSING: Final = "The role-play begins now. Say your first line, as {name}."


def by_value(values: FieldValues, catalogue: Catalogue) -> dict[str, object]:
    """Return the fields of a persona as the tools take them, entries by name; without those that hold nothing."""
    told = {name: plain_value(getattr(values, shown), catalogue) for shown, name in ARGUMENTS.items()}
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
        **{
            label: ", ".join(_name(each, read.catalogue) for each in entries)
            for label, entries in (
                ("Departments", values.departments),
                ("Parameters", values.parameter_fields),
                ("Voices", values.voices),
            )
        },
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


def plain_value(value: FieldValue, catalogue: Catalogue) -> FieldValue:
    """Return a value with names in the place of entries, or an entry's id where that has left the catalogue.

    A field of a parameter has its full name: its name alone tells whether another parameter has a field of that name,
    which may be one that the caller does not know.
    """
    if isinstance(value, list):
        return [each if isinstance(each, str) else _name(each, catalogue) for each in value]
    return _name(value, catalogue) if isinstance(value, NamedEntry) else value


def _name(entry: NamedEntry, catalogue: Catalogue) -> str:
    link = catalogue.parameter_fields.get(entry.id)
    return catalogue.full_name(link) if link else entry.name or entry.id
