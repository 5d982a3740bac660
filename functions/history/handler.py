"""The function behind POST /api/v5/artifacts/personas/history."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.history import OPERATION, PersonaHistoryRequest, PersonaHistoryResponse
from personas.operations.history import show_history
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def history(body: Json[PersonaHistoryRequest]) -> PersonaHistoryResponse:
    """Return the versions of a persona."""
    return show_history(services(), app.caller, body)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
