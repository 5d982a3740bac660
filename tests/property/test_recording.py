"""The history against a plain model, while the stream stops, repeats itself, is cut off and loses what it had."""

from itertools import count
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from personas.runtime import Deadline, dynamodb
from personas.store import keys
from personas.store.history import HistoryStore, HistoryTable
from support.environments import refusing
from support.faults import Waiting
from support.streamed import Record, Streamed
from support.versions import Version, Writing, recorded
from support.world import GROUP, Clock, World

PERSONAS: Final = 2
_writers: Final = count(1000)
"""The numbers of the writers: each has personas of its own, in a world that all examples share."""

MISHAPS: Final = st.lists(
    st.sampled_from(["write", "write", "write", "flow", "repeat", "cut off", "backwards", "lose"]),
    min_size=4,
    max_size=24,
)
"""The steps of a run: most are writes; the others are what becomes of the records since the last such step."""


class Run:
    """A world whose writes are answered, and a stream that hands them over as badly as it may."""

    def __init__(self, world: World, stream: Streamed, table: HistoryTable, seed: int) -> None:
        self.writing = Writing(seed, personas=PERSONAS)
        self._client = world.client()
        self._stream = stream
        self._table = table
        self._history = HistoryStore(table)
        self._waiting: list[Record] = []
        self._seen: list[Record] = []
        self._lost: set[tuple[str, int]] = set()

    def step(self, name: str) -> None:
        if name == "write":
            self.writing.act(self._call)
            self._waiting += self._stream.taken()
            return
        records, self._waiting = self._waiting, []
        if not records:
            return
        match name:
            case "flow":
                self._hand_over(records)
            case "repeat":
                self._hand_over(self._seen[-7:] + records)
            case "backwards":
                for record in reversed(records):
                    self._hand_over([record])
            case "cut off":
                # HistoryTable is gone after some of the puts, and Lambda sends again what was reported.
                with refusing("PutItem", after=len(records)):
                    failed = self._stream.hand_over(records)
                self._seen += records
                self._hand_over([each for each in records if each["dynamodb"]["SequenceNumber"] in failed])
            case "lose":
                self._lost |= {(_persona_of(each), _version_of(each)) for each in records}

    def check(self) -> None:
        self._hand_over(self._waiting)
        for persona_id, line in self.writing.lines.items():
            told = recorded(self._history, GROUP, persona_id)
            # A lost version is put by the next record of its persona, unless that was lost as well. A deletion is not:
            # only its own record tells who may know of it.
            expected = [each for each in line if self._is_recorded(persona_id, each, line)]
            assert told == expected, persona_id
            # All but the last of them come to an end.
            versions = [each.number for each in told]
            assert set(versions[:-1]) <= self._ended(persona_id) <= set(versions), persona_id

    def _ended(self, persona_id: str) -> set[int]:
        items = list(self._table.partition(keys.history_partition(GROUP, persona_id)))
        versions = {item["version"] for item in items}
        return {int(str(each)) for each in versions if all("expires_at" in i for i in items if i["version"] == each)}

    def _is_recorded(self, persona_id: str, version: Version, line: list[Version]) -> bool:
        if (persona_id, version.number) not in self._lost:
            return True
        following = version.number + 1
        ended = following <= line[-1].number and (persona_id, following) not in self._lost
        return version.contents is not None and ended

    def _hand_over(self, records: list[Record]) -> None:
        if records:
            assert self._stream.hand_over(records) == []
            self._seen += records

    def _call(self, operation: str, body: object) -> tuple[int, dict[str, Any]]:
        answer = self._client.call(operation, body)
        return answer.status, answer.body


def _persona_of(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["sk"]["S"]).removeprefix("persona#")


def _version_of(record: Record) -> int:
    return int(record["dynamodb"]["NewImage"]["version"]["N"])


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # shrinking would begin in a world that is already full
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=MISHAPS)
def test_whatever_the_stream_does_the_history_is_what_was_answered(
    world: World, clock: Clock, waiting: Waiting, steps: list[str]
) -> None:
    stream = Streamed(world.aws, world.guard, clock=clock)
    stream.taken()
    table = HistoryTable(dynamodb(), world.aws.names["HistoryTable"], clock, Deadline())
    run = Run(world, stream, table, next(_writers))
    for step in steps:
        clock.passes(seconds=1)
        run.step(step)
    run.check()
