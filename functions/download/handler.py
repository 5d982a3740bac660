"""The function behind GET /api/v5/uploads/{upload_id}/download."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from personas.api import build_app, lambda_function, redirect
from personas.contract.download import OPERATION
from personas.operations.download import file_address
from personas.services import services

app = build_app(OPERATION)


@app.get(app.rule)
def download(upload_id: str) -> Response[None]:
    """Redirect to the file of an export."""
    return redirect(file_address(services(), app.caller, upload_id))


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
