"""The function behind PATCH /api/v5/artifacts/personas/draft."""

from personas.api import Json, LambdaContext, build_app, lambda_function
from personas.contract.draft import OPERATION, PatchPersonaDraftRequest, PatchPersonaDraftResponse
from personas.operations.draft import patch_draft
from personas.services import services

app = build_app(OPERATION)


@app.patch(OPERATION.path)
def draft(body: Json[PatchPersonaDraftRequest]) -> PatchPersonaDraftResponse:
    """Begin a draft, or change one of the caller's."""
    return app.write(PatchPersonaDraftResponse, lambda intent: patch_draft(services(), app.caller, body, intent))


@lambda_function(app)
def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
