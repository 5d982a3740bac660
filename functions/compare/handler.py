"""The function behind POST /api/v5/artifacts/personas/compare."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.compare import OPERATION, ComparePersonaRequest, ComparePersonaResponse
from personas.operations.compare import compare_versions
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def compare(body: Json[ComparePersonaRequest]) -> ComparePersonaResponse:
    """Return the fields in which two versions of a persona differ."""
    return compare_versions(services(), app.caller, body)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
