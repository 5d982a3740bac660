"""The stream of PersonasTable as it becomes history: in order, repeated, late, with gaps; and what is kept out."""

from copy import deepcopy
from datetime import timedelta
from typing import Any, Final

import pytest

from personas.contract.persona_fields import FIELD_NAMES
from personas.domain.history import PastVersion, VersionRecord
from personas.runtime import Deadline, dynamodb
from personas.store import keys
from personas.store.attributes import encode
from personas.store.history import HistoryStore, HistoryTable
from support.environments import refusing
from support.streamed import Streamed
from support.world import CARE, GROUP, Clock, World

KEPT: Final = timedelta(days=365)


class Recorded:
    """The history that the function leaves behind, looked at by a clock of the test."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.table = HistoryTable(dynamodb(), world.aws.names["HistoryTable"], clock, Deadline())
        self.store = HistoryStore(self.table)

    def records(self, persona_id: str) -> list[VersionRecord]:
        return self.store.page(GROUP, persona_id, None, 100).records

    def versions(self, persona_id: str) -> list[int]:
        return [each.version for each in self.records(persona_id)]

    def past(self, persona_id: str, version: int) -> PastVersion:
        found = self.store.version(GROUP, persona_id, version)
        assert found is not None
        return found

    def name(self, persona_id: str, version: int) -> str:
        persona = self.past(persona_id, version).persona
        assert persona is not None
        return persona.name.text

    def names(self, persona_id: str) -> list[str]:
        return [self.name(persona_id, version) for version in self.versions(persona_id)]

    def items(self, persona_id: str) -> list[Any]:
        return list(self.table.partition(keys.history_partition(GROUP, persona_id)))


@pytest.fixture
def stream(world: World, clock: Clock) -> Streamed:
    return Streamed(world.aws, world.guard, clock=clock)


@pytest.fixture
def history(world: World, clock: Clock) -> Recorded:
    return Recorded(world, clock)


def test_a_create_an_update_and_a_deletion_are_three_versions(
    world: World, stream: Streamed, history: Recorded
) -> None:
    ada = world.save(departments=["Care"])
    world.update(ada, name="Grace", color="Plum")
    as_it_was = world.persona(ada)
    world.delete(ada)

    stream.flow()

    told = [(each.version, each.kind, each.changed, each.department_ids) for each in history.records(ada)]
    assert told == [
        (3, "deleted", FIELD_NAMES, (CARE,)),
        (2, "updated", ("name", "color"), (CARE,)),
        (1, "created", FIELD_NAMES, (CARE,)),
    ]
    assert history.past(ada, 2).persona == as_it_was
    assert history.past(ada, 3).persona is None


def test_a_version_has_the_time_at_which_it_was_saved(world: World, stream: Streamed, history: Recorded) -> None:
    ada = world.save()
    stream.flow()
    assert history.past(ada, 1).record.at == world.persona(ada).updated_at


def test_a_batch_seen_twice_writes_once(world: World, stream: Streamed, history: Recorded) -> None:
    ada = world.save()
    world.update(ada, name="Grace")
    records = stream.taken()
    stream.hand_over(records)
    before = history.items(ada)

    assert stream.hand_over(records) == []

    assert history.items(ada) == before


@pytest.mark.parametrize("order", ["reversed", "one by one, backwards"])
def test_the_order_does_not_matter(world: World, stream: Streamed, history: Recorded, order: str) -> None:
    ada = world.save()
    for name in ("Grace", "Mary", "Hedy"):
        world.update(ada, name=name)
    records = stream.taken()

    for batch in [records[::-1]] if order == "reversed" else [[each] for each in reversed(records)]:
        stream.hand_over(batch)

    assert history.names(ada) == ["Hedy", "Mary", "Grace", "Ada"]
    ends = {item["version"]: item.get("expires_at") for item in history.items(ada)}
    assert ends[4] is None
    assert None not in (ends[1], ends[2], ends[3])


@pytest.fixture
def after_a_loss(world: World, stream: Streamed) -> str:
    """Provide the id of a persona of three versions: two were recorded, and the record between them was lost."""
    ada = world.save()
    stream.flow()
    world.update(ada, name="Grace")
    stream.taken()
    world.update(ada, name="Mary")
    stream.flow()
    return ada


def test_a_record_that_was_lost_is_put_by_the_one_that_follows(after_a_loss: str, history: Recorded) -> None:
    assert history.names(after_a_loss) == ["Mary", "Grace", "Ada"]


def test_the_record_that_follows_a_lost_one_ends_the_version_before_it_too(
    after_a_loss: str, history: Recorded
) -> None:
    ends = {item["version"]: item.get("expires_at") for item in history.items(after_a_loss)}
    assert [version for version, end in ends.items() if end is None] == [3]


def test_a_version_from_before_the_history_is_put_when_the_next_one_replaces_it(
    world: World, stream: Streamed, history: Recorded
) -> None:
    ada = world.save()
    stream.taken()
    world.update(ada, name="Grace")
    stream.flow()
    assert history.names(ada) == ["Grace", "Ada"]


def test_the_version_that_stands_is_never_lost_to_its_age(
    world: World, stream: Streamed, history: Recorded, clock: Clock
) -> None:
    ada = world.save()
    world.update(ada, name="Grace")
    stream.flow()

    clock.passes(days=396)
    assert history.versions(ada) == [2]
    assert history.name(ada, 2) == "Grace"

    world.update(ada, name="Mary")
    stream.flow()
    assert history.versions(ada) == [3, 2]
    clock.passes(days=364)
    assert history.versions(ada) == [3, 2]
    clock.passes(days=2)
    assert history.versions(ada) == [3]


def test_a_deletion_is_kept_as_long_as_its_tombstone(
    world: World, stream: Streamed, history: Recorded, clock: Clock
) -> None:
    ada = world.save()
    world.delete(ada)
    stream.flow()
    stored = world.stored(ada)
    assert stored is not None
    assert {item.get("expires_at") for item in history.items(ada) if item["version"] == 2} == {stored.expires_at}


def test_a_version_is_kept_as_it_was_deleted(world: World, stream: Streamed, history: Recorded) -> None:
    # Given a version that was recorded before a scenario came to use its persona,
    ada = world.save()
    stream.flow()
    world.cast("Onboarding", ada, active=False)
    as_it_was = world.persona(ada)
    # when the persona is deleted, then the version has the scenario.
    world.delete(ada)
    stream.flow()
    past = history.past(ada, 1).persona
    assert past is not None
    assert len(past.scenario_ids) == 1
    assert past.scenario_ids == as_it_was.scenario_ids


def test_a_deletion_whose_record_was_lost_is_told_to_nobody(world: World, stream: Streamed, history: Recorded) -> None:
    # Given a persona of a department that was deleted, of which no record came,
    ada = world.save(departments=["Care"])
    world.delete(ada)
    stream.taken()
    # when its id is made again, then the deletion, whose departments nothing tells any more, stays out of the history.
    body = {"personas": [{"id": ada, "name": "Ada II", "color": "Teal", "icon": "Star", "instructions": "Again."}]}
    assert world.client().call("create", body).body["results"][0]["success"]
    stream.flow()
    assert history.versions(ada) == [3]


def test_an_id_deleted_and_made_again_keeps_one_line_of_versions(
    world: World, stream: Streamed, history: Recorded
) -> None:
    ada = world.save()
    world.delete(ada)
    answer = world.client().call(
        "create",
        {"personas": [{"id": ada, "name": "Ada II", "color": "Teal", "icon": "Star", "instructions": "Again."}]},
    )
    assert answer.body["results"][0]["success"], answer.text
    stream.flow()
    told = [(each.version, each.kind) for each in history.records(ada)]
    assert told == [(3, "created"), (2, "deleted"), (1, "created")]
    assert [history.name(ada, version) for version in (1, 3)] == ["Ada", "Ada II"]


def test_casts_and_counts_make_no_version(world: World, stream: Streamed, history: Recorded) -> None:
    ada = world.save()
    world.cast("Onboarding", ada, active=False)
    world.assign(ada, "coach")
    assert world.client().call("duplicate", {"persona_id": ada}).status == 200
    stream.flow()
    assert history.versions(ada) == [1]
    assert history.past(ada, 1).persona is not None


def test_what_is_removed_at_its_end_ends_nothing(world: World, stream: Streamed, history: Recorded) -> None:
    ada = world.save()
    stream.flow()
    before = history.items(ada)
    world.aws.dynamodb.delete_item(
        TableName=world.table.name,
        Key={name: encode(value) for name, value in keys.persona(GROUP, ada).attributes().items()},
    )
    (record,) = stream.taken()
    record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    stream.hand_over([record])
    assert history.items(ada) == before


def test_what_somebody_removes_is_ended(world: World, stream: Streamed, history: Recorded, clock: Clock) -> None:
    ada = world.save()
    stream.flow()
    world.aws.dynamodb.delete_item(
        TableName=world.table.name,
        Key={name: encode(value) for name, value in keys.persona(GROUP, ada).attributes().items()},
    )
    stream.flow()
    assert history.versions(ada) == [1]
    clock.passes(days=366)
    assert history.versions(ada) == []


def test_a_restored_table_wins_over_what_it_forgot(
    world: World, stream: Streamed, history: Recorded, clock: Clock
) -> None:
    ada = world.save()
    raw = world.aws.dynamodb.get_item(
        TableName=world.table.name,
        Key={name: encode(value) for name, value in keys.persona(GROUP, ada).attributes().items()},
    )["Item"]
    clock.passes(minutes=1)
    world.update(ada, name="Forgotten")
    world.update(ada, name="Forgotten, too")
    stream.flow()
    # The table goes back to the moment before the two updates; no stream tells of that.
    world.aws.dynamodb.put_item(TableName=world.table.name, Item=raw)
    stream.taken()

    clock.passes(hours=1)
    world.update(ada, name="Grace")
    stream.flow()
    assert [history.name(ada, version) for version in (2, 1)] == ["Grace", "Ada"]
    world.update(ada, name="Mary")
    stream.flow()
    assert history.names(ada) == ["Mary", "Grace", "Ada"]


def test_what_fails_is_told_alone(world: World, stream: Streamed, history: Recorded) -> None:
    ids = [world.save(name=name) for name in ("Ada", "Grace", "Mary")]
    records = stream.taken()
    poison = deepcopy(records[1])
    del poison["dynamodb"]["Keys"]["sk"]

    failed = stream.hand_over([records[0], poison, records[2]])

    assert failed == [records[1]["dynamodb"]["SequenceNumber"]]
    assert [history.versions(each) for each in ids] == [[1], [], [1]]
    assert stream.hand_over([records[1]]) == []
    assert history.versions(ids[1]) == [1]


def test_what_cannot_be_put_is_sent_again(world: World, stream: Streamed, history: Recorded, waiting: object) -> None:
    ada = world.save()
    records = stream.taken()
    with refusing("PutItem"):
        assert stream.hand_over(records) == [records[0]["dynamodb"]["SequenceNumber"]]
    assert history.versions(ada) == []
    assert stream.hand_over(records) == []
    assert history.versions(ada) == [1]


def test_a_write_of_which_only_half_was_put_is_whole_after_the_repeat(
    world: World, stream: Streamed, history: Recorded, waiting: object
) -> None:
    ada = world.save()
    records = stream.taken()
    with refusing("PutItem", after=1):
        assert stream.hand_over(records) != []
    assert history.versions(ada) == []
    assert stream.hand_over(records) == []
    assert history.name(ada, 1) == "Ada"


@pytest.mark.parametrize("image", ["NewImage", "OldImage"])
def test_an_image_that_cannot_be_read_is_left_out(
    world: World, stream: Streamed, history: Recorded, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = world.save()
    world.update(ada, name="Grace")
    _, record = stream.taken()
    record["dynamodb"][image]["row"] = {"S": "damaged"}

    assert stream.hand_over([record]) == []

    assert history.versions(ada) == [1 if image == "NewImage" else 2]
    assert "UnreadableItems" in capsys.readouterr().out


def test_a_deletion_of_what_could_not_be_read_is_told_to_nobody(
    world: World, stream: Streamed, history: Recorded
) -> None:
    ada = world.save(departments=["Care"])
    world.delete(ada)
    _, record = stream.taken()
    record["dynamodb"]["OldImage"]["row"] = {"S": "damaged"}
    assert stream.hand_over([record]) == []
    assert history.versions(ada) == []


def test_the_filter_lets_personas_through_alone(world: World, stream: Streamed) -> None:
    ada = world.save()
    world.draft(name="Draft")
    world.key("coach")
    assert {record["dynamodb"]["Keys"]["sk"]["S"] for record in stream.taken()} == {f"persona#{ada}"}


def test_without_days_nothing_is_kept(
    world: World, stream: Streamed, history: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.save()
    monkeypatch.setenv("HISTORY_DAYS", "0")
    world.restart()
    assert stream.hand_over(stream.taken()) == []
    assert history.items(ada) == []


def test_a_version_tells_who_made_it(world: World, stream: Streamed, history: Recorded) -> None:
    ada = world.save(departments=["Care"])
    body = {"personas": [{"persona_id": ada, "name": "Grace"}]}
    assert world.client("coach", X_MCP="true").call("update", body).status == 200
    world.delete(ada)
    stream.flow()
    told = [(each.changed_by and each.changed_by.name, each.mcp) for each in history.records(ada)]
    assert told == [("root", False), ("coach", True), ("root", False)]


def test_a_version_that_was_put_late_tells_the_same(world: World, stream: Streamed, history: Recorded) -> None:
    ada = world.save()
    world.update(ada, color="Plum")
    stream.flow()
    told = history.records(ada)
    assert history.store.purge(GROUP, ada) > 0

    world.update(ada, name="Grace")
    stream.flow()

    assert history.records(ada)[1:] == told[:1]


def test_what_the_last_release_writes_is_recorded_by_its_images(
    world: World, stream: Streamed, history: Recorded
) -> None:
    # Given an update of the last release, which leaves the authorship of the version before on the item,
    ada = world.save(name="Ada")
    world.update(ada, name="Grace")
    created, updated = stream.taken()
    images = updated["dynamodb"]
    images["NewImage"]["authorship"] = images["OldImage"]["authorship"]

    assert stream.hand_over([created, updated]) == []

    record = history.past(ada, 2).record
    assert (record.kind, record.changed, record.changed_by) == ("updated", ("name",), None)
    assert record.at == world.persona(ada).updated_at


def test_the_end_of_a_version_leaves_what_was_told_of_it(world: World, stream: Streamed, history: Recorded) -> None:
    # Given an update of the last release, of which only the images before and after tell what it changed,
    ada = world.save(name="Ada")
    world.update(ada, name="Grace")
    world.update(ada, name="Mary")
    created, second, third = stream.taken()
    former = second["dynamodb"]["OldImage"]["authorship"]
    second["dynamodb"]["NewImage"]["authorship"] = third["dynamodb"]["OldImage"]["authorship"] = former
    assert stream.hand_over([created, second]) == []
    told = history.past(ada, 2).record
    # when the next version ends it,
    assert stream.hand_over([third]) == []
    # then it has its end, and is told as before.
    assert {item.get("expires_at") is None for item in history.items(ada) if item["version"] == 2} == {False}
    assert history.past(ada, 2).record == told
    assert told.changed == ("name",)


def test_of_what_tells_no_write_the_first_version_alone_was_created(
    world: World, stream: Streamed, history: Recorded
) -> None:
    # Given versions of the last release, which are put when the next ones replace them,
    ada = world.save()
    world.update(ada, name="Grace")
    world.update(ada, name="Mary")
    _, second, third = stream.taken()
    for record in (second, third):
        del record["dynamodb"]["OldImage"]["authorship"]

    assert stream.hand_over([third, second]) == []

    assert [(each.version, each.kind) for each in history.records(ada)] == [
        (3, "updated"),
        (2, "updated"),
        (1, "created"),
    ]
