"""The function behind POST /api/v5/artifacts/personas/docs."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.docs import OPERATION, PersonaDocsRequest, PersonaDocsResponse
from personas.operations.docs import describe
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def docs(body: Json[PersonaDocsRequest]) -> PersonaDocsResponse:
    """Return the documentation of the persona artifact, composed from the data with which the service works."""
    return describe(services(), app.caller, body)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
