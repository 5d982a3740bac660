"""drafts: the caller's unfinished personas."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import WireId, WireModel, WireTime
from personas.contract.operation import BARE_ERRORS, Operation

NONE_OR_ONE = "of none or one."


class GetPersonaDraftResponse(WireModel):
    """A draft. Single selections are lists of none or one."""

    id: Annotated[WireId, Field(description="The id of the draft.")]
    version: Annotated[int, Field(description="Its version.")]
    created_at: Annotated[WireTime, Field(description="The time at which it was begun.")]
    generated: Annotated[bool, Field(description="True if a machine made it rather than a person.")]
    mcp: Annotated[bool, Field(description="True if it was made through an MCP server.")]
    active: Annotated[bool, Field(description="True if the draft can still be changed.")]
    group_id: Annotated[WireId, Field(description="The group it belongs to.")]
    session_id: Annotated[WireId, Field(description="The session it was made in.")]
    name_ids: Annotated[list[WireId], Field(description=f"The name, a list {NONE_OR_ONE}")]
    description_ids: Annotated[list[WireId], Field(description=f"The description, a list {NONE_OR_ONE}")]
    instruction_ids: Annotated[list[WireId], Field(description=f"The instructions, a list {NONE_OR_ONE}")]
    color_ids: Annotated[list[WireId], Field(description=f"The color, a list {NONE_OR_ONE}")]
    icon_ids: Annotated[list[WireId], Field(description=f"The icon, a list {NONE_OR_ONE}")]
    flag_ids: Annotated[list[WireId], Field(description=f"The active flag, a list {NONE_OR_ONE}")]
    department_ids: Annotated[list[WireId], Field(description="The departments.")]
    parameter_field_ids: Annotated[list[WireId], Field(description="The parameter fields.")]
    example_ids: Annotated[list[WireId], Field(description="The examples.")]
    voice_ids: Annotated[list[WireId], Field(description="The voices.")]
    profile_ids: Annotated[list[WireId], Field(description="The profiles that it belongs to.")]


class GetPersonaDraftsResponse(WireModel):
    """The caller's drafts."""

    entries: Annotated[
        list[GetPersonaDraftResponse] | None, Field(description="At most 200, the last changed first.")
    ] = None


OPERATION: Final = Operation(
    name="drafts",
    summary="List the caller's drafts",
    description="Answers with the drafts of the calling profile, the last changed first, at most 200. No body is read.",
    request=None,
    response=GetPersonaDraftsResponse,
    errors=BARE_ERRORS,
)
