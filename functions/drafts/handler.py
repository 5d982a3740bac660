"""The function behind POST /api/v5/artifacts/personas/drafts."""

from personas.api import build_app, lambda_function
from personas.contract.drafts import OPERATION, GetPersonaDraftsResponse
from personas.operations.drafts import list_drafts
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def drafts() -> GetPersonaDraftsResponse:
    """Return the caller's own drafts, latest first."""
    return list_drafts(services(), app.caller)


lambda_handler = lambda_function(app)
