"""The fields of a persona as history, compare and conflicts show them: texts, and entries with their names.

Beside them the profile that changed them, which events tell, too.
"""

from typing import Annotated

from pydantic import Field

from personas.contract.base import WireId, WireModel


class NamedEntry(WireModel):
    """An entry of the catalogue."""

    id: Annotated[WireId, Field(description="The id.")]
    name: Annotated[str | None, Field(description="The present name; null where the catalogue has no such entry now.")]


FieldValue = str | NamedEntry | list[str] | list[NamedEntry] | None
"""The value of any field: a text or an entry, several of them, or nothing."""


class ChangedBy(WireModel):
    """The profile that changed something."""

    profile_id: Annotated[WireId, Field(description="The id.")]
    name: Annotated[str | None, Field(description="The name that it bore then, or null where that is not known.")]


class FieldValues(WireModel):
    """All fields of a persona in one version."""

    name: Annotated[str | None, Field(description="The name.")]
    description: Annotated[str | None, Field(description="The description.")]
    instructions: Annotated[str | None, Field(description="The instructions.")]
    color: Annotated[NamedEntry | None, Field(description="The color.")]
    icon: Annotated[NamedEntry | None, Field(description="The icon.")]
    active: Annotated[NamedEntry | None, Field(description="The active flag; null for an inactive persona.")]
    departments: Annotated[list[NamedEntry], Field(description="The departments.")]
    parameter_fields: Annotated[list[NamedEntry], Field(description="The parameter fields.")]
    examples: Annotated[list[str], Field(description="The examples.")]
    voices: Annotated[list[NamedEntry], Field(description="The voices.")]
