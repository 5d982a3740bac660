"""The events of what happens to personas: for programs that listen on a bus of EventBridge."""

from typing import Annotated, Final, Literal

from pydantic import Field

from personas.contract.base import WireModel
from personas.contract.field_values import ChangedBy

SOURCE: Final = "personas"
"""The source of every event."""

DetailType = Literal["PersonaCreated", "PersonaUpdated", "PersonaRestored", "PersonaDeleted"]


class PersonaEvent(WireModel):
    """The detail of an event: a version of a persona was made. It holds no texts; `get` or `history` tell them.

    An event comes at least once and in no order: `version` orders, and persona and version together tell a repeat.
    """

    group_id: Annotated[str, Field(description="The group.")]
    persona_id: Annotated[str, Field(description="The persona.")]
    version: Annotated[int, Field(description="The version that was made; a deletion makes one, too.")]
    changed: Annotated[list[str], Field(description="The fields that changed; all where it begins or ends.")]
    changed_by: Annotated[ChangedBy | None, Field(description="The profile that made it; null for a tool.")]
    mcp: Annotated[bool, Field(description="True if it came through an MCP server.")]
    at: Annotated[str, Field(description="The time, RFC 3339 in UTC.")]
