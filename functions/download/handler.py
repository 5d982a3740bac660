"""The function behind GET /api/v5/uploads/{upload_id}/download."""

from typing import Annotated, Literal

from personas.api import LambdaContext, Query, Response, build_app, lambda_function, unstored
from personas.contract.download import OPERATION, DownloadResponse
from personas.operations.download import file_address
from personas.services import services

app = build_app(OPERATION)


@app.get(app.rule)
def download(
    upload_id: str, as_: Annotated[Literal["json"] | None, Query(alias="as")] = None
) -> Response[DownloadResponse | None]:
    """Redirect to the file of an export, or tell its address."""
    found = file_address(services(), app.caller, upload_id)
    return unstored(200, found) if as_ else unstored(302, None, Location=found.url)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
