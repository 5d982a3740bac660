"""Tests of writes whose answer is lost, and of every other fault between this service and DynamoDB.

Such a write ends as the success that it was, exactly once. It takes effect and its answer never comes. The next
attempt's condition then fails on the item that the write itself has left: the write must recognise itself, even when
somebody else has written in between. See ``support.faults``.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from personas.domain.persona import Persona
from personas.domain.profile import ApiKey, Profile
from personas.domain.text import Text, identified
from personas.errors import Unavailable
from personas.runtime import LAST_CALL, Deadline, dynamodb, utc_now
from personas.services import services
from personas.store import keys
from personas.store.attributes import integer
from personas.store.drafts import DraftStore, StandingDraft
from personas.store.personas import PersonaStore, Stored
from personas.store.table import Table
from personas_tools.library_store import Entry, ResourceStore
from support.client import Answer, Client
from support.faults import (
    Faults,
    Killed,
    Match,
    Outcome,
    Stingy,
    Waiting,
    any_write,
    closed,
    killed,
    lost_after,
    lost_as_500,
    lost_before,
    passed,
    refused,
    slow_to_connect,
    then,
    throttled,
    timed_out,
    to,
    unreachable,
)
from support.in_order import InOrder
from support.warm import unguarded_world, warm_client
from support.world import GROUP, NEEDED, PEOPLE, PLUM, STAR, TEAL, World, color, entry_id, result, secret_of, text_id

LOST = [
    pytest.param(lost_after(timed_out()), id="timed-out"),
    pytest.param(lost_after(closed()), id="connection-closed"),
    pytest.param(lost_as_500, id="answered-500"),
]
"""The ways in which the answer to a write that took effect can be lost."""

NOT_DONE = [
    pytest.param(lost_before(timed_out()), id="timed-out"),
    pytest.param(lost_before(closed()), id="connection-closed"),
    pytest.param(lost_before(slow_to_connect()), id="slow-to-connect"),
    pytest.param(lost_before(unreachable()), id="unreachable"),
    pytest.param(refused("InternalServerError", 500), id="answered-500"),
    pytest.param(refused("ServiceUnavailable", 503), id="answered-503"),
    pytest.param(throttled, id="throttled"),
    pytest.param(refused("ProvisionedThroughputExceededException"), id="no-throughput"),
]
"""The ways in which a write can fail without having taken effect."""

PERSONA_ID = "0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0a01"
PUT_PERSONA = to("PutItem", "persona#")
UPDATE_PERSONA = to("UpdateItem", "persona#")
PUT_DRAFT = to("PutItem", "draft#")
UPDATE_DRAFT = to("UpdateItem", "draft#")
PUT_TEXTS = to("BatchWriteItem")
PUT_RECORD = to("PutItem", "personas#")
UPDATE_RECORD = to("UpdateItem", "personas#")

world = pytest.fixture(unguarded_world)
client = pytest.fixture(warm_client)


@pytest.fixture
def faults(client: Client, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Install faults for the requests that follow."""
    assert client.call("get", {}).status == 200  # the identity and the catalogue are held from here on
    return Faults.installed(monkeypatch)


class Someone:
    """Another execution environment, which writes on demand."""

    def __init__(self, world: World) -> None:
        self._personas = PersonaStore(world.table)
        self._drafts = DraftStore(world.table)
        self._count = 0

    def _write_id(self) -> str:
        self._count += 1
        return f"someone.{self._count}"

    def renames(self, persona_id: str, name: str = "Somebody else's") -> None:
        stored = self._stored(persona_id)
        assert stored.persona is not None
        changed = replace(
            stored.persona, form=stored.persona.form.changed({"name": identified(secret_of(GROUP), "names", name)})
        )
        self._personas.update(GROUP, changed, self._write_id(), stored)

    def deletes(self, persona_id: str) -> None:
        self._personas.delete(GROUP, persona_id, self._write_id(), self._stored(persona_id))

    def copies(self, persona_id: str) -> int:
        return self._personas.next_copy(GROUP, persona_id, self._write_id())

    def patches(self, profile_id: str, draft_id: str, version: int) -> None:
        self._drafts.patch(
            GROUP,
            profile_id,
            draft_id,
            {"icon_id": STAR},
            {},
            expected_version=version,
            decide=self._stands,
            updated_at=utc_now().isoformat(),
            write_id=self._write_id(),
        )

    @staticmethod
    def _stands(standing: StandingDraft | None) -> StandingDraft:
        assert standing is not None
        return standing

    def _stored(self, persona_id: str) -> Stored:
        stored = self._personas.get(GROUP, persona_id)
        assert stored is not None
        return stored


@pytest.fixture
def someone(world: World) -> Someone:
    return Someone(world)


