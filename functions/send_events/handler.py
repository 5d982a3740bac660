"""The function behind the stream of PersonasTable that tells a bus of EventBridge what happens to personas.

It is there only where the stack's parameter names a bus.
"""

from personas.api import LambdaContext
from personas.batches import stream_function
from personas.operations.send_events import send_event
from personas.services import services


@stream_function("send_events")
def send_changes(record: dict[str, object]) -> None:
    """Send the event of one write."""
    send_event(services(), record)


def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Send the events of a batch."""
    return send_changes(event, context)
