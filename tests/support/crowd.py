"""Processes at work at the same time, each an execution environment of its own, and the history they make."""

from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

from personas.store.table import Table
from support.forked import forking
from support.history import Event, Span, Write
from support.warm import warm_client
from support.workload import Part, Played, play
from support.world import World, text_id

CLIENTS: Final = 16
PERSONAS: Final = 24
DRAFTS: Final = 8
OFF: Final = {0: timedelta(hours=1), 1: timedelta(hours=-1)}
"""The clients whose machines have a wrong clock, and how far off it is."""


def parts(world: World, seed: int, calls: int, clients: int, table: type[Table]) -> tuple[list[Part], list[Event]]:
    """Return the parts of all clients, who make ``calls`` together, and the events that began their drafts."""
    namespace = UUID(int=seed)
    client = warm_client(world)
    events: list[Event] = []
    drafts = []
    for number in range(DRAFTS):
        name = f"d{number}"
        answer = client.call("draft", {"name": name})
        assert answer.status == 200, answer.text
        drafts.append(answer.body["draft_id"])
        events.append(Write(drafts[-1], Span(-1, -1, -1), "create", 1, text_id("names", name)))
    those = [
        Part(
            seed=seed,
            client=number,
            calls=calls // clients,
            personas=tuple(str(uuid5(namespace, f"{each}")) for each in range(PERSONAS)),
            drafts=tuple(drafts),
            environment=world.aws.environment,
            headers={"x-api-key": world.key("root")},
            table=table,
            off=OFF.get(number, timedelta()),
        )
        for number in range(clients)
    ]
    return those, events


def played(world: World, seed: int, calls: int, clients: int = CLIENTS, table: type[Table] = Table) -> Played:
    """Run all clients at once and return everything that they recorded."""
    those, events = parts(world, seed, calls, clients, table)
    together = Played(events)
    with ProcessPoolExecutor(clients, mp_context=forking()) as pool:
        for each in pool.map(play, those):
            together.events += each.events
            together.calls += each.calls
            together.operations += each.operations
            together.unexplained += each.unexplained
    return together
