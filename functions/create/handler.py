"""The function behind POST /api/v5/artifacts/personas/create."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.create import OPERATION, CreatePersonaRequest, CreatePersonaResponse
from personas.operations.create import create_personas
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def create(body: Json[CreatePersonaRequest]) -> CreatePersonaResponse:
    """Save new personas, each on its own."""
    return app.write(CreatePersonaResponse, lambda intent: create_personas(services(), app.caller, body, intent))


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
