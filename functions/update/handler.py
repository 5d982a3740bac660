"""The function behind POST /api/v5/artifacts/personas/update."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.update import OPERATION, UpdatePersonaRequest, UpdatePersonaResponse
from personas.operations.update import update_personas
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def update(body: Json[UpdatePersonaRequest]) -> UpdatePersonaResponse:
    """Change personas, each on its own."""
    if_match = app.header("if-match")
    return app.write(
        UpdatePersonaResponse, lambda intent: update_personas(services(), app.caller, body, intent, if_match)
    )


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
