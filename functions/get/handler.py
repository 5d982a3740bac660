"""The function behind POST /api/v5/artifacts/personas/get."""

from personas.api import Json, LambdaContext, Response, build_app, lambda_function
from personas.contract.get import OPERATION, GetPersonaRequest, GetPersonaResponse
from personas.operations.get import get_persona
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def get(body: Json[GetPersonaRequest]) -> Response[GetPersonaResponse]:
    """Return a persona, a draft laid over it, or the blank form of a new one."""
    answer = get_persona(services(), app.caller, body)
    return app.tagged(answer, answer.version)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
