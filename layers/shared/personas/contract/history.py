"""history: the versions of a persona, who made each, and what it changed."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import (
    VERSION_PAGE_SIZE_DEFAULT,
    Id,
    ReadRequest,
    Version,
    VersionKind,
    VersionPageSize,
    WireId,
    WireModel,
    WireTime,
)
from personas.contract.field_values import ChangedBy, FieldValues
from personas.contract.operation import READ_ERRORS, Operation
from personas.contract.persona_fields import FieldName


class PersonaHistoryRequest(ReadRequest):
    """The persona, and the part of its history to show."""

    persona_id: Annotated[Id, Field(description="The persona. One that was deleted has its history still.")]
    before_version: Annotated[
        Version | None, Field(description="Show versions below this one: next_before_version of the page before.")
    ] = None
    page_size: Annotated[VersionPageSize, Field(description="At most so many versions.")] = VERSION_PAGE_SIZE_DEFAULT
    version: Annotated[
        Version | None,
        Field(description="Show this version alone, with its values. The two fields above then tell nothing."),
    ] = None


class PersonaVersion(WireModel):
    """A version of a persona."""

    version: Annotated[int, Field(description="Its number.")]
    kind: Annotated[VersionKind, Field(description="The kind of write that made it.")]
    at: Annotated[WireTime, Field(description="The time at which it was made.")]
    changed_by: Annotated[ChangedBy | None, Field(description="The profile that made it; null for a tool.")]
    mcp: Annotated[bool, Field(description="True if it was made through an MCP server.")]
    changed: Annotated[list[FieldName], Field(description="The fields that differ from the version before.")]
    restored_from: Annotated[int | None, Field(description="Of a restored one: the version that was brought back.")]
    values: Annotated[
        FieldValues | None, Field(description="All fields, where one version was asked for and is no deletion.")
    ]


class PersonaHistoryResponse(WireModel):
    """The versions that the caller may see, latest first."""

    persona_id: Annotated[WireId, Field(description="The persona.")]
    current_version: Annotated[int, Field(description="The version that is stored; of a deleted persona the deletion.")]
    deleted: Annotated[bool, Field(description="True if the persona is deleted.")]
    versions: Annotated[list[PersonaVersion], Field(description="The versions, latest first.")]
    next_before_version: Annotated[
        int | None, Field(description="Where there are more: before_version of the next page.")
    ]
    pending: Annotated[
        list[int],
        Field(
            description="Versions of this page that are about to be recorded, within seconds: those above the highest "
            "recorded one and below the current one. Other numbers that are missing are not kept."
        ),
    ]


OPERATION: Final = Operation(
    name="history",
    summary="Show a persona's versions",
    description=(
        "Lists the versions of a persona, latest first: who made each, when, how, and which fields it changed; or one "
        "version with all its values. A version is kept for a year after the next one has replaced it, unless the "
        "deployment says otherwise. Versions of departments that the caller could not see are left out. A deleted "
        "persona has its history as soon as its deletion is recorded, and is not there until then."
    ),
    request=PersonaHistoryRequest,
    response=PersonaHistoryResponse,
    errors=READ_ERRORS,
)
