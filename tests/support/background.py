"""The events that come to ``refresh`` from the queue and from the schedule."""

import json
from pathlib import Path
from typing import Any, Final

EVENTS: Final = Path(__file__).parents[2] / "events"


def schedule() -> dict[str, Any]:
    """Return the event that the schedule sends."""
    return dict(json.loads((EVENTS / "scheduled.json").read_text(encoding="utf-8")))


def batch(*bodies: str) -> dict[str, Any]:
    """Return a batch of messages in the form that Lambda passes on; the id of a message is its position."""
    (like,) = json.loads((EVENTS / "queue.json").read_text(encoding="utf-8"))["Records"]
    return {"Records": [{**like, "messageId": str(place), "body": body} for place, body in enumerate(bodies)]}


def messages(*group_ids: str) -> dict[str, Any]:
    """Return a batch that names these groups."""
    return batch(*(json.dumps({"group_id": group_id}) for group_id in group_ids))


def failed(answer: dict[str, Any]) -> list[str]:
    """Return the ids of the messages that stay on the queue."""
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
