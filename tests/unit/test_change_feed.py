"""A change of the feed: an item as the index shows it, and a damaged one as a deletion that is never forgotten."""

from datetime import UTC, datetime

import pytest

from personas.errors import Unreadable
from personas.store.attributes import Item, WireItem
from personas.store.change_feed import DELETION_REMEMBERED, Change, change_in, is_news

KEY = "persona#5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01"
ITEM: Item = {
    "pk": "group#g",
    "sk": KEY,
    "seq": 7,
    "version": 3,
    "changed": "p#2026-11-24T12:00:00.000000Z",
    "row": {"n": "Ada"},
}
REMEMBERED_UNTIL = int((datetime(2026, 11, 24, 12, tzinfo=UTC) + DELETION_REMEMBERED).timestamp())


def test_tells_the_item_and_the_time_for_which_its_deletion_would_be_remembered() -> None:
    assert change_in(ITEM) == Change(KEY, 7, {"n": "Ada"}, False, 3, REMEMBERED_UNTIL, "group#g")


def test_a_tombstone_is_a_deletion() -> None:
    assert change_in({**ITEM, "deleted": True}).deleted


def test_of_an_item_without_a_version_the_version_is_none() -> None:
    change = change_in({name: value for name, value in ITEM.items() if name != "version"})
    assert (change.version, change.deleted) == (0, False)


@pytest.mark.parametrize("damage", [{"row": "Ada"}, {"version": "3"}, {"changed": 1}, {"pk": None}])
def test_a_damaged_item_is_a_deletion_that_no_view_forgets(damage: Item, capsys: pytest.CaptureFixture[str]) -> None:
    # Given an item that can only be compared, when it is read,
    change = change_in({**ITEM, **damage})
    # then it is a deletion as of its seq, which is counted.
    assert change == Change(KEY, 7, {}, True, 0, forgotten_at=1 << 62)
    assert "UnreadableItems" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [{"seq": None}, {"sk": 1}, {"sk": "persona#ada"}])
def test_an_item_that_cannot_be_compared_is_refused(damage: Item) -> None:
    with pytest.raises(Unreadable):
        change_in({**ITEM, **damage})


def test_an_entry_of_the_catalogue_may_have_any_id() -> None:
    assert change_in({**ITEM, "sk": "resource#colors#plum"}).key == "resource#colors#plum"


@pytest.mark.parametrize(("has", "news"), [(-1, True), (6, True), (7, False), (8, False)])
def test_an_item_is_news_to_a_reader_that_has_an_older_one(has: int, news: bool) -> None:
    assert is_news({"sk": {"S": KEY}, "seq": {"N": "7"}}, {KEY: has}.__getitem__) is news


@pytest.mark.parametrize(
    "item", [{}, {"sk": {"S": KEY}}, {"seq": {"N": "7"}}, {"sk": {"S": KEY}, "seq": {"N": "-7"}}, {"sk": {}, "seq": {}}]
)
def test_an_item_that_cannot_be_compared_is_news(item: WireItem) -> None:
    assert is_news(item, {KEY: 8}.__getitem__)
