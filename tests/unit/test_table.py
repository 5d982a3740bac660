"""Tests of the calls that the repositories are made of, against a client that only takes notes.

Their effects on items are tested with moto and on the emulator; here are their requests and the moments to give up.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from personas.errors import OutcomeUnknown, Unavailable
from personas.runtime import ANSWER_TIME, FINISHING_TIME, LAST_CALL, UNLIMITED, Deadline
from personas.store.attempts import ConditionFailed, attempted
from personas.store.attributes import Item, Value, encode_item
from personas.store.history import HistoryTable
from personas.store.keys import DRAFT_CHANGES, PERSONA_CHANGES, Key
from personas.store.table import Table
from personas.store.write_rule import RECENT_WRITES_MAX, is_version, recent_write, recent_write_slot, version_written_by
from support.faults import Waiting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY: Final = Key("group#g", "persona#p")


class Notes:
    """A client that notes what it is asked and answers what a test has laid ready, or with nothing special."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[object] = []

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**request: Any) -> object:
            self.asked.append((operation, request))
            answer = self.answers.pop(0) if self.answers else {"Responses": {}, "Items": [], "Attributes": {}}
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [request for _, request in self.asked]


@pytest.fixture
def client() -> Notes:
    return Notes()


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


@pytest.fixture
def table(client: Notes, deadline: Deadline) -> Table:
    return Table(cast("DynamoDBClient", client), "personas", lambda: NOW, deadline)


class TestTrail:
    @given(st.lists(st.text("abc.@0123456789", min_size=1), unique=True, min_size=1, max_size=RECENT_WRITES_MAX))
    def test_knows_each_of_the_last_writes_and_the_version_that_it_made(self, write_ids: list[str]) -> None:
        trail = {recent_write_slot(seq): recent_write(write_id, seq + 10) for seq, write_id in enumerate(write_ids)}
        for seq, write_id in enumerate(write_ids):
            assert version_written_by({"trail": trail}, write_id) == seq + 10

    def test_forgets_the_oldest(self) -> None:
        trail = {recent_write_slot(seq): recent_write(f"w{seq}", seq) for seq in range(RECENT_WRITES_MAX + 1)}
        assert version_written_by({"trail": trail}, "w0") is None
        assert version_written_by({"trail": trail}, "w1") == 1

    @pytest.mark.parametrize("item", [None, {}, {"trail": {}}])
    def test_knows_nothing_of_what_is_not_there(self, item: Item | None) -> None:
        assert version_written_by(item, "w") is None

    def test_does_not_take_a_write_for_another_whose_id_begins_alike(self) -> None:
        assert version_written_by({"trail": {"s0": recent_write("w.10", 1)}}, "w.1") is None


class TestPut:
    BODY: Final[Item] = {"row": {}, "seq": 9, "version": 3, "trail": {"s0": "old@2"}}

    def put(self, table: Table, client: Notes, based_on: int | None, prefix: str | None) -> dict[str, Any]:
        table.put(KEY, self.BODY, write_id="w", based_on=based_on, prefix=prefix)
        (request,) = client.requests
        return request

    def test_of_a_new_item_is_made_only_where_there_is_none(self, table: Table, client: Notes) -> None:
        request = self.put(table, client, None, PERSONA_CHANGES)
        assert request["ConditionExpression"] == "attribute_not_exists(pk)"
        assert "ExpressionAttributeValues" not in request

    def test_of_a_new_version_is_made_only_over_the_one_that_was_read(self, table: Table, client: Notes) -> None:
        request = self.put(table, client, 8, PERSONA_CHANGES)
        assert request["ConditionExpression"] == "seq = :based_on"
        assert request["ExpressionAttributeValues"] == {":based_on": {"N": "8"}}

    def test_leaves_its_id_in_the_trail_beside_others(self, table: Table, client: Notes) -> None:
        item = self.put(table, client, 8, PERSONA_CHANGES)["Item"]
        assert item["trail"] == {"M": {"s0": {"S": "old@2"}, recent_write_slot(9): {"S": "w@3"}}}

    def test_stamps_what_a_feed_shows(self, table: Table, client: Notes) -> None:
        assert self.put(table, client, 8, PERSONA_CHANGES)["Item"]["changed"] == {"S": "p#2026-11-24T12:00:00.000000Z"}

    def test_stamps_nothing_that_no_feed_shows(self, table: Table, client: Notes) -> None:
        assert "changed" not in self.put(table, client, 8, None)["Item"]


