"""create: save new personas, up to a thousand at once."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from personas.contract.base import (
    BULK_BODY_MAX,
    ID_FIELDS,
    ITEMS_MAX,
    NEEDED,
    Id,
    OnItsOwn,
    Rejected,
    WireModel,
    WriteRequest,
)
from personas.contract.operation import Operation
from personas.contract.results import PersonaResultItem
from personas.contract.values import PersonaValues

__all__ = ["OPERATION", "CreatePersonaItem", "CreatePersonaRequest", "CreatePersonaResponse", "PersonaResultItem"]


class CreatePersonaItem(PersonaValues, defer_build=False):
    """A new persona. Name, color, icon and instructions are needed, each by id or by value."""

    # Defaults are validated too, so that what is needed and absent is found beside all other faults of the item.
    model_config = ConfigDict(validate_default=True)

    id: Annotated[
        Id | None, Field(description="The id to give it: a new one, or that of a deleted persona. Else one is made.")
    ] = None

    @field_validator(*NEEDED)
    @classmethod
    def _needed(cls, value: str | None, info: ValidationInfo) -> str | None:
        # An id field that is itself at fault is absent from the data: then one complaint is enough.
        if value is None and info.field_name is not None and info.data.get(ID_FIELDS[info.field_name], "") is None:
            raise PydanticCustomError("contract_needed", "is required")
        return value


class CreatePersonaRequest(WriteRequest):
    """The personas to create."""

    personas: Annotated[
        list[Annotated[CreatePersonaItem | Rejected, OnItsOwn(CreatePersonaItem)]],
        Field(
            description="One to 1,000 personas, each saved or refused on its own.", min_length=1, max_length=ITEMS_MAX
        ),
    ]


class CreatePersonaResponse(WireModel):
    """The results, one for each persona."""

    results: Annotated[list[PersonaResultItem], Field(description="A result for each item, in order.")]


OPERATION: Final = Operation(
    name="create",
    summary="Create personas",
    description=(
        "Saves one to 1,000 new personas, each as a whole and on its own, and says what became of each, in order. A "
        "single one that could not be saved is answered as the error that fits, with its result in it; several are "
        "answered by their results. An item for which there was no time says so, and is to be sent again."
    ),
    request=CreatePersonaRequest,
    response=CreatePersonaResponse,
    body_max=BULK_BODY_MAX,
    errors=(400, 401, 403, 409, 413, 415, 422, 429, 500, 503),
    writes=True,
    idempotent_header=True,
)
