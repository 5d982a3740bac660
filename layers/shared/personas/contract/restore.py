"""restore: bring an older version of a persona back, as a new one."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import Id, Version, WireId, WireModel, WriteRequest
from personas.contract.operation import WRITE_ERRORS, Operation


class RestorePersonaRequest(WriteRequest):
    """The version to bring back."""

    persona_id: Annotated[Id, Field(description="The persona. One that was deleted comes back under its id.")]
    version: Annotated[Version, Field(description="The version to bring back.")]
    expected_version: Annotated[
        Version | None, Field(description="Restore only if this is the stored version; absent or null: anyway.")
    ] = None


class RestorePersonaResponse(WireModel):
    """The version that is now stored."""

    success: Annotated[bool, Field(description="True if the persona has the values of that version.")]
    persona_id: Annotated[WireId, Field(description="The persona.")]
    version: Annotated[
        int, Field(description="The version that is now stored: a new one, unless all fields had these values already.")
    ]
    message: Annotated[str, Field(description="The result, in words for people.")]


OPERATION: Final = Operation(
    name="restore",
    summary="Restore a version of a persona",
    description=(
        "Writes the values of an older version as a new one. The caller needs the rights of an update, and the right "
        "to assign the departments and parameter fields of that version; none of them is dropped. Entries that were "
        "withdrawn since come back as they were. A deleted persona comes back under its id, in its scenarios, with the "
        "rights of a create. Where all fields have these values already, no version is made."
    ),
    request=RestorePersonaRequest,
    response=RestorePersonaResponse,
    errors=WRITE_ERRORS,
    writes=True,
    idempotent_header=True,
)
