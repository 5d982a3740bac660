"""Tests of the calls that the repositories are made of, against a client that only takes notes.

Their effects on items are tested with moto and on the emulator; here are their pages and the moments to give up.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from personas.errors import OutcomeUnknown, Unavailable
from personas.runtime import ANSWER_TIME, FINISHING_TIME, LAST_CALL, UNLIMITED, Deadline
from personas.store.attempts import attempted
from personas.store.attributes import Item, Value, encode_item
from personas.store.history import HistoryTable
from personas.store.keys import DRAFT_CHANGES, PERSONA_CHANGES, Key
from personas.store.table import Table
from support.faults import Waiting

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY: Final = Key("group#g", "persona#p")
BODY: Final[Item] = {"seq": 9, "version": 3}


class Notes:
    """A client that notes what it is asked and answers what a test has laid ready, or with nothing special."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[object] = []

    def __getattr__(self, _operation: str) -> Callable[..., object]:
        def call(**request: Any) -> object:
            self.asked.append(request)
            answer = self.answers.pop(0) if self.answers else {"Responses": {}, "Items": [], "Attributes": {}}
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@pytest.fixture
def client() -> Notes:
    return Notes()


@pytest.fixture
def deadline() -> Deadline:
    return Deadline()


@pytest.fixture
def table(client: Notes, deadline: Deadline) -> Table:
    return Table(cast("DynamoDBClient", client), "personas", lambda: NOW, deadline)


class TestReadMany:
    def test_of_nothing_asks_nothing(self, table: Table, client: Notes) -> None:
        assert (table.get_many([]), client.asked) == ({}, [])

    @pytest.mark.parametrize(("number", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
    def test_asks_for_a_hundred_at_once(self, table: Table, client: Notes, number: int, sizes: list[int]) -> None:
        table.get_many(Key("a", f"{each}") for each in range(number))
        assert [len(request["RequestItems"]["personas"]["Keys"]) for request in client.asked] == sizes

    def test_asks_for_each_key_once(self, table: Table, client: Notes) -> None:
        table.get_many([KEY, Key(*KEY), KEY])
        (request,) = client.asked
        assert request["RequestItems"]["personas"]["Keys"] == [encode_item(KEY.attributes())]


class TestLatest:
    def draft(self, number: int, expires_in: int = 60) -> dict[str, Any]:
        expires_at = int(NOW.timestamp()) + expires_in
        return dict(encode_item({"pk": "draft#g#p", "sk": f"draft#{number}", "expires_at": expires_at}))

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
        assert "ExclusiveStartKey" not in client.asked[0]
        assert client.asked[1]["ExclusiveStartKey"] == {"pk": {"S": "x"}}


class TestChanges:
    PERSONA: Final = "0e7bd8ae-5b9c-4e6d-8f0f-0d2a5b0a9c11"

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
        table.put(KEY, BODY, write_id="w", based_on=None)
        assert (len(client.asked), waiting.slept) == (4, 0)

    def test_the_fourth_time_it_is_looked_for_after_a_pause(
        self, table: Table, client: Notes, waiting: Waiting
    ) -> None:
        client.answers += [self.LOST] * 4
        table.put(KEY, BODY, write_id="w", based_on=None)
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
            table.put(KEY, BODY, write_id="w", based_on=None)

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
    assert client.asked[0]["ReturnItemCollectionMetrics"] == "SIZE"
    assert told == [estimate]
