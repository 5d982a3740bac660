"""The function behind POST /api/v5/artifacts/personas/restore."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.restore import OPERATION, RestorePersonaRequest, RestorePersonaResponse
from personas.operations.restore import restore_version
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def restore(body: Json[RestorePersonaRequest]) -> RestorePersonaResponse:
    """Bring a version of a persona back."""
    return app.write(RestorePersonaResponse, lambda intent: restore_version(services(), app.caller, body, intent))


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
