"""Tests of calls of many items: their order, and the answer for each item."""

import json
import random
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest
from botocore.awsrequest import AWSResponse

from personas.contract.base import BODY_MAX, BULK_BODY_MAX, ITEMS_MAX, QUOTED_MAX
from personas.operations.bulk import TRIES
from personas.runtime import FINISHING_TIME
from personas.services import services
from personas.store import keys
from personas.store.attributes import encode_item
from personas.store.groups import GroupStore
from support.client import Answer, Client
from support.faults import Faults, Outcome, Sending, Waiting, lost_before, passed, preceded, throttled, timed_out, to
from support.in_order import InOrder
from support.warm import unguarded_world, warm_client
from support.world import CARE, GROUP, NEEDED, NOBODY, World, fault, result

LAMBDA_ANSWER: Final = 6 * 1024 * 1024
DYNAMODB_ITEM: Final = 400 * 1024
KEY: Final = "bulk"

world = pytest.fixture(unguarded_world)
client = pytest.fixture(warm_client)


@pytest.fixture
def faults(world: World, waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults.installed(monkeypatch)


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the size of chunks to two items."""
    monkeypatch.setattr("personas.operations.bulk.CHUNK", 2)


def named(*names: str) -> dict[str, object]:
    return {"personas": [{**NEEDED, "name": name} for name in names]}


def saved(client: Client, name: str) -> str:
    return str(result(client.call("create", named(name)))["persona_id"])


def codes(answer: Answer) -> list[str | None]:
    return [each["code"] for each in answer.body["results"]]


class TestErrors:
    """`errors` of a result, which clients print to people."""

    @pytest.mark.parametrize(
        ("item", "field"),
        [
            ({**NEEDED, "color": "Mauve"}, "color"),
            ({**NEEDED, "color_id": "x", "color": None}, "color_id"),
            ({**NEEDED, "examples": ["Hello.", "x" * 2_001]}, "examples"),
            ({**NEEDED, "departments": ["Care", "Moon"]}, "departments"),
            ({**NEEDED, "nick/name~": "x"}, "nick/name~"),
            ({**NEEDED, "n" * 300: "x"}, "n" * QUOTED_MAX),
            ({each: NEEDED[each] for each in NEEDED if each != "icon"}, "icon"),
        ],
    )
    def test_name_the_field_plainly(self, client: Client, item: dict[str, object], field: str) -> None:
        answer = client.call("create", {"personas": [NEEDED, item]})
        assert [each["field"] for each in result(answer, 1)["errors"]] == [field]

    def test_of_two_entries_alike_are_one(self, client: Client) -> None:
        answer = client.call("create", {"personas": [NEEDED, {**NEEDED, "examples": ["", " "]}]})
        assert result(answer, 1)["errors"] == [{"field": "examples", "message": "must not be empty"}]

    @pytest.mark.parametrize("item", [7, None, "Ada"])
    def test_of_an_item_as_a_whole_are_in_its_message(self, client: Client, item: object) -> None:
        answer = client.call("create", {"personas": [NEEDED, item]})
        assert result(answer, 1)["errors"] is None
        assert result(answer, 1)["message"] == "must be an object"

    def test_quote_no_more_than_a_person_reads(self, client: Client) -> None:
        answer = client.call("create", {"personas": [NEEDED, {**NEEDED, "color": "Mauve" * 40, "x" * 150: 1}]})
        told = result(answer, 1)
        answer = client.call("create", {"personas": [NEEDED, {**NEEDED, "color": "Mauve" * 40}]})
        assert "x" * QUOTED_MAX in told["message"]
        assert "x" * (QUOTED_MAX + 1) not in json.dumps(told)
        assert len(result(answer, 1)["message"]) < QUOTED_MAX + 60


class TestNotStored:
    """The id that the answer gives to a create that failed."""

    def test_nothing_whatever_id_it_was_given(self, client: Client) -> None:
        item = {**NEEDED, "id": NOBODY, "color": "Mauve"}
        assert result(client.call("create", {"personas": [item]}))["persona_id"] is None

    def test_its_id_where_it_may_be_stored(self, client: Client, faults: Faults) -> None:
        faults.always(to("PutItem", "persona#"), lost_before(timed_out()))
        answer = client.call("create", {"personas": [{**NEEDED, "id": NOBODY}]})
        assert (fault(answer), result(answer)["persona_id"]) == ((503, "outcome_unknown"), NOBODY)


class TestWithoutTheStore:
    def test_all_that_fail_for_it_are_503_with_the_results(self, client: Client, faults: Faults) -> None:
        faults.always(to("PutItem", "persona#"), throttled)
        answer = client.call("create", named("Ada", "Bo"))
        assert (fault(answer), codes(answer)) == ((503, "unavailable"), ["unavailable"] * 2)
        assert answer.body["detail"] == "None of the 2 items was saved: see results. Try again shortly."
        assert "Retry-After" in answer.headers

    def test_all_of_which_one_may_be_saved_are_503_too(self, client: Client, faults: Faults) -> None:
        faults.always(to("PutItem", "persona#"), lost_before(timed_out()))
        answer = client.call("create", named("Ada", "Bo"))
        assert fault(answer) == (503, "outcome_unknown")
        assert answer.body["detail"] == (
            "Some of the 2 items may have been saved: see results. Repeat with the same Idempotency-Key, or read first."
        )

    def test_one_that_fails_for_itself_beside_them_is_200(self, client: Client, faults: Faults) -> None:
        faults.always(to("PutItem", "persona#"), throttled)
        answer = client.call("create", {"personas": [NEEDED, {**NEEDED, "color": "Mauve"}]})
        assert (answer.status, codes(answer)) == (200, ["unavailable", "invalid"])


class TestMarks:
    """The marks of groups whose views are behind."""

    @pytest.mark.parametrize("operation", ["create", "update", "delete"])
    def test_a_write_leaves_one_of_its_own_group(self, client: Client, world: World, operation: str) -> None:
        # Given a group that was refreshed since its last write, and an environment that has marked none
        persona_id = saved(client, "Ada")
        groups = GroupStore(world.table)
        groups.unmark(GROUP, world.table.now() + timedelta(days=1))
        world.restart()
        # When a persona of it is written
        sent: Mapping[str, Mapping[str, object]] = {
            "create": {"personas": [NEEDED]},
            "update": {"personas": [{"persona_id": persona_id, "name": "Bo"}]},
            "delete": {"persona_ids": [persona_id]},
        }
        assert client.call(operation, sent[operation]).status == 200
        # Then
        assert [each.group_id for each in groups.marked()] == [GROUP]


class TestRoleThatOnlyReads:
    @pytest.mark.parametrize(
        ("operation", "body"),
        [
            ("create", named("Ada", "Bo")),
            ("update", {"personas": [{"persona_id": NOBODY, "name": "X"}, {"persona_id": CARE, "name": "Y"}]}),
            ("delete", {"persona_ids": [NOBODY, CARE]}),
        ],
    )
    def test_is_403_whatever_the_items_are(self, world: World, operation: str, body: object) -> None:
        answer = warm_client(world, "learner").call(operation, body)
        assert fault(answer) == (403, "role_may_not_write")
        assert codes(answer) == ["role_may_not_write"] * 2


class TestContended:
    """Items that somebody else keeps writing, in between every reading and writing of this service."""

    @pytest.fixture(autouse=True)
    def _chunks_of_ten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("personas.operations.bulk.CHUNK", 10)

    @pytest.fixture
    def ids(self, client: Client) -> list[str]:
        created = client.call("create", named(*[str(number) for number in range(100)]))
        return [each["persona_id"] for each in created.body["results"]]

    def written_in_between(self, world: World, persona_id: str) -> Outcome:
        def write() -> None:
            world.aws.dynamodb.update_item(
                TableName=world.table.name,
                Key=encode_item(keys.persona(GROUP, persona_id).attributes()),
                UpdateExpression="ADD seq :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

        return preceded(write, passed)

    @pytest.mark.parametrize("operation", ["update", "delete"])
    def test_one_without_end_takes_the_time_of_no_other(
        self, client: Client, world: World, ids: list[str], faults: Faults, operation: str
    ) -> None:
        # Given an item of the first chunk whose persona is written all the time
        faults.always(to("UpdateItem", f"persona#{ids[3]}"), self.written_in_between(world, ids[3]))
        # When all are changed
        changes = {"personas": [{"persona_id": each, "description": "New"} for each in ids]}
        answer = client.call(operation, changes if operation == "update" else {"persona_ids": ids})
        # Then all others are saved, each told in its place
        assert [each["persona_id"] for each in answer.body["results"]] == ids
        assert codes(answer) == [None] * 3 + ["contended"] + [None] * 96

    def test_one_that_comes_free_is_saved_after_the_others(
        self, client: Client, world: World, ids: list[str], faults: Faults
    ) -> None:
        # Given an item whose persona others write more often than it is tried among the others
        hot = to("UpdateItem", f"persona#{ids[3]}")
        faults.plan(hot, *[self.written_in_between(world, ids[3])] * (TRIES + 3))
        # When all are changed
        answer = client.call(
            "update", {"personas": [{"persona_id": each, "description": "New"} for each in ids]}, idempotency_key=KEY
        )
        # Then it is saved once, and so are all others, before it was tried again
        assert codes(answer) == [None] * 100
        assert {world.persona(each).version for each in (ids[3], ids[99])} == {2}
        written = [key for sent in faults.sent if sent.operation == "UpdateItem" for key in sent.keys]
        of_the_hot_one = [place for place, key in enumerate(written) if key == f"persona#{ids[3]}"]
        assert len(of_the_hot_one) == TRIES + 4
        assert of_the_hot_one[TRIES - 1] < written.index(f"persona#{ids[99]}") < of_the_hot_one[TRIES]

    def test_more_than_there_are_threads_without_end_are_told_so(
        self, client: Client, world: World, ids: list[str], faults: Faults
    ) -> None:
        # Given more personas than there are threads, all of them written all the time
        hot = ids[:40]
        for each in hot:
            faults.always(to("UpdateItem", f"persona#{each}"), self.written_in_between(world, each))
        # When they are changed
        answer = client.call("update", {"personas": [{"persona_id": each, "description": "New"} for each in hot]})
        # Then each is answered so, and none as not begun
        assert codes(answer) == ["contended"] * 40


class TestUnderAKey:
    def test_what_saved_nothing_is_not_remembered(self, world: World, client: Client) -> None:
        persona_id = saved(client, "Ada")
        world.cast("Ward", persona_id)
        first = client.call("delete", {"persona_ids": [persona_id, NOBODY]}, idempotency_key=KEY)
        world.cast("Ward", persona_id, active=False)
        again = client.call("delete", {"persona_ids": [persona_id, NOBODY]}, idempotency_key=KEY)
        assert codes(first) == ["in_use", "not_found"]
        assert codes(again) == [None, "not_found"]

    def test_what_saved_something_is_remembered(self, client: Client, world: World) -> None:
        body = {"personas": [NEEDED, {**NEEDED, "color": "Mauve"}]}
        first = client.call("create", body, idempotency_key=KEY)
        assert client.call("create", body, idempotency_key=KEY).text == first.text
        assert world.names() == ["Ada"]


@pytest.mark.usefixtures("pairs")
class TestChunks:
    def test_all_are_saved_in_order(self, client: Client, world: World) -> None:
        created = client.call("create", named("A", "B", "C", "D", "E"))
        ids = [each["persona_id"] for each in created.body["results"]]
        changes = [{"persona_id": each, "description": f"{number}"} for number, each in enumerate(ids)]
        updated = client.call("update", {"personas": changes})
        assert [each["persona_id"] for each in updated.body["results"]] == ids
        assert [str(world.persona(each).name.text) for each in ids] == ["A", "B", "C", "D", "E"]
        assert [world.persona(each).version for each in ids] == [2] * 5
        deleted = client.call("delete", {"persona_ids": ids[::-1]})
        assert [each["persona_id"] for each in deleted.body["results"]] == ids[::-1]
        assert world.names() == []

    @pytest.mark.parametrize("position", [1, 4])
    def test_the_second_item_of_a_persona_fails_in_its_chunk_and_in_another(
        self, client: Client, world: World, position: int
    ) -> None:
        ids = [saved(client, name) for name in "ABCDE"]
        ids[position] = ids[0]
        changes = [{"persona_id": each, "description": f"{number}"} for number, each in enumerate(ids)]
        answer = client.call("update", {"personas": changes})
        assert [number for number, code in enumerate(codes(answer)) if code == "repeated_item"] == [position]
        assert codes(client.call("delete", {"persona_ids": ids}))[position] == "repeated_item"
        twins = [{**NEEDED, "id": each} for each in ids]
        assert codes(client.call("create", {"personas": twins}))[position] == "repeated_item"

    def test_one_that_cannot_be_read_takes_nothing_back(self, client: Client, world: World, faults: Faults) -> None:
        # Given that the store gives no persona any more once the first chunk was written
        ids = [saved(client, name) for name in "ABCD"]
        reads: list[Sending] = []

        def once(send: Sending) -> AWSResponse:
            reads.append(send)
            return (passed if len(reads) == 1 else throttled)(send)

        faults.always(to("BatchGetItem", "persona#"), once)
        # When all are changed
        answer = client.call("update", {"personas": [{"persona_id": each, "name": "X"} for each in ids]})
        # Then the first two are, and the others are to be sent again
        assert (answer.status, codes(answer)) == (200, [None, None, "unavailable", "unavailable"])
        assert world.names() == ["C", "D", "X", "X"]

    def test_what_there_is_no_time_for_is_the_tail_and_a_keyed_repeat_saves_it(
        self, client: Client, world: World, faults: Faults, waiting: Waiting
    ) -> None:
        # Given that a write takes eight seconds, one after the other
        services().parallel = InOrder()

        def takes_long(send: Sending) -> AWSResponse:
            waiting.passes(8)
            return passed(send)

        faults.always(to("PutItem", "persona#"), takes_long)
        names = ["A", "B", "C", "D", "E", "F"]
        # When six are to be saved in 29
        first = client.call("create", named(*names), idempotency_key=KEY)
        # Then the tail is to be sent again, each item as a whole
        saved = codes(first).index("unavailable")
        assert codes(first) == [None] * saved + ["unavailable"] * (6 - saved)
        assert 0 < saved < 6
        assert "Send it again" in result(first, 5)["message"]
        assert world.names() == names[:saved]
        # and the repeat saves that, and nothing twice
        faults.clear()
        again = client.call("create", named(*names), idempotency_key=KEY)
        assert codes(again) == [None] * 6
        assert world.names() == names

    def test_none_begins_without_the_time_for_its_answer(self, client: Client, world: World, faults: Faults) -> None:
        client.remaining_ms = int(FINISHING_TIME.total_seconds() * 1000) - 1
        answer = client.call("create", named("A", "B", "C"))
        assert (fault(answer), codes(answer)) == ((503, "unavailable"), ["unavailable"] * 3)
        assert faults.count(to("PutItem", "persona#")) == 0


class TestSizes:
    @pytest.mark.parametrize("operation", ["create", "update"])
    def test_what_brings_whole_personas_may_have_four_megabytes(self, client: Client, operation: str) -> None:
        def body(size: int) -> str:
            return json.dumps({"group_id": "x" * (size - len(json.dumps({"group_id": ""})))})

        assert client.call(operation, body(BULK_BODY_MAX)).status == 422
        assert fault(client.call(operation, body(BULK_BODY_MAX + 1))) == (413, "body_too_large")

    @pytest.mark.parametrize("operation", ["delete", "search", "draft"])
    def test_others_a_megabyte(self, client: Client, operation: str) -> None:
        assert fault(client.call(operation, json.dumps({"group_id": "x" * BODY_MAX}))) == (413, "body_too_large")

    def test_the_worst_answer_of_a_thousand_fits_into_lambdas_and_into_its_record(
        self, client: Client, world: World
    ) -> None:
        # Given an item that is saved, so that the answer is remembered, and 999 with as much to quote as can be sent
        persona_id = saved(client, "Ada")
        chance = random.Random(5)

        def noise() -> str:
            return "".join(chr(chance.randrange(0x1F300, 0x1FAFF)) for _ in range(200))

        wrong = [{"persona_id": noise(), noise(): 1, noise(): 2} for _ in range(ITEMS_MAX - 1)]
        # When they are sent
        body = {"personas": [{"persona_id": persona_id, "name": "Bo"}, *wrong]}
        answer = client.call("update", json.dumps(body, ensure_ascii=False))
        # Then all is answered, in less than Lambda passes on, however it escapes
        assert answer.status == 200
        assert len(answer.body["results"]) == ITEMS_MAX
        assert len(json.dumps(answer.text)) < LAMBDA_ANSWER / 2
        # and in less than an item of DynamoDB holds, compressed
        assert len(zlib.compress(answer.text.encode())) < DYNAMODB_ITEM