def persona_in(world: World, persona_id: str) -> Persona:
    stored = world.stored(persona_id)
    assert stored is not None
    assert stored.persona is not None
    return stored.persona


def created(client: Client, **fields: object) -> str:
    answer = client.call("create", {"personas": [{**NEEDED, **fields}]})
    assert answer.status == 200, answer.text
    return str(result(answer)["persona_id"])


def saved(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    only = result(answer)
    assert only["success"] is True, only
    return only


# ---- Answers that get lost -------------------------------------------------------------------------------------------


WARD: Final = entry_id("scenarios", "Ward")


@pytest.mark.parametrize("lost", LOST)
class TestPersonaInsert:
    def create(self, client: Client) -> dict[str, Any]:
        return saved(client.call("create", {"personas": [{**NEEDED, "id": PERSONA_ID}]}))

    def test_is_saved_once(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        faults.plan(PUT_PERSONA, lost)
        assert self.create(client)["version"] == 1
        assert world.names() == ["Ada"]

    def test_with_somebodys_update_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        faults.plan(PUT_PERSONA, then(lost, lambda: someone.renames(PERSONA_ID)))
        assert self.create(client)["version"] == 1
        assert (persona_in(world, PERSONA_ID).version, world.names()) == (2, ["Somebody else's"])

    def test_with_somebodys_delete_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        faults.plan(PUT_PERSONA, then(lost, lambda: someone.deletes(PERSONA_ID)))
        assert self.create(client)["version"] == 1
        assert world.names() == []

    def test_in_the_place_of_a_tombstone(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        self.create(client)
        someone.deletes(PERSONA_ID)
        faults.plan(PUT_PERSONA, then(lost, lambda: someone.renames(PERSONA_ID)))
        assert self.create(client)["version"] == 3
        assert persona_in(world, PERSONA_ID).version == 4


@pytest.mark.parametrize("lost", LOST)
class TestPersonaUpdate:
    def update(self, client: Client, persona_id: str, **guard: object) -> dict[str, Any]:
        change = {"persona_id": persona_id, "name": "Grace", **guard}
        return saved(client.call("update", {"personas": [change]}))

    def test_is_saved_once(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, lost)
        assert self.update(client, persona_id)["version"] == 2
        assert (persona_in(world, persona_id).version, world.names()) == (2, ["Grace"])

    def test_with_an_expected_version_is_no_conflict(
        self, world: World, client: Client, faults: Faults, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, lost)
        assert self.update(client, persona_id, expected_version=1)["version"] == 2

    def test_with_somebodys_update_in_between_does_not_write_over_it(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, then(lost, lambda: someone.renames(persona_id)))
        assert self.update(client, persona_id)["version"] == 2
        assert (persona_in(world, persona_id).version, world.names()) == (3, ["Somebody else's"])

    def test_with_seven_updates_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona_id = created(client)

        def others() -> None:
            for number in range(7):
                someone.renames(persona_id, f"Number {number}")

        faults.plan(UPDATE_PERSONA, then(lost, others))
        assert self.update(client, persona_id, expected_version=1)["version"] == 2
        assert (persona_in(world, persona_id).version, world.names()) == (9, ["Number 6"])

    def test_with_somebodys_delete_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, then(lost, lambda: someone.deletes(persona_id)))
        assert self.update(client, persona_id)["version"] == 2
        assert world.names() == []

    def test_lost_twice(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, lost, lost)
        assert self.update(client, persona_id)["version"] == 2
        assert persona_in(world, persona_id).version == 2


@pytest.mark.parametrize("lost", LOST)
class TestPersonaDelete:
    def delete(self, client: Client, persona_id: str) -> None:
        saved(client.call("delete", {"persona_ids": [persona_id]}))

    def test_is_deleted_once(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, lost)
        self.delete(client, persona_id)
        stored = world.stored(persona_id)
        assert stored is not None
        assert (stored.persona, stored.version) == (None, 2)

    def test_with_a_new_persona_of_that_id_in_between_does_not_delete_that(
        self, world: World, client: Client, faults: Faults, lost: Outcome
    ) -> None:
        persona_id = created(client)
        first = persona_in(world, persona_id)

        def created_again() -> None:
            again = replace(first, form=first.form.changed({"name": Text(text_id("names", "New"), "New")}))
            world.personas.insert(GROUP, again, "someone.1", world.stored(persona_id))

        faults.plan(UPDATE_PERSONA, then(lost, created_again))
        self.delete(client, persona_id)
        assert (persona_in(world, persona_id).version, world.names()) == (3, ["New"])


@pytest.mark.parametrize("lost", LOST)
class TestCasting:
    def test_is_written_once(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        persona = persona_in(world, created(client))
        faults.plan(UPDATE_PERSONA, lost)
        written = world.personas.cast(GROUP, persona.id, [WARD], [], "cast", seq=persona.seq, version=1)
        after = persona_in(world, persona.id)
        assert (written.version, after.version, after.seq, after.scenario_ids) == (1, 1, persona.seq + 1, (WARD,))

    def test_with_somebodys_update_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona = persona_in(world, created(client))
        faults.plan(UPDATE_PERSONA, then(lost, lambda: someone.renames(persona.id)))
        written = world.personas.cast(GROUP, persona.id, [WARD], [], "cast", seq=persona.seq, version=1)
        after = persona_in(world, persona.id)
        assert (written.version, after.version, after.scenario_ids) == (1, 2, (WARD,))


@pytest.mark.parametrize("lost", LOST)
class TestNextCopy:
    def test_counts_once(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, lost)
        assert world.personas.next_copy(GROUP, persona_id, "copy") == 1
        assert copies_of(world, persona_id) == 1

    def test_with_somebodys_copy_in_between_gives_no_number_twice(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona_id = created(client)
        others: list[int] = []
        faults.plan(UPDATE_PERSONA, then(lost, lambda: others.append(someone.copies(persona_id))))
        mine = world.personas.next_copy(GROUP, persona_id, "copy")
        # A number may be left out, as here 1: only the last counter is remembered. None is given out twice.
        assert (others, mine, someone.copies(persona_id)) == ([2], 3, 4)

    def test_with_somebodys_delete_in_between_still_knows_its_number(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(UPDATE_PERSONA, then(lost, lambda: someone.deletes(persona_id)))
        assert world.personas.next_copy(GROUP, persona_id, "copy") == 1

    @pytest.mark.parametrize("match", [UPDATE_PERSONA, PUT_PERSONA], ids=["count", "insert"])
    def test_a_duplicate_is_made_once(
        self, world: World, client: Client, faults: Faults, match: Match, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(match, lost)
        answer = client.call("duplicate", {"persona_id": persona_id})
        assert (answer.status, faults.pending) == (200, 0)
        assert world.names() == ["Ada", "Ada Copy"]


def copies_of(world: World, persona_id: str) -> int:
    stored = world.stored(persona_id)
    assert stored is not None
    return stored.copies


@pytest.mark.parametrize("lost", LOST)
class TestDraftCreate:
    def test_is_begun_once(self, client: Client, faults: Faults, lost: Outcome) -> None:
        faults.plan(PUT_DRAFT, lost)
        answer = client.call("draft", {"color_id": TEAL})
        (entry,) = client.call("drafts").body["entries"]
        assert (answer.status, answer.body["new_version"]) == (200, 1)
        assert (entry["id"], entry["version"]) == (answer.body["draft_id"], 1)

    def test_with_a_patch_from_elsewhere_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        profile_id = PEOPLE["root"].id

        def another_tab() -> None:
            (draft,) = services().drafts.latest(GROUP, profile_id)
            someone.patches(profile_id, draft.id, 1)

        faults.plan(PUT_DRAFT, then(lost, another_tab))
        answer = client.call("draft", {"color_id": TEAL})
        (entry,) = client.call("drafts").body["entries"]
        assert (answer.status, answer.body["new_version"]) == (200, 1)
        assert (entry["version"], entry["color_ids"], entry["icon_ids"]) == (2, [TEAL], [STAR])


@pytest.mark.parametrize("lost", LOST)
class TestDraftPatch:
    def patch(self, client: Client, draft_id: str) -> dict[str, Any]:
        answer = client.call("draft", {"input_draft_id": draft_id, "expected_version": 1, "color_id": PLUM})
        assert answer.status == 200, answer.text
        return answer.body

    def test_is_written_once(self, client: Client, faults: Faults, lost: Outcome) -> None:
        draft_id = client.call("draft", {"color_id": TEAL}).body["draft_id"]
        faults.plan(UPDATE_DRAFT, lost)
        assert self.patch(client, draft_id)["new_version"] == 2
        (entry,) = client.call("drafts").body["entries"]
        assert (entry["version"], entry["color_ids"]) == (2, [PLUM])

    def test_with_a_patch_from_elsewhere_in_between_says_the_version_that_it_made(
        self, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        draft_id = client.call("draft", {"color_id": TEAL}).body["draft_id"]
        faults.plan(UPDATE_DRAFT, then(lost, lambda: someone.patches(PEOPLE["root"].id, draft_id, 2)))
        assert self.patch(client, draft_id)["new_version"] == 2
        (entry,) = client.call("drafts").body["entries"]
        assert (entry["version"], entry["color_ids"], entry["icon_ids"]) == (3, [PLUM], [STAR])


@pytest.mark.parametrize("lost", LOST)
def test_a_batch_of_texts_is_put(world: World, client: Client, faults: Faults, lost: Outcome) -> None:
    faults.plan(PUT_TEXTS, lost)
    examples = [f"Example {number}" for number in range(20)]
    assert client.call("draft", {"examples": examples}).status == 200
    assert faults.pending == 0
    references = [("examples", text_id("examples", text)) for text in examples]
    assert len(world.table.get_many(keys.text(GROUP, kind, each) for kind, each in references)) == 20


@pytest.mark.parametrize("lost", LOST)
class TestIdempotencyRecord:
    BODY: Final = {"personas": [dict(NEEDED)]}

    @pytest.mark.parametrize("match", [PUT_RECORD, UPDATE_RECORD, PUT_PERSONA], ids=["begin", "end", "persona"])
    def test_one_persona_and_one_answer(
        self, world: World, client: Client, faults: Faults, match: Match, lost: Outcome
    ) -> None:
        faults.plan(match, lost)
        first = client.call("create", self.BODY, idempotency_key="k")
        assert faults.pending == 0
        repeated = client.call("create", self.BODY, idempotency_key="k")
        assert (first.status, repeated.status, repeated.text) == (200, 200, first.text)
        assert world.names() == ["Ada"]

    def test_an_error_is_forgotten_though_its_answer_was_lost(
        self, client: Client, faults: Faults, lost: Outcome
    ) -> None:
        unknown = {"personas": [{"persona_id": PERSONA_ID, "name": "Nobody"}]}
        faults.plan(to("DeleteItem", "personas#"), lost)
        assert client.call("update", unknown, idempotency_key="k").status == 404
        created(client, id=PERSONA_ID)
        assert client.call("update", unknown, idempotency_key="k").status == 200


def test_a_record_that_somebody_else_put_in_between_is_not_taken_for_ours(
    world: World, client: Client, faults: Faults
) -> None:
    def somebody_begins() -> None:
        item: Any = faults.sent[-1].body["Item"]
        theirs = {**item, "attempt": {"S": "theirs"}}
        world.aws.dynamodb.put_item(TableName=world.aws.names["IdempotencyTable"], Item=theirs)

    faults.plan(PUT_RECORD, then(lost_before(timed_out()), somebody_begins))
    answer = client.call("create", {"personas": [dict(NEEDED)]}, idempotency_key="k")
    assert (answer.status, answer.body["code"]) == (409, "idempotency_in_progress")
    assert world.names() == []


@pytest.mark.parametrize("lost", LOST)
class TestProfile:
    """The profile and the counts on its personas: one transaction."""

    def put(self, world: World, *persona_ids: str, name: str = "Kim", write_id: str = "kim.1") -> None:
        profile = Profile(id=entry_id("profiles", "kim"), group_id=GROUP, name=name, role="learner")
        world.profiles.put_profile(profile, persona_ids, write_id)

    def test_counts_once(self, world: World, client: Client, faults: Faults, lost: Outcome) -> None:
        persona_id = created(client)
        faults.plan(to("TransactWriteItems"), lost)
        self.put(world, persona_id)
        assert (persona_in(world, persona_id).num_profiles, faults.pending) == (1, 0)

    def test_with_somebodys_update_of_the_persona_in_between(
        self, world: World, client: Client, faults: Faults, someone: Someone, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(to("TransactWriteItems"), then(lost, lambda: someone.renames(persona_id)))
        self.put(world, persona_id)
        persona = persona_in(world, persona_id)
        assert (persona.num_profiles, persona.name.text) == (1, "Somebody else's")

    def test_with_somebodys_change_of_the_profile_in_between(
        self, world: World, client: Client, faults: Faults, lost: Outcome
    ) -> None:
        persona_id = created(client)
        faults.plan(
            to("TransactWriteItems"), then(lost, lambda: self.put(world, persona_id, name="Kim B.", write_id="kim.2"))
        )
        self.put(world, persona_id)
        _, profiles = world.profiles.read(None, [entry_id("profiles", "kim")])
        assert persona_in(world, persona_id).num_profiles == 1
        assert [each.name for each in profiles.values()] == ["Kim B."]


@pytest.mark.parametrize("lost", LOST)
class TestApiKey:
    KEY: Final = ApiKey(digest="d" * 64, group_id=GROUP, profile_id=None, label="mine", created_at=1, expires_at=None)

    @pytest.mark.parametrize("row", ["listed", "key"])
    def test_is_stored_once(self, world: World, faults: Faults, row: str, lost: Outcome) -> None:
        faults.plan(to("PutItem", "key"), *([lost] if row == "listed" else [passed, lost]))
        world.profiles.put_key(self.KEY, "issue")
        assert faults.pending == 0
        assert [each.label for each in world.profiles.keys_of(GROUP) if each.digest == self.KEY.digest] == ["mine"]

    def test_is_revoked_once(self, world: World, faults: Faults, lost: Outcome) -> None:
        world.profiles.put_key(self.KEY, "issue")
        faults.plan(to("PutItem", "key"), lost)
        revoked = world.profiles.revoke(self.KEY.digest, "revoke")
        assert revoked is not None
        assert revoked.revoked
        item = world.table.get(keys.api_key(self.KEY.digest))
        assert item is not None
        assert (item["revoked"], item["seq"]) == (True, 2)

    def test_two_revoke_it_at_once(self, world: World, faults: Faults, lost: Outcome) -> None:
        world.profiles.put_key(self.KEY, "issue")
        faults.plan(to("PutItem", "key"), then(lost, lambda: world.profiles.revoke(self.KEY.digest, "other")))
        revoked = world.profiles.revoke(self.KEY.digest, "revoke")
        assert revoked is not None
        assert revoked.revoked


@pytest.mark.parametrize("lost", LOST)
class TestResource:
    def entry(self, hex_code: str) -> Entry:
        return Entry("colors", entry_id("colors", "Rust"), color("Rust", hex_code))

    def stored(self, world: World) -> tuple[str, int]:
        item = world.table.get(keys.resource(GROUP, "colors", entry_id("colors", "Rust")))
        assert item is not None
        row = item["row"]
        assert isinstance(row, dict)
        return str(row["hex_code"]), integer(item, "seq")

    def test_a_new_one_is_written_once(self, world: World, faults: Faults, lost: Outcome) -> None:
        faults.plan(to("PutItem", "resource#"), lost)
        assert world.resources.put(GROUP, self.entry("#B7410E"), "load") is True
        assert (self.stored(world)[0], faults.count(to("PutItem", "resource#"))) == ("#B7410E", 2)

    def test_a_changed_one_is_written_once(self, world: World, faults: Faults, lost: Outcome) -> None:
        world.resources.put(GROUP, self.entry("#000000"), "load.1")
        seq = self.stored(world)[1]
        faults.plan(to("PutItem", "resource#"), lost)
        assert world.resources.put(GROUP, self.entry("#B7410E"), "load.2") is True
        assert self.stored(world) == ("#B7410E", seq + 1)

    def test_with_somebodys_change_in_between_does_not_write_over_it(
        self, world: World, faults: Faults, lost: Outcome
    ) -> None:
        world.resources.put(GROUP, self.entry("#000000"), "load.1")
        seq = self.stored(world)[1]
        other = ResourceStore(world.table)
        faults.plan(
            to("PutItem", "resource#"), then(lost, lambda: other.put(GROUP, self.entry("#FFFFFF"), "someone.1"))
        )
        assert world.resources.put(GROUP, self.entry("#B7410E"), "load.2") is True
        assert self.stored(world) == ("#FFFFFF", seq + 2)


# ---- Requests that do nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", NOT_DONE)
class TestFailuresThatPass:
    """A few attempts fail, then one goes through."""

    def test_every_write_of_a_create_is_tried_again(
        self, world: World, client: Client, faults: Faults, fails: Outcome
    ) -> None:
        faults.plan(PUT_TEXTS, fails, fails)
        faults.plan(PUT_PERSONA, fails, fails)
        assert saved(client.call("create", {"personas": [dict(NEEDED)]}))["version"] == 1
        assert (world.names(), faults.pending) == (["Ada"], 0)

    def test_reads_are_tried_again(self, client: Client, faults: Faults, fails: Outcome) -> None:
        persona_id = created(client)
        faults.plan(to("GetItem", "persona#"), fails, fails)
        faults.plan(lambda sent: sent.operation == "Query", fails, fails)
        assert client.call("get", {"persona_id": persona_id}).status == 200
        assert faults.pending == 0

    def test_the_record_of_an_idempotency_key_is_tried_again(
        self, world: World, client: Client, faults: Faults, fails: Outcome
    ) -> None:
        # Once only: botocore's pauses know nothing of the invocation's time.
        faults.plan(PUT_RECORD, fails)
        faults.plan(UPDATE_RECORD, fails)
        body = {"personas": [dict(NEEDED)]}
        first = client.call("create", body, idempotency_key="k")
        assert (first.status, client.call("create", body, idempotency_key="k").text) == (200, first.text)
        assert (world.names(), faults.pending) == (["Ada"], 0)


def test_every_attempt_stamps_the_time_anew(
    world: World, client: Client, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(datetime(2026, 11, 24, 12, 0, second, tzinfo=UTC) for second in range(60))
    persona_id = created(client)
    monkeypatch.setattr(services().table, "now", lambda: next(moments))
    faults.plan(UPDATE_PERSONA, throttled, throttled, lost_after(timed_out()))
    saved(client.call("update", {"personas": [{"persona_id": persona_id, "name": "Grace"}]}))
    stamps = [changed_in(sent.body) for sent in faults.sent if UPDATE_PERSONA(sent)]
    assert len(set(stamps)) == 4
    assert stamps == sorted(stamps)


def changed_in(body: Any) -> str:
    return str(body["ExpressionAttributeValues"][":changed"]["S"])


def test_botocore_repeats_nothing(world: World, faults: Faults) -> None:
    faults.always(any_write, refused("InternalServerError", 500))
    with pytest.raises(dynamodb().exceptions.InternalServerError):
        dynamodb().put_item(TableName=world.table.name, Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
    assert len(faults.sent) == 1


# ---- Failures that last ----------------------------------------------------------------------------------------------


SAVING = [
    pytest.param("create", {"personas": [dict(NEEDED)]}, id="create"),
    pytest.param("update", {"personas": [{"persona_id": PERSONA_ID, "color_id": PLUM}]}, id="update"),
    pytest.param("delete", {"persona_ids": [PERSONA_ID]}, id="delete"),
    pytest.param("duplicate", {"persona_id": PERSONA_ID}, id="duplicate"),
    pytest.param("draft", {"color_id": PLUM}, id="draft"),
]


@pytest.mark.parametrize(("operation", "body"), SAVING)
class TestFailuresThatLast:
    """The failure outlasts the time that the invocation has."""

    @pytest.mark.parametrize("fails", [throttled, lost_before(unreachable())], ids=["throttled", "unreachable"])
    def test_answers_503_and_nothing_is_saved(
        self, world: World, client: Client, faults: Faults, operation: str, body: object, fails: Outcome
    ) -> None:
        created(client, id=PERSONA_ID)
        before = world.contents()
        faults.always(any_write, fails)
        answer = client.call(operation, body)
        assert (answer.status, answer.body["code"], int(answer.headers["Retry-After"]) > 0) == (
            503,
            "unavailable",
            True,
        )
        assert world.contents() == before

    def test_keeps_the_time_that_the_answer_needs(
        self, client: Client, faults: Faults, waiting: Waiting, operation: str, body: object
    ) -> None:
        created(client, id=PERSONA_ID)
        faults.always(any_write, throttled)
        before = waiting.slept
        assert client.call(operation, body).status == 503
        assert 20 < waiting.slept - before <= 29 - LAST_CALL.total_seconds()

    def test_says_so_where_the_outcome_is_unknown(
        self, client: Client, faults: Faults, operation: str, body: object
    ) -> None:
        created(client, id=PERSONA_ID)
        client.call("draft", {})  # a profile that may have drafts is listed before its first one, which saves nothing
        faults.always(any_write, lost_before(timed_out()))
        answer = client.call(operation, body)
        assert (answer.status, answer.body["code"]) == (503, "outcome_unknown")

    @pytest.mark.parametrize("lost", [lost_before(timed_out()), lost_after(timed_out())], ids=["before", "after"])
    def test_says_that_nothing_was_saved_where_only_what_goes_before_may_have_been(
        self, world: World, client: Client, faults: Faults, operation: str, body: object, lost: Outcome
    ) -> None:
        # Given an environment that has yet to mark the group as changed and to list the profile's drafts
        created(client, id=PERSONA_ID)
        before = world.contents()
        world.restart()
        # When the answers to that are lost for good
        for key in ("mark", "drafter#"):
            faults.always(to("PutItem", key), lost)
        answer = client.call(operation, body, idempotency_key="k")
        # Then nothing can have been saved, so nothing has an id, and nothing is remembered
        results = answer.body.get("results", [])
        assert (answer.status, answer.body["code"]) == (503, "unavailable")
        assert all(each["code"] == "unavailable" for each in results)
        assert operation != "create" or [each["persona_id"] for each in results] == [None]
        assert world.contents() == before
        assert world.idempotency_records() == []

    def test_the_same_call_goes_through_once_the_failure_is_over(
        self, client: Client, faults: Faults, operation: str, body: object
    ) -> None:
        created(client, id=PERSONA_ID)
        faults.always(any_write, throttled)
        assert client.call(operation, body).status == 503
        faults.clear()
        assert client.call(operation, body).status == 200


def test_a_refresh_says_so_where_it_cannot_know_which_views_the_group_has(client: Client, faults: Faults) -> None:
    # Given a group whose record cannot be pointed to new views, or may have been
    created(client, id=PERSONA_ID)
    faults.always(to("PutItem", "group"), lost_after(timed_out()))
    # When it is refreshed
    answer = client.call("refresh")
    # Then the answer says so, and the repeat is safe
    assert (answer.status, answer.body["code"]) == (503, "outcome_unknown")
    faults.clear()
    assert client.call("refresh").status == 200


def test_an_export_says_so_where_it_cannot_know_whether_it_is_recorded(client: Client, faults: Faults) -> None:
    faults.always(to("PutItem", "export"), lost_after(timed_out()))
    answer = client.call("export")
    assert (answer.status, answer.body["code"]) == (503, "outcome_unknown")


@pytest.mark.parametrize(
    ("operation", "body"),
    [("get", {"persona_id": PERSONA_ID}), ("drafts", None), ("update", SAVING[1].values[1])],
    ids=["get", "drafts", "update"],
)
def test_reads_that_stay_throttled_answer_503(client: Client, faults: Faults, operation: str, body: object) -> None:
    created(client, id=PERSONA_ID)
    faults.always(lambda sent: sent.operation in {"GetItem", "Query", "BatchGetItem"}, throttled)
    answer = client.call(operation, body)
    assert (answer.status, answer.body["code"], "Retry-After" in answer.headers) == (503, "unavailable", True)


def test_an_idempotency_record_that_cannot_be_kept_answers_503_and_nothing_is_saved(
    world: World, client: Client, faults: Faults
) -> None:
    faults.always(PUT_RECORD, throttled)
    answer = client.call("create", {"personas": [dict(NEEDED)]}, idempotency_key="k")
    assert (answer.status, answer.body["code"]) == (503, "idempotency_unavailable")
    assert world.names() == []


@pytest.mark.parametrize(("operation", "body"), SAVING)
class TestRepeatOfACallThatWasCutOff:
    """Tests of a repeat after a call that saved its items but could not complete its record."""

    def cut_off(self, world: World, client: Client, faults: Faults, operation: str, body: object) -> None:
        faults.always(UPDATE_RECORD, throttled)
        assert client.call(operation, body, idempotency_key="k").status == 503
        faults.clear()
        world.expire_idempotency("in_progress_expiration", 0)  # the invocation that began it is over

    def test_saves_nothing_more(
        self, world: World, client: Client, faults: Faults, operation: str, body: object
    ) -> None:
        created(client, id=PERSONA_ID)
        self.cut_off(world, client, faults, operation, body)
        before = world.contents()
        assert client.call(operation, body, idempotency_key="k").status == 200
        assert world.contents() == before


class TestMovesBeforeTheRepeat:
    """Somebody else writes between a call that was cut off and its repeat."""

    @pytest.fixture
    def cut_off(self, world: World, client: Client, faults: Faults) -> Callable[[str, object], None]:
        def call(operation: str, body: object) -> None:
            faults.always(UPDATE_RECORD, throttled)
            assert client.call(operation, body, idempotency_key="k").status == 503
            faults.clear()
            world.expire_idempotency("in_progress_expiration", 0)

        created(client, id=PERSONA_ID)
        return call

    def test_an_update_does_not_write_over_it(
        self, world: World, client: Client, cut_off: Callable[[str, object], None], someone: Someone
    ) -> None:
        body = {"personas": [{"persona_id": PERSONA_ID, "name": "Grace", "expected_version": 1}]}
        cut_off("update", body)
        someone.renames(PERSONA_ID)
        assert saved(client.call("update", body, idempotency_key="k"))["version"] == 2
        assert world.names() == ["Somebody else's"]

    def test_a_create_does_not_bring_back_what_was_deleted(
        self, world: World, client: Client, cut_off: Callable[[str, object], None], someone: Someone
    ) -> None:
        body = {"personas": [{**NEEDED, "id": "0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0a02", "name": "Grace"}]}
        cut_off("create", body)
        someone.deletes("0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0a02")
        saved(client.call("create", body, idempotency_key="k"))
        assert world.names() == ["Ada"]

    def test_a_duplicate_makes_no_second_copy_and_names_the_one_it_made(
        self, world: World, client: Client, cut_off: Callable[[str, object], None], someone: Someone
    ) -> None:
        body = {"persona_id": PERSONA_ID}
        cut_off("duplicate", body)
        assert someone.copies(PERSONA_ID) == 2
        answer = client.call("duplicate", body, idempotency_key="k")
        assert world.names() == ["Ada", "Ada Copy"]
        assert "'Ada Copy'" in answer.body["message"]


def test_a_bulk_create_that_was_killed_half_way_is_completed_by_its_repeat(
    world: World, client: Client, faults: Faults
) -> None:
    body = {"personas": [{**NEEDED, "name": name} for name in ("Bell", "Cox", "Dorn")]}
    faults.plan(PUT_PERSONA, passed, killed, killed)
    with pytest.raises(Killed):
        client.call("create", body, idempotency_key="k")
    (first,) = world.names()
    world.expire_idempotency("in_progress_expiration", 0)
    results = client.call("create", body, idempotency_key="k").body["results"]
    assert first in world.names()
    assert [each["success"] for each in results] == [True, True, True]
    assert world.names() == ["Bell", "Cox", "Dorn"]


def test_of_a_bulk_call_each_item_is_told_by_itself(world: World, client: Client, faults: Faults) -> None:
    ids = [f"0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0b{number:02}" for number in range(5)]
    # One after another, the one at fault last: its waiting uses up the time that all share.
    services().parallel = InOrder()
    faults.always(to("PutItem", f"persona#{ids[-1]}"), throttled)
    answer = client.call("create", {"personas": [{**NEEDED, "id": each} for each in ids]})
    assert answer.status == 200
    assert [each["success"] for each in answer.body["results"]] == [True, True, True, True, False]
    assert len(world.names()) == 4


def test_no_item_is_begun_in_the_time_that_the_answer_needs(
    world: World, client: Client, faults: Faults, waiting: Waiting
) -> None:
    faults.plan(PUT_TEXTS, then(passed, lambda: waiting.passes(24.1)))
    answer = client.call("create", {"personas": [{**NEEDED, "name": "New"}]})
    assert (answer.status, answer.body["code"], faults.count(PUT_PERSONA)) == (503, "unavailable", 0)


def test_an_item_is_begun_while_there_is_time(world: World, client: Client, faults: Faults, waiting: Waiting) -> None:
    faults.plan(PUT_TEXTS, then(passed, lambda: waiting.passes(23)))
    saved(client.call("create", {"personas": [{**NEEDED, "name": "New"}]}))


def test_a_mistake_of_ours_is_not_tried_again(client: Client, faults: Faults) -> None:
    faults.always(PUT_PERSONA, refused("ValidationException"))
    answer = client.call("create", {"personas": [dict(NEEDED)]})
    assert (answer.status, faults.count(PUT_PERSONA)) == (500, 1)


# ---- What comes bit by bit -------------------------------------------------------------------------------------------


class TestBitByBit:
    @pytest.fixture
    def stingy(self, world: World, waiting: Waiting) -> Stingy:
        """Let DynamoDB process only three items of a batch, and three of a page."""
        return Stingy(dynamodb(), 3)

    @pytest.fixture
    def table(self, world: World, stingy: Stingy) -> Table:
        return Table(stingy, world.table.name, utc_now, Deadline())

    def test_unprocessed_items_are_put(self, world: World, table: Table, stingy: Stingy) -> None:
        items = [{"pk": "text#a", "sk": f"{number}"} for number in range(10)]
        table.put_many(items)
        assert stingy.calls == [10, 7, 4, 1]
        assert sorted(str(item["sk"]) for item in world.table.partition("text#a")) == [str(each) for each in range(10)]

    def test_unprocessed_keys_are_read(self, world: World, table: Table, stingy: Stingy) -> None:
        items = [{"pk": "text#a", "sk": f"{number}"} for number in range(10)]
        world.table.put_many(items)
        found = table.get_many(keys.Key("text#a", f"{number}") for number in range(12))
        assert sorted(key.sk for key in found) == [str(each) for each in range(10)]

    def test_every_page_of_the_feed_is_read(self, world: World, table: Table) -> None:
        expected = [change.key for change in world.table.changes(f"group#{GROUP}", keys.RESOURCE_CHANGES, None)]
        assert [change.key for change in table.changes(f"group#{GROUP}", keys.RESOURCE_CHANGES, None)] == expected
        assert len(expected) > 9

    def test_every_page_of_a_partition_is_read(self, world: World, table: Table) -> None:
        assert len(list(table.partition(f"group#{GROUP}"))) == len(list(world.table.partition(f"group#{GROUP}"))) > 9

    def test_pages_are_followed_until_enough_drafts_are_found(self, world: World, table: Table, client: Client) -> None:
        for _ in range(8):
            client.call("draft", {})
        latest = table.latest(keys.drafts_partition(GROUP, PEOPLE["root"].id), keys.DRAFT_CHANGES, 7, lambda item: item)
        assert len(latest) == 7

    def test_large_items_come_in_several_pages(self, world: World, faults: Faults) -> None:
        large = [
            world.add("departments", f"Large {number}", {"name": f"Large {number}", "description": "x" * 150_000})
            for number in range(8)
        ]
        faults.sent.clear()
        departments = services().catalogues.current(GROUP).rows("departments")
        assert departments.keys() >= set(large)
        assert len(faults.sent) > 1

    def test_a_batch_of_which_nothing_is_ever_done_is_given_up(self, world: World, waiting: Waiting) -> None:
        class Idle(Stingy):
            def batch_write_item(self, **arguments: object) -> dict[str, object]:
                return {"UnprocessedItems": arguments["RequestItems"]}

        table = Table(Idle(dynamodb(), 0), world.table.name, utc_now, Deadline())
        with pytest.raises(Unavailable):
            table.put_many([{"pk": "text#a", "sk": "1"}])
        assert 10 < waiting.slept < 20
