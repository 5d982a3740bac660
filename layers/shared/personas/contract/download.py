"""download: from the id of an export to its file."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import WireModel, WireTime
from personas.contract.operation import Choice, Operation


class DownloadResponse(WireModel):
    """The address of the file."""

    url: Annotated[
        str,
        Field(description="The address of the file, which needs no key: send no Authorization with it."),
    ]
    expires_at: Annotated[WireTime, Field(description="The time until which the address works.")]


OPERATION: Final = Operation(
    name="download",
    summary="Download an export",
    description=(
        "Redirects to the file of an export, for the profile that made it and for superadmins of its group. The "
        "file is CSV in UTF-8: a row of column names, then a row for each persona. Its address needs no key and works "
        "for five minutes; exports are kept for seven days. The store of files refuses a request that is signed and "
        "carries `Authorization`, too: a client that sends that header wherever it is led asks for `as=json`."
    ),
    request=None,
    response=DownloadResponse,
    errors=(401, 404, 409, 422, 429, 500, 503),
    method="GET",
    success=302,
    own_path="/api/v5/uploads/{upload_id}/download",
    path_parameters={"upload_id": "The upload_id that export answered."},
    query_parameters={"as": Choice("The address as JSON instead of the redirect.", ("json",))},
)
