"""The events of versions: what a bus is told, once each version, what it is not told, and what it does not take."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import boto3
import jsonschema
import pytest
from botocore.exceptions import EndpointConnectionError

from personas import runtime
from personas.store import keys
from personas.store.attributes import encode
from personas.store.event_bus import EventsClient
from personas_tools.event_schema import schema
from support.streamed import Streamed
from support.world import GROUP, Clock, World

BUS: Final = "personas-events"


class Bus:
    """The client of a bus, which notes the events that it took. ``refuses`` is the code with which it takes none."""

    def __init__(self, client: EventsClient) -> None:
        self._client = client
        self._events: list[dict[str, Any]] = []
        self.refuses: str | None = None

    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        if self.refuses is not None:
            return {"FailedEntryCount": len(Entries), "Entries": [{"ErrorCode": self.refuses} for _ in Entries]}
        answer = self._client.put_events(Entries=Entries)
        assert answer["FailedEntryCount"] == 0
        for entry in Entries:
            detail = json.loads(entry["Detail"])
            told = {"source": entry["Source"], "detail-type": entry["DetailType"], "time": entry["Time"]}
            self._events.append({**told, "detail": detail})
        return answer

    def heard(self) -> list[dict[str, Any]]:
        """Take the events that have come, in the order of their versions."""
        events, self._events = self._events, []
        return sorted(events, key=lambda event: int(event["detail"]["version"]))


@pytest.fixture
def bus(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    monkeypatch.setenv("EVENT_BUS", BUS)
    monkeypatch.setattr(world.guard, "names", {**world.guard.names, "EventBus": BUS})
    client = boto3.client("events")
    client.create_event_bus(Name=BUS)
    bus = Bus(runtime.events())
    monkeypatch.setattr("personas.operations.send_events.events", lambda: bus)
    yield bus
    client.delete_event_bus(Name=BUS)


@pytest.fixture
def stream(world: World, bus: Bus, clock: Clock) -> Streamed:
    return Streamed(world.aws, world.guard, "send_events", clock)


def test_each_version_is_an_event_without_texts(world: World, stream: Streamed, bus: Bus, clock: Clock) -> None:
    ada = world.save(name="Ada", departments=["Care"])
    body = {"personas": [{"persona_id": ada, "name": "Grace"}]}
    assert world.client("coach", X_MCP="true").call("update", body).status == 200
    world.delete(ada)

    stream.flow()

    events = bus.heard()
    for event in events:
        jsonschema.validate(event, schema())
    assert [event["detail-type"] for event in events] == ["PersonaCreated", "PersonaUpdated", "PersonaDeleted"]
    assert {(event["source"], event["detail"]["group_id"], event["detail"]["persona_id"]) for event in events} == {
        ("personas", GROUP, ada)
    }
    updated = events[1]["detail"]
    assert updated["version"] == 2
    assert updated["changed"] == ["name"]
    assert updated["changed_by"]["name"] == "coach"
    assert updated["mcp"] is True
    assert updated["at"] == events[1]["time"] == clock().isoformat()
    assert "Grace" not in json.dumps(events)


def test_casts_counts_and_drafts_are_no_events(world: World, stream: Streamed, bus: Bus) -> None:
    ada = world.save()
    stream.flow()
    bus.heard()
    world.cast("Onboarding", ada, active=False)
    world.assign(ada, "coach")
    world.draft(name="Draft")
    stream.flow()
    assert bus.heard() == []


def test_a_version_that_is_brought_back_is_an_event_of_its_own(world: World, stream: Streamed, bus: Bus) -> None:
    ada = world.save(name="Ada")
    former = world.persona(ada)
    world.update(ada, name="Grace")
    standing = world.stored(ada)
    assert standing is not None
    world.personas.update(GROUP, former, "write", standing, restored_from=1)
    stream.flow()
    assert [event["detail-type"] for event in bus.heard()] == ["PersonaCreated", "PersonaUpdated", "PersonaRestored"]


def test_an_event_of_a_write_of_the_last_release_tells_the_fields_that_differ(
    world: World, stream: Streamed, bus: Bus
) -> None:
    # Given an update of the last release, which leaves the authorship of the version before on the item,
    ada = world.save(name="Ada")
    world.update(ada, name="Grace")
    _, updated = stream.taken()
    images = updated["dynamodb"]
    images["NewImage"]["authorship"] = images["OldImage"]["authorship"]
    # when it is told, then with the field that its images differ in.
    assert stream.hand_over([updated]) == []
    (event,) = bus.heard()
    assert event["detail"]["changed"] == ["name"]


def test_a_persona_that_somebody_removes_is_no_event(world: World, stream: Streamed, bus: Bus) -> None:
    ada = world.save()
    stream.flow()
    bus.heard()
    world.aws.dynamodb.delete_item(
        TableName=world.table.name,
        Key={name: encode(value) for name, value in keys.persona(GROUP, ada).attributes().items()},
    )
    assert stream.hand_over(stream.taken()) == []
    assert bus.heard() == []


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "AccessDeniedException"])
def test_what_the_bus_does_not_take_is_sent_again(world: World, stream: Streamed, bus: Bus, code: str) -> None:
    world.save()
    records = stream.taken()
    bus.refuses = code
    assert stream.hand_over(records) == [records[0]["dynamodb"]["SequenceNumber"]]
    bus.refuses = None
    assert stream.hand_over(records) == []
    assert len(bus.heard()) == 1


def test_the_log_tells_why_the_bus_does_not_take_an_event(
    world: World, stream: Streamed, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    world.save()
    bus.refuses = "ThrottlingException"
    assert stream.hand_over(stream.taken()) != []
    assert "Unavailable: The event bus did not take an event: ThrottlingException." in caplog.text


def test_the_log_tells_of_a_bus_that_is_out_of_reach(
    world: World,
    stream: Streamed,
    bus: Bus,
    waiting: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def unreached(**_: object) -> Mapping[str, Any]:
        raise EndpointConnectionError(endpoint_url="https://events.test")

    world.save()
    monkeypatch.setattr(bus, "put_events", unreached)
    assert stream.hand_over(stream.taken()) != []
    assert "Unavailable: The event bus is busy or out of reach." in caplog.text


def test_without_a_bus_nothing_is_sent(
    world: World, stream: Streamed, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save()
    monkeypatch.setenv("EVENT_BUS", "")
    world.restart()
    assert stream.hand_over(stream.taken()) == []
    assert bus.heard() == []
