"""duplicate: make an inactive copy of a persona."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import Id, WireId, WireModel, WriteRequest
from personas.contract.operation import WRITE_ERRORS, Operation


class DuplicatePersonaRequest(WriteRequest):
    """The persona to copy."""

    persona_id: Annotated[Id, Field(description="The persona to copy.")]


class DuplicatePersonaResponse(WireModel):
    """The copy."""

    success: Annotated[bool, Field(description="True if the copy is stored.")]
    persona_id: Annotated[WireId, Field(description="The id of the copy.")]
    message: Annotated[str, Field(description="The result, in words for people.")]


OPERATION: Final = Operation(
    name="duplicate",
    summary="Duplicate a persona",
    description=(
        'Makes a copy named "<name> Copy" (then "<name> Copy 2" and so on) with the same links, inactive and in no '
        "scenario."
    ),
    request=DuplicatePersonaRequest,
    response=DuplicatePersonaResponse,
    errors=WRITE_ERRORS,
    writes=True,
    idempotent_header=True,
)
