"""download: from the id of an export to its file."""

from typing import Final

from personas.contract.operation import Operation

OPERATION: Final = Operation(
    name="download",
    summary="Download an export",
    description=(
        "Redirects to the file of an export, for the profile that made it and for superadmins of its group. The "
        "file is CSV in UTF-8: a row of column names, then a row for each persona. Its address needs no key and works "
        "for five minutes; exports are kept for seven days."
    ),
    request=None,
    response=None,
    errors=(401, 404, 429, 500, 503),
    method="GET",
    success=302,
    own_path="/api/v5/uploads/{upload_id}/download",
    path_parameters={"upload_id": "The upload_id that export answered."},
)
