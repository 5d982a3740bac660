"""The function behind POST /api/v5/artifacts/personas/delete."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.delete import OPERATION, DeletePersonaRequest, DeletePersonaResponse
from personas.operations.delete import delete_personas
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def delete(body: Json[DeletePersonaRequest]) -> DeletePersonaResponse:
    """Retire personas, each on its own."""
    return app.write(DeletePersonaResponse, lambda intent: delete_personas(services(), app.caller, body, intent))


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
