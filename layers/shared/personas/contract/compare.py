"""compare: the fields in which two versions of a persona differ, or a version and a draft."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import Id, ReadRequest, Version, WireId, WireModel
from personas.contract.field_values import FieldValue
from personas.contract.operation import READ_ERRORS, Operation
from personas.contract.persona_fields import FieldName


class ComparePersonaRequest(ReadRequest):
    """The two sides to compare."""

    persona_id: Annotated[Id, Field(description="The persona. One that was deleted can be compared still.")]
    from_version: Annotated[Version, Field(description="The version to begin from.")]
    to_version: Annotated[
        Version | None, Field(description="The version to compare with; absent: the current one.")
    ] = None
    draft_id: Annotated[
        Id | None,
        Field(description="Compare with this draft of the caller, laid over the current version, instead."),
    ] = None


class FieldDifference(WireModel):
    """A field that differs."""

    field: Annotated[FieldName, Field(description="The field.")]
    from_: Annotated[FieldValue, Field(alias="from", description="Its value in from_version.")]
    to: Annotated[FieldValue, Field(description="Its value in to_version, or by the draft.")]
    added: Annotated[
        FieldValue, Field(description="Of a list: the entries that are only in to. In another order none are.")
    ] = None
    removed: Annotated[FieldValue, Field(description="Of a list: the entries that are only in from.")] = None
    diff: Annotated[
        list[str] | None,
        Field(description="Of a text: the lines of a unified diff, the two that name its sides first."),
    ] = None


class ComparePersonaResponse(WireModel):
    """The differences, field by field."""

    persona_id: Annotated[WireId, Field(description="The persona.")]
    from_version: Annotated[int, Field(description="The version that was begun from.")]
    to_version: Annotated[int, Field(description="The version compared with; of a draft the one that it is laid over.")]
    differences: Annotated[list[FieldDifference], Field(description="The fields that differ, and no others.")]


OPERATION: Final = Operation(
    name="compare",
    summary="Compare two versions of a persona",
    description=(
        "Tells the fields in which two versions of a persona differ, or a version and the caller's draft: both values, "
        "what was added to a list and removed from it, and a unified diff of a text. A "
        "deletion has nothing in a field."
    ),
    request=ComparePersonaRequest,
    response=ComparePersonaResponse,
    errors=READ_ERRORS,
)
