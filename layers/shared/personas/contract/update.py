"""update: change stored personas, up to a thousand at once."""

from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from personas.contract.base import (
    BULK_BODY_MAX,
    ID_FIELDS,
    ITEMS_MAX,
    NEEDED,
    Id,
    OnItsOwn,
    Rejected,
    Version,
    WireModel,
    WriteRequest,
)
from personas.contract.conflicts import Merge, check_merge
from personas.contract.operation import Operation
from personas.contract.results import PersonaResultItem
from personas.contract.values import PersonaValues

__all__ = ["OPERATION", "PersonaResultItem", "UpdatePersonaItem", "UpdatePersonaRequest", "UpdatePersonaResponse"]


class UpdatePersonaItem(PersonaValues, defer_build=False):
    """Changes to a persona. Absent fields stay as they are, null clears a selection, [] a list; a list replaces."""

    persona_id: Annotated[Id, Field(description="The persona to change.")]
    expected_version: Annotated[
        Version | None, Field(description="Save only if this is the stored version; absent or null: save anyway.")
    ] = None
    merge: Merge = False

    @model_validator(mode="after")
    def _merges_from_a_version(self) -> Self:
        check_merge(type(self).__name__, self.merge, self.expected_version)
        return self

    @model_validator(mode="after")
    def _needed_stay(self) -> Self:
        faults = [
            InitErrorDetails(
                type=PydanticCustomError("contract_needed", "is required and cannot be cleared"),
                loc=(value_field if value_field in self.given else ID_FIELDS[value_field],),
                input=None,
            )
            for value_field in type(self).model_fields
            if value_field in NEEDED
            and not self.given.isdisjoint({value_field, ID_FIELDS[value_field]})
            and getattr(self, value_field) is None
            and getattr(self, ID_FIELDS[value_field]) is None
        ]
        if faults:
            raise ValidationError.from_exception_data(type(self).__name__, faults)
        return self


class UpdatePersonaRequest(WriteRequest):
    """The changes to make."""

    personas: Annotated[
        list[Annotated[UpdatePersonaItem | Rejected, OnItsOwn(UpdatePersonaItem)]],
        Field(description="Changes to one to 1,000 personas, each on its own.", min_length=1, max_length=ITEMS_MAX),
    ]


class UpdatePersonaResponse(WireModel):
    """The results, one for each change."""

    results: Annotated[list[PersonaResultItem], Field(description="A result for each item, in order.")]


OPERATION: Final = Operation(
    name="update",
    summary="Update personas",
    description=(
        "Changes one to 1,000 personas, each as a whole and on its own, and says what became of each, in order. Only "
        "fields that are present change; where none would, no version is made. expected_version guards an item, "
        "If-Match a call with exactly one. With merge, an item goes through where nobody else has changed its fields. "
        "A single item that could not be saved is answered as the error that fits, with its result in it; several are "
        "answered by their results. An item for which there was no time says so, and is to be sent again."
    ),
    request=UpdatePersonaRequest,
    response=UpdatePersonaResponse,
    body_max=BULK_BODY_MAX,
    errors=(400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 500, 503),
    writes=True,
    idempotent_header=True,
    if_match=True,
)
