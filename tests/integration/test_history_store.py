"""The store of versions: what a put may replace, what a page shows, and what has reached its end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from personas.domain.authorship import Author
from personas.domain.history import PastVersion, VersionRecord
from personas.domain.persona import Form, Persona
from personas.domain.text import Text
from personas.errors import Unreadable
from personas.runtime import Deadline, dynamodb
from personas.store import keys
from personas.store.history import HistoryStore, HistoryTable, RecordPage
from support.aws import Aws
from support.world import Clock

GROUP: Final = "00000000-0000-4000-8000-000000000001"
ID: Final = "00000000-0000-4000-8000-000000000002"
LINK: Final = "00000000-0000-4000-8000-000000000003"
NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)

PERSONA: Final = Persona(
    id=ID,
    form=Form(
        name=Text(LINK, "Ada"),
        instructions=Text(LINK, "Count. " * 100),
        color_id=LINK,
        icon_id=LINK,
        department_ids=(LINK,),
        examples=(Text(LINK, "One"), Text(LINK, "Two")),
    ),
    created_at=NOW.isoformat(),
    updated_at=NOW.isoformat(),
)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def table(aws: Aws, clock: Clock) -> HistoryTable:
    return HistoryTable(dynamodb(), aws.names["HistoryTable"], clock, Deadline())


@pytest.fixture
def history(table: HistoryTable) -> HistoryStore:
    return HistoryStore(table)


def record(version: int, minute: int = 0, **fields: Any) -> VersionRecord:
    at = (NOW + timedelta(minutes=minute)).isoformat()
    whole = {"kind": "updated", "changed_by": None, "mcp": False, "changed": ("name",), "restored_from": None}
    return VersionRecord(**{"version": version, "at": at, "department_ids": (), **whole, **fields})


def put(history: HistoryStore, what: VersionRecord, name: str = "Ada", ends: timedelta | None = None) -> None:
    persona = replace(PERSONA, form=PERSONA.form.changed({"name": Text(LINK, name)}), version=what.version)
    ends_at = None if ends is None else int((NOW + ends).timestamp())
    history.put(GROUP, ID, what, None if what.kind == "deleted" else persona, ends_at)


def found(history: HistoryStore, version: int) -> PastVersion:
    past = history.version(GROUP, ID, version)
    assert past is not None
    return past


def name_of(past: PastVersion) -> str:
    assert past.persona is not None
    return past.persona.name.text


def test_a_version_comes_back_as_it_was_put(history: HistoryStore) -> None:
    what = record(
        3,
        kind="restored",
        changed_by=Author(LINK, "Grace"),
        mcp=True,
        changed=("name", "examples"),
        restored_from=1,
        department_ids=(LINK,),
    )
    put(history, what)
    assert found(history, 3) == (what, replace(PERSONA, version=3))
    assert history.page(GROUP, ID, None, 10) == RecordPage([what], None)


def test_a_page_shows_the_latest_first_and_goes_on_before_a_version(history: HistoryStore) -> None:
    for version in (1, 2, 9, 10, 11, 100):
        put(history, record(version))
    pages = [history.page(GROUP, ID, before, 3) for before in (None, 10, 1)]
    assert [[each.version for each in page.records] for page in pages] == [[100, 11, 10], [9, 2, 1], []]
    assert [page.below for page in pages[:1]] == [10]
    assert history.page(GROUP, ID, pages[0].below, 4).below is None


def test_versions_of_others_are_not_shown(history: HistoryStore) -> None:
    put(history, record(1))
    assert history.page(LINK, ID, None, 10).records == []
    assert history.version(LINK, ID, 1) is None
    assert history.version(GROUP, LINK, 1) is None


def test_a_deletion_has_no_contents(history: HistoryStore) -> None:
    put(history, record(2, kind="deleted"))
    assert found(history, 2).persona is None


def test_what_was_written_later_stays(history: HistoryStore) -> None:
    put(history, record(5, minute=1), "new line")
    put(history, record(5, minute=0), "old line")
    put(history, record(5, minute=0), "old line", timedelta(days=365))
    assert name_of(found(history, 5)) == "new line"


def test_what_a_restored_table_writes_takes_the_place_of_what_it_forgot(history: HistoryStore) -> None:
    put(history, record(5, minute=0), "forgotten", timedelta(days=365))
    put(history, record(5, minute=1), "written after the restore")
    past = found(history, 5)
    assert name_of(past) == "written after the restore"


@pytest.mark.parametrize("ends_first", [False, True], ids=["in order", "out of order"])
def test_an_end_stays_in_whatever_order_it_comes(history: HistoryStore, table: HistoryTable, ends_first: bool) -> None:
    puts: list[Callable[[], None]] = [
        lambda: put(history, record(1)),
        lambda: put(history, record(1), ends=timedelta(days=365)),
    ]
    for act in reversed(puts) if ends_first else puts:
        act()
    ends = {item["expires_at"] for item in table.partition(keys.history_partition(GROUP, ID))}
    assert ends == {int((NOW + timedelta(days=365)).timestamp())}


def test_of_two_ends_the_later_one_counts(history: HistoryStore, clock: Clock) -> None:
    put(history, record(1), ends=timedelta(days=20))
    put(history, record(1), ends=timedelta(days=10))
    clock.passes(days=15)
    assert history.version(GROUP, ID, 1) is not None


@pytest.mark.parametrize("kind", ["updated", "deleted"])
def test_a_version_is_given_its_end_once(history: HistoryStore, table: HistoryTable, kind: str) -> None:
    # Given a version without an end, a deletion's of which there is the record alone,
    what = record(2, kind=kind)
    put(history, what)
    # when it is given one twice, then it has that end, and the second time that is told.
    ends_at = int((NOW + timedelta(days=365)).timestamp())
    assert [history.end(GROUP, ID, what, ends_at) for _ in range(2)] == [True, False]
    assert {item["expires_at"] for item in table.partition(keys.history_partition(GROUP, ID))} == {ends_at}


def test_a_version_is_gone_at_its_end_and_the_last_one_stays(history: HistoryStore, clock: Clock) -> None:
    put(history, record(1), ends=timedelta(days=365))
    put(history, record(2))
    clock.passes(days=396)
    assert [each.version for each in history.page(GROUP, ID, None, 10).records] == [2]
    assert history.version(GROUP, ID, 1) is None
    assert history.version(GROUP, ID, 2) is not None


def test_what_cannot_be_read_is_left_out_of_a_page_and_told_of_by_itself(
    history: HistoryStore, table: HistoryTable
) -> None:
    put(history, record(1))
    table.put_plain(keys.version(GROUP, ID, keys.VERSION_RECORDS, 2), {"at": NOW.isoformat()}, asked_for=True)
    assert [each.version for each in history.page(GROUP, ID, None, 10).records] == [1]
    with pytest.raises(Unreadable):
        history.version(GROUP, ID, 2)


def test_a_version_of_an_unknown_kind_cannot_be_read(history: HistoryStore, table: HistoryTable) -> None:
    put(history, record(1))
    key = keys.version(GROUP, ID, keys.VERSION_RECORDS, 1)
    stored = table.get(key)
    assert stored is not None
    table.put_plain(key, {**stored, "kind": "moved"}, asked_for=True)
    with pytest.raises(Unreadable) as refused:
        history.version(GROUP, ID, 1)
    assert refused.value.reason == "kind is none that a version has"


def test_an_end_that_cannot_be_read_costs_its_own_version_alone(history: HistoryStore, table: HistoryTable) -> None:
    put(history, record(1))
    put(history, record(2))
    damaged = table.get(keys.version(GROUP, ID, keys.VERSION_RECORDS, 2))
    assert damaged is not None
    table.put_plain(keys.version(GROUP, ID, keys.VERSION_RECORDS, 2), {**damaged, "expires_at": "soon"}, asked_for=True)
    assert [each.version for each in history.page(GROUP, ID, None, 10).records] == [1]
    assert isinstance(history.versions(GROUP, ID, [1, 2])[2], Unreadable)


def test_a_version_of_which_only_one_half_is_new_is_not_there_yet(history: HistoryStore, table: HistoryTable) -> None:
    put(history, record(1))
    whole = table.get(keys.version(GROUP, ID, keys.WHOLE_VERSIONS, 1))
    assert whole is not None
    later = {**whole, "at": (NOW + timedelta(minutes=1)).isoformat()}
    table.put_newer(keys.version(GROUP, ID, keys.WHOLE_VERSIONS, 1), later)
    assert history.version(GROUP, ID, 1) is None


def test_a_purge_erases_one_history_alone(history: HistoryStore) -> None:
    for version in range(1, 31):
        put(history, record(version))
    history.put(GROUP, LINK, record(1), PERSONA, None)
    assert history.purge(GROUP, ID) == 60
    assert history.page(GROUP, ID, None, 100).records == []
    assert history.version(GROUP, LINK, 1) is not None
