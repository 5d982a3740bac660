"""The function behind POST /api/v5/artifacts/personas/duplicate."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.duplicate import OPERATION, DuplicatePersonaRequest, DuplicatePersonaResponse
from personas.operations.duplicate import duplicate_persona
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def duplicate(body: Json[DuplicatePersonaRequest]) -> DuplicatePersonaResponse:
    """Copy a persona."""
    return app.write(DuplicatePersonaResponse, lambda intent: duplicate_persona(services(), app.caller, body, intent))


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
