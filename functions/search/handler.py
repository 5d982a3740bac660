"""The function behind POST /api/v5/artifacts/personas/search."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.search import OPERATION, SearchPersonaRequest, SearchPersonaResponse
from personas.operations.search import search_personas
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def search(body: Json[SearchPersonaRequest]) -> SearchPersonaResponse:
    """Return one page of the personas that match, and seven filters with true counts."""
    return search_personas(services(), app.caller, body)


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
