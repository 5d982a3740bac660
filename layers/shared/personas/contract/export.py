"""export: personas as a CSV file."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import Id, WireId, WireModel
from personas.contract.filters import PersonaFilter
from personas.contract.operation import Operation


class ExportPersonasRequest(PersonaFilter):
    """The conditions of the personas to export; without conditions, all that the caller may see."""

    persona_id: Annotated[Id | None, Field(description="Export this one.")] = None


class ExportPersonasResponse(WireModel):
    """The file that was written."""

    upload_id: Annotated[WireId, Field(description="The id to download it by.")]
    file_name: Annotated[str, Field(description="The name that it is downloaded as.")]
    row_count: Annotated[int, Field(description="The number of personas in it.")]


OPERATION: Final = Operation(
    name="export",
    summary="Export personas",
    description=(
        "Writes the personas that match, as far as the caller may see them, to a CSV file that can be imported again, "
        "and answers with the id to download it by."
    ),
    request=ExportPersonasRequest,
    response=ExportPersonasResponse,
    errors=(400, 401, 404, 413, 415, 422, 429, 500, 503),
)