class TestUpdate:
    def test_is_one_request_with_what_was_asked_for(self, table: Table, client: Notes) -> None:
        table.update(
            KEY,
            {"row.n": "New", "expires_at": 5},
            prefix=DRAFT_CHANGES,
            write_id="w",
            seq=9,
            version=3,
            condition=is_version(2, datetime.fromtimestamp(1, UTC)),
            removes=["texts.name_id"],
        )
        ((operation, request),) = client.asked
        assert operation == "update_item"
        assert request["UpdateExpression"] == (
            "SET #changed = :changed, #row.#n = :v0, #expires_at = :v1, #seq = :v2, #version = :v3, #trail.#s1 = :v4"
            " REMOVE #texts.#name_id"
        )
        assert request["ExpressionAttributeNames"] == {
            f"#{name}": name
            for name in ("changed", "row", "n", "expires_at", "seq", "version", "trail", "s1", "texts", "name_id")
        }
        assert request["ExpressionAttributeValues"] == encode_item(
            {
                ":changed": "d#2026-11-24T12:00:00.000000Z",
                ":v0": "New",
                ":v1": 5,
                ":v2": 9,
                ":v3": 3,
                ":v4": "w@3",
                ":expected": 2,
                ":now": 1,
                ":map": "M",
            }
        )
        assert request["ConditionExpression"] == (
            "#version = :expected AND #expires_at > :now"
            " AND attribute_type(#row, :map) AND attribute_type(#trail, :map) AND attribute_type(#texts, :map)"
        )
        assert (request["ReturnValues"], request["ReturnValuesOnConditionCheckFailure"]) == ("ALL_NEW", "ALL_OLD")


