"""The function behind POST /api/v5/artifacts/personas/get."""

from aws_lambda_powertools.event_handler import Response

from personas.api import Json, build_app, lambda_function
from personas.contract.get import OPERATION, GetPersonaRequest, GetPersonaResponse
from personas.operations.get import get_persona
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def get(body: Json[GetPersonaRequest]) -> Response[GetPersonaResponse]:
    """Return a persona, a draft laid over it, or the blank form of a new one."""
    answer = get_persona(services(), app.caller, body)
    return app.tagged(answer, answer.version)


lambda_handler = lambda_function(app)
