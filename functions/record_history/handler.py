"""The function behind the stream of PersonasTable that records the versions of personas.

Lambda hands over what is written of personas, a batch at a time, and sends again what could not be recorded.
"""

from personas.api import LambdaContext
from personas.batches import stream_function
from personas.operations.record_history import record_version
from personas.services import services


@stream_function("record_history")
def record_changes(record: dict[str, object]) -> None:
    """Record the version that one write made, and the end of the one before."""
    record_version(services(), record)


def lambda_handler(event: dict[str, object], context: LambdaContext) -> dict[str, object]:
    """Record a batch."""
    return record_changes(event, context)
