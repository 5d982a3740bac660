"""The function behind POST /api/v5/artifacts/personas/export."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.export import OPERATION, ExportPersonasRequest, ExportPersonasResponse
from personas.operations.export import export_personas
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def export(body: Json[ExportPersonasRequest]) -> ExportPersonasResponse:
    """Write the personas that match to a CSV file."""
    return export_personas(services(), app.caller, body)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
