"""The function behind POST /api/v5/artifacts/personas/refresh, the schedule, and the queue of groups to refresh."""

from personas.api import LambdaContext, background_function, build_app, lambda_function
from personas.batches import queue_function
from personas.contract.refresh import OPERATION, PersonaRefreshResponse
from personas.operations.refresh import queue_marked, refresh_answer, refresh_queued, refresh_requested
from personas.services import services

app = build_app(OPERATION)


@app.post(OPERATION.path)
def refresh() -> PersonaRefreshResponse:
    """Bring the views of the caller's group up to date."""
    return refresh_answer(refresh_requested(services(), app.caller.group_id))


@lambda_function(app)
def answer_request(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)


@queue_function("refresh_queue")
def work_through_queue(message: dict[str, str]) -> None:
    """Bring the views of one queued group up to date."""
    refresh_queued(services(), message["group_id"])


@background_function("refresh_schedule")
def queue_changed_groups(_event: dict[str, object], _context: LambdaContext) -> dict[str, object]:
    """Queue every group that has changed since its last refresh."""
    return {"queued": queue_marked(services())}


def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Tell the three events apart by their shape."""
    match event:
        case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
            return work_through_queue(event, context)
        case {"source": "personas.schedule"}:
            return queue_changed_groups(event, context)
    return answer_request(event, context)
