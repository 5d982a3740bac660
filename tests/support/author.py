"""An author who keeps many drafts at once: run in processes of their own, so it stands in a module of its own."""

import random
from collections import Counter

from support.server import Session


def author(port: int, key: str, mine: int, patches: int) -> tuple[Counter[int], dict[str, int], list[str]]:
    """Begin ``mine`` drafts and patch each ``patches`` times, in turns: statuses, versions at the end, and faults."""
    with Session(port, key) as session:
        return _write(session, mine, patches)


def _write(session: Session, mine: int, patches: int) -> tuple[Counter[int], dict[str, int], list[str]]:
    statuses, faults = Counter[int](), list[str]()
    versions: dict[str, int] = {}
    for number in range(mine):
        status, answer = session.call("draft", {"name": f"Draft {number}"})
        statuses[status] += 1
        versions[answer["draft_id"]] = answer["new_version"]
    turns = [draft_id for draft_id in versions for _ in range(patches)]
    random.Random(mine).shuffle(turns)
    for turn, draft_id in enumerate(turns):
        body = {
            "input_draft_id": draft_id,
            "expected_version": versions[draft_id],
            "name": f"Text {turn % 7}",
            "examples": [f"Example {turn}"],
        }
        status, answer = session.call("draft", body)
        statuses[status] += 1
        if status != 200 or answer["new_version"] != versions[draft_id] + 1:
            faults.append(f"{status} {answer}")
        else:
            versions[draft_id] += 1
    return statuses, versions, faults
