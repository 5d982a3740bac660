"""delete: remove personas, up to a thousand at once."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import ITEMS_MAX, Id, OnItsOwn, Rejected, WireModel, WriteRequest
from personas.contract.operation import WRITE_ERRORS, Operation
from personas.contract.results import DeletePersonaResult

__all__ = ["OPERATION", "DeletePersonaRequest", "DeletePersonaResponse", "DeletePersonaResult"]


class DeletePersonaRequest(WriteRequest):
    """The personas to delete."""

    persona_ids: Annotated[
        list[Annotated[Id | Rejected, OnItsOwn(Id)]],
        Field(description="One to 1,000 personas, each deleted or not on its own.", min_length=1, max_length=ITEMS_MAX),
    ]


class DeletePersonaResponse(WireModel):
    """The results, one for each id."""

    results: Annotated[list[DeletePersonaResult], Field(description="A result for each id, in order.")]


OPERATION: Final = Operation(
    name="delete",
    summary="Delete personas",
    description=(
        "Deletes one to 1,000 personas and says what became of each, in order. One that an active scenario uses, or "
        "that the caller may not delete, stays. A single one that could not be deleted is answered as the error that "
        "fits, with its result in it; several are answered by their results."
    ),
    request=DeletePersonaRequest,
    response=DeletePersonaResponse,
    errors=WRITE_ERRORS,
    writes=True,
    idempotent_header=True,
)
