"""The function behind POST /api/v5/artifacts/personas/drafts."""

from personas.api import LambdaContext, build_app, lambda_function
from personas.contract.drafts import OPERATION, GetPersonaDraftsResponse
from personas.operations.drafts import list_drafts
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def drafts() -> GetPersonaDraftsResponse:
    """Return the caller's own drafts, latest first."""
    return list_drafts(services(), app.caller)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