class TestNextNumber:
    """A counter of an item: a condition that fails shows the item, and who counted last."""

    def count(self, table: Table, client: Notes, item: Item | None) -> int:
        refused: Any = {
            "Error": {"Code": "ConditionalCheckFailedException"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
            **({} if item is None else {"Item": encode_item(item)}),
        }
        client.answers.append(ClientError(refused, "UpdateItem"))
        return table.next_number(KEY, "copies", "copied_by", "w")

    def test_is_that_of_the_item_as_it_was_written(self, table: Table, client: Notes) -> None:
        client.answers.append({"Attributes": encode_item({"copies": 3})})
        assert table.next_number(KEY, "copies", "copied_by", "w") == 3

    def test_is_the_one_that_a_lost_attempt_gave(self, table: Table, client: Notes) -> None:
        assert self.count(table, client, {"copies": 4, "copied_by": "w"}) == 4

    @pytest.mark.parametrize("item", [None, {"copies": 4, "copied_by": "another"}, {"copies": 4}])
    def test_of_an_item_that_is_gone_there_is_none(self, table: Table, client: Notes, item: Item | None) -> None:
        with pytest.raises(ConditionFailed):
            self.count(table, client, item)


class TestReadMany:
    def test_of_nothing_asks_nothing(self, table: Table, client: Notes) -> None:
        assert (table.get_many([]), client.asked) == ({}, [])

    @pytest.mark.parametrize(("number", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
    def test_asks_for_a_hundred_at_once(self, table: Table, client: Notes, number: int, sizes: list[int]) -> None:
        table.get_many(Key("a", f"{each}") for each in range(number))
        assert [len(request["RequestItems"]["personas"]["Keys"]) for request in client.requests] == sizes

    def test_asks_for_each_key_once(self, table: Table, client: Notes) -> None:
        table.get_many([KEY, Key(*KEY), KEY])
        (request,) = client.requests
        assert request["RequestItems"]["personas"]["Keys"] == [encode_item(KEY.attributes())]


class TestLatest:
    def draft(self, number: int, expires_in: int = 60) -> dict[str, Any]:
        expires_at = int(NOW.timestamp()) + expires_in
        return dict(encode_item({"pk": "draft#g#p", "sk": f"draft#{number}", "expires_at": expires_at}))

    def test_asks_for_the_latest_first(self, table: Table, client: Notes) -> None:
        table.latest("draft#g#p", DRAFT_CHANGES, 5, dict)
        (request,) = client.requests
        assert request["ScanIndexForward"] is False
        assert request["ExpressionAttributeValues"] == encode_item({":pk": "draft#g#p", ":first": "d#", ":last": "d#~"})

    def test_leaves_out_what_has_expired(self, table: Table, client: Notes) -> None:
        client.answers.append({"Items": [self.draft(1, 0), self.draft(2, 1)]})
        assert [item["sk"] for item in table.latest("draft#g#p", DRAFT_CHANGES, 5, dict)] == ["draft#2"]

    def test_asks_no_further_page_than_it_needs(self, table: Table, client: Notes) -> None:
        client.answers.append({"Items": [self.draft(1), self.draft(2)], "LastEvaluatedKey": {"pk": {"S": "x"}}})
        assert len(table.latest("draft#g#p", DRAFT_CHANGES, 2, dict)) == 2
        assert len(client.asked) == 1

    def test_goes_on_behind_the_page_before(self, table: Table, client: Notes) -> None:
        client.answers += [
            {"Items": [self.draft(1, 0)], "LastEvaluatedKey": {"pk": {"S": "x"}}},
            {"Items": [self.draft(2)]},
        ]
        assert [item["sk"] for item in table.latest("draft#g#p", DRAFT_CHANGES, 2, dict)] == ["draft#2"]
        assert "ExclusiveStartKey" not in client.requests[0]
        assert client.requests[1]["ExclusiveStartKey"] == {"pk": {"S": "x"}}


class TestChanges:
    PERSONA: Final = "0e7bd8ae-5b9c-4e6d-8f0f-0d2a5b0a9c11"

    def test_are_all_of_the_range_for_a_reader_that_has_nothing(self, table: Table, client: Notes) -> None:
        assert list(table.changes("group#g", PERSONA_CHANGES, None)) == []
        (request,) = client.requests
        assert request["ExpressionAttributeValues"] == encode_item({":pk": "group#g", ":first": "p#", ":last": "p#~"})

    def test_begin_at_the_moment_that_is_asked_for(self, table: Table, client: Notes) -> None:
        list(table.changes("group#g", PERSONA_CHANGES, NOW - timedelta(seconds=12)))
        (request,) = client.requests
        assert request["ExpressionAttributeValues"][":first"] == {"S": "p#2026-11-24T11:59:48.000000Z"}

    @pytest.mark.parametrize(("has", "news"), [(-1, [7]), (6, [7]), (7, []), (8, [])])
    def test_leave_out_what_the_reader_has(self, table: Table, client: Notes, has: int, news: list[int]) -> None:
        # Given a change that a reader has as of some seq, when the reader asks for what has changed,
        client.answers.append({"Items": [encode_item(self.change(7))]})
        found = table.changes(
            "group#g", PERSONA_CHANGES, None, lambda key: has if key == f"persona#{self.PERSONA}" else -1
        )
        # then only a newer one is handed to it.
        assert [change.seq for change in found] == news

    @pytest.mark.parametrize("seq", [None, "7", -7])
    def test_report_one_that_cannot_be_compared(
        self, table: Table, client: Notes, caplog: pytest.LogCaptureFixture, seq: int | str | None
    ) -> None:
        # Given a change whose seq is none, when a reader asks that has all there can be,
        client.answers.append({"Items": [encode_item(self.change(seq, persona_id=str(uuid4())))]})
        assert list(table.changes("group#g", PERSONA_CHANGES, None, lambda _: 1 << 60)) == []
        # then it is reported all the same.
        assert caplog.messages == ["an item cannot be read"]

    def test_report_a_persona_whose_id_is_none(
        self, table: Table, client: Notes, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Given a change of a persona whose id is no UUID, when a reader asks for what has changed,
        client.answers.append({"Items": [encode_item(self.change(7, persona_id="ada"))]})
        assert list(table.changes("group#g", PERSONA_CHANGES, None, lambda _: -1)) == []
        # then it is reported, and not handed to a view.
        assert caplog.messages == ["an item cannot be read"]

    def change(self, seq: int | str | None, persona_id: str = PERSONA) -> dict[str, Value]:
        stamped = "p#2026-11-24T12:00:00.000000Z"
        return {
            "pk": "group#g",
            "sk": f"persona#{persona_id}",
            "seq": seq,
            "version": 1,
            "changed": stamped,
            "row": {},
        }


class TestGivingUp:
    """A call is tried again as long as there is time for another attempt and for the answer."""

    THROTTLED: Final = ConnectTimeoutError(endpoint_url="https://dynamodb.test")
    LOST: Final = ReadTimeoutError(endpoint_url="https://dynamodb.test")
    MISTAKE: Final = ClientError(
        {"Error": {"Code": "ValidationException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "GetItem"
    )

    @pytest.fixture
    def failing(self, client: Notes) -> Notes:
        client.answers += [self.THROTTLED] * 10_000
        return client

    def test_ends_in_time_for_the_answer(
        self, table: Table, failing: Notes, deadline: Deadline, waiting: Waiting
    ) -> None:
        deadline.start(timedelta(seconds=29))
        with pytest.raises(Unavailable) as caught:
            table.get(KEY)
        assert 15 < waiting.slept <= (timedelta(seconds=29) - LAST_CALL).total_seconds()
        assert caught.value.retry_after is not None

    def test_ends_after_a_while_where_nothing_sets_a_limit(
        self, table: Table, failing: Notes, waiting: Waiting
    ) -> None:
        with pytest.raises(Unavailable):
            table.get(KEY)
        assert 10 < waiting.slept <= (UNLIMITED - LAST_CALL).total_seconds()

    def test_comes_at_once_where_no_time_is_left(
        self, table: Table, failing: Notes, deadline: Deadline, waiting: Waiting
    ) -> None:
        deadline.start(LAST_CALL)
        with pytest.raises(Unavailable):
            table.get(KEY)
        assert (len(failing.asked), waiting.slept) == (1, 0)

    def test_sends_nothing_where_the_time_is_over(
        self, table: Table, failing: Notes, deadline: Deadline, waiting: Waiting
    ) -> None:
        deadline.start(ANSWER_TIME)
        with pytest.raises(Unavailable):
            table.get(KEY)
        assert failing.asked == []

    def test_comes_at_once_after_a_mistake_of_ours(self, table: Table, client: Notes, waiting: Waiting) -> None:
        client.answers += [self.MISTAKE] * 10_000
        with pytest.raises(ClientError):
            table.get(KEY)
        assert (len(client.asked), waiting.slept) == (1, 0)

    def test_names_the_service_that_is_busy(self, failing: Notes, deadline: Deadline, waiting: Waiting) -> None:
        with pytest.raises(Unavailable) as caught:
            attempted(deadline, failing.put_events, busy="The bus is busy.")
        assert caught.value.detail == "The bus is busy."

    def test_three_times_a_write_whose_answer_was_lost_is_looked_for_without_a_pause(
        self, table: Table, client: Notes, waiting: Waiting
    ) -> None:
        client.answers += [self.LOST] * 3
        table.put(KEY, TestPut.BODY, write_id="w", based_on=None)
        assert (len(client.asked), waiting.slept) == (4, 0)

    def test_the_fourth_time_it_is_looked_for_after_a_pause(
        self, table: Table, client: Notes, waiting: Waiting
    ) -> None:
        client.answers += [self.LOST] * 4
        table.put(KEY, TestPut.BODY, write_id="w", based_on=None)
        assert len(client.asked) == 5
        assert waiting.slept > 0

    def test_pauses_grow_and_stay_bounded(
        self, table: Table, failing: Notes, deadline: Deadline, monkeypatch: pytest.MonkeyPatch, waiting: Waiting
    ) -> None:
        longest: list[float] = []

        def uniform(_: float, most: float) -> float:
            longest.append(most)
            return most

        monkeypatch.setattr("personas.store.attempts._JITTER.uniform", uniform)
        deadline.start(timedelta(seconds=29))
        with pytest.raises(Unavailable):
            table.get(KEY)
        assert longest[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
        assert max(longest) == 2.0

    def test_a_write_that_may_have_arrived_is_not_told_as_one_that_did_not(
        self, table: Table, client: Notes, deadline: Deadline, waiting: Waiting
    ) -> None:
        client.answers += [self.LOST, *([self.THROTTLED] * 10_000)]
        deadline.start(timedelta(seconds=29))
        with pytest.raises(OutcomeUnknown):
            table.put(KEY, TestPut.BODY, write_id="w", based_on=None)

    def test_a_read_whose_answer_is_lost_leaves_nothing_open(
        self, table: Table, client: Notes, deadline: Deadline, waiting: Waiting
    ) -> None:
        client.answers += [self.LOST] * 10_000
        deadline.start(timedelta(seconds=29))
        with pytest.raises(Unavailable) as caught:
            table.get(KEY)
        assert not isinstance(caught.value, OutcomeUnknown)

    def test_a_version_whose_put_is_lost_leaves_nothing_open(
        self, client: Notes, deadline: Deadline, waiting: Waiting
    ) -> None:
        # Given the table of versions, whose puts may be made again at any time,
        history = HistoryTable(cast("DynamoDBClient", client), "history", lambda: NOW, deadline)
        client.answers += [self.LOST] * 10_000
        deadline.start(timedelta(seconds=29))
        # when the answers to one are lost, then nobody has to find out what became of it.
        with pytest.raises(Unavailable) as caught:
            history.put_newer(KEY, {"at": NOW.isoformat()})
        assert not isinstance(caught.value, OutcomeUnknown)

    @pytest.mark.parametrize(
        ("left", "begins"),
        [(FINISHING_TIME + timedelta(seconds=1), True), (FINISHING_TIME - timedelta(seconds=1), False), (None, True)],
    )
    def test_an_item_is_begun_only_with_time_for_it(
        self, deadline: Deadline, left: timedelta | None, begins: bool
    ) -> None:
        deadline.start(left)
        assert deadline.has_time_for_another_item() is begins


def test_a_deletion_asks_for_the_size_of_the_item_collection(
    table: Table, client: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a group whose items take nearly all that they may
    estimate = {"ItemCollectionKey": {"pk": {"S": "group#g"}}, "SizeEstimateRangeGB": [8.0, 9.0]}
    client.answers = [{"ItemCollectionMetrics": estimate}]
    told: list[object] = []
    monkeypatch.setattr("personas.store.table.record_collection_size", told.append)

    # When its mark is deleted, as every refresh does
    assert table.delete_older(KEY, "marked_at", 1)

    # Then DynamoDB is asked for the size, and what it says is told
    assert client.requests[0]["ReturnItemCollectionMetrics"] == "SIZE"
    assert told == [estimate]
