"""The upkeep of the weekly rebuild: the text directory, and what nobody needs in S3."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from unittest.mock import patch

import pytest

from personas.contract.persona_fields import TextKind
from personas.domain.text import text_id
from personas.errors import Unavailable
from personas.operations.refresh_pass import CLEAN_UP, REBUILD_EVERY
from personas.runtime import Deadline, Parallel
from personas.store import keys
from personas.store.drafts import LISTED_EVERY, DraftStore
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas.store.texts import KEPT_UNUSED
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from personas.views.text_usage import KEPT
from support.aws import Aws
from support.house import HOUSE, House, named
from support.iam import Guard
from support.world import secret_of

NURSE: Final = named("profiles", "nurse")


@pytest.fixture
def house(aws: Aws, iam: Guard) -> Iterator[House]:
    with House(aws, iam).clocked() as house:
        yield house


def entry(house: House, kind: TextKind, text: str) -> object:
    """Return the directory's entry of a text, or None."""
    return house.table.get(keys.text(HOUSE, kind, text_id(secret_of(HOUSE), kind, text)))


def clean(house: House) -> None:
    """Change the group and refresh it after the week is over."""
    house.wait(days=8)
    house.save(name="Week", instructions="Ask.")
    house.refresh()
    assert left(house) is None


def left(house: House) -> object:
    """Return the place in the group's record from which the clean-up goes on."""
    return GroupStore(house.table).read(HOUSE).row.get(CLEAN_UP)


def test_a_text_that_nobody_uses_is_removed_after_thirty_days(house: House) -> None:
    house.call("draft", {"name": "Passing", "examples": ["Hm."]})
    house.save(name="Ada", examples=["Stays."])
    house.refresh()
    house.wait(days=91)  # the draft is over
    clean(house)
    assert entry(house, "names", "Passing") is None
    assert entry(house, "examples", "Hm.") is None
    kept: list[tuple[TextKind, str]] = [("names", "Ada"), ("examples", "Stays."), ("instructions", "Ask.")]
    for kind, text in [*kept, ("names", "Week")]:
        assert entry(house, kind, text), text


def test_what_a_live_draft_holds_stays(house: House) -> None:
    made = house.call("draft", {"name": "In hand", "description": "D", "instructions": "I", "examples": ["E", "F"]})
    house.call("draft", {"name": "His"}, who="nurse")
    house.refresh()
    house.wait(days=60)
    patched = {"input_draft_id": made.body["draft_id"], "expected_version": 1, "voice_ids": []}
    assert house.call("draft", patched).status == 200
    house.wait(days=25)
    clean(house)
    kept: list[tuple[TextKind, str]] = [("names", "In hand"), ("descriptions", "D"), ("instructions", "I")]
    for kind, text in [*kept, ("examples", "E"), ("examples", "F")]:
        assert entry(house, kind, text), text
    assert entry(house, "names", "His") is None  # his draft is over after 90 days
    state = made.body["form_state"]
    sent = {name: state[name] for name in ("name_id", "description_id", "instructions_id", "example_ids")}
    assert house.call("draft", sent).status == 200


def test_a_touched_text_stays(house: House) -> None:
    house.call("draft", {"name": "Passing"})
    house.refresh()
    house.wait(days=91)
    text = text_id(secret_of(HOUSE), "names", "Passing")
    assert house.call("draft", {"name_id": text}, who="nurse").status == 200
    clean(house)
    assert entry(house, "names", "Passing")


def test_a_touch_beside_the_clean_up_wins(house: House) -> None:
    house.call("draft", {"name": "Passing"})
    house.refresh()
    house.wait(days=91)
    house.save(name="Ada")
    text, delete_older = text_id(secret_of(HOUSE), "names", "Passing"), Table.delete_older
    touched = []

    def touch_first(table: Table, key: keys.Key, attribute: str, before: int) -> bool:
        if key == keys.text(HOUSE, "names", text):
            house.aws.dynamodb.update_item(
                TableName=house.table.name,
                Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
                UpdateExpression="SET used_at = :now",
                ExpressionAttributeValues={":now": {"N": str(int(house.now.timestamp()))}},
            )
            touched.append(key)
        return delete_older(table, key, attribute, before)

    with patch.object(Table, "delete_older", touch_first):
        house.refresh()
    assert touched
    assert entry(house, "names", "Passing")


def test_a_text_that_has_gone_out_of_use_can_be_sent_back_for_thirty_days(house: House) -> None:
    persona_id = house.save(name="Ada")
    house.save(name="Bea")
    house.refresh()
    house.wait(days=45)
    house.call("delete", {"persona_ids": [persona_id]})
    house.refresh()
    for _ in range(3):
        clean(house)
        assert entry(house, "names", "Ada")
    clean(house)
    assert entry(house, "names", "Ada") is None
    assert entry(house, "names", "Bea")


def test_the_clean_up_goes_on_where_it_ran_out_of_time(house: House) -> None:
    house.call("draft", {"examples": [f"Hm {each}." for each in range(50)]})
    house.refresh()
    house.wait(days=91)
    house.save(name="Ada")
    # The rebuild asks for the time once, the clean-up before it begins and before each wave of 32 parts.
    with patch.object(Deadline, "has_time_for_another_item", side_effect=[True, True, True, True, False]):
        house.refresh()
    stopped = left(house)
    assert stopped == 64
    gone = [entry(house, "examples", f"Hm {each}.") is None for each in range(50)]
    assert any(gone)
    assert not all(gone)
    assert house.work_through_queue() == 1
    assert left(house) is None
    assert all(entry(house, "examples", f"Hm {each}.") is None for each in range(50))
    assert house.work_through_queue() == 0


def test_no_clean_up_before_the_week_is_over(house: House) -> None:
    house.save(name="Ada")
    house.refresh()
    house.wait(days=6)
    house.save(name="Bea")
    house.requests.clear()
    house.refresh()
    assert house.requests.count("Query") < 10
    assert timedelta(days=7) == REBUILD_EVERY


def test_a_drafter_is_listed_once_a_day_before_the_draft(house: House) -> None:
    first = house.call("draft", {"name": "One"}, who="nurse").body
    assert DraftStore(house.table).drafters(HOUSE) == [NURSE]
    house.requests.clear()
    house.call("draft", {"input_draft_id": first["draft_id"], "expected_version": 1, "name": "Two"}, who="nurse")
    assert "PutItem" not in house.requests
    house.restart()
    house.requests.clear()
    blocks: list[int] = []
    run = Parallel.run

    def counted[T](parallel: Parallel, calls: list[object]) -> list[object]:
        blocks.append(len(calls))
        return run(parallel, calls)

    with patch.object(Parallel, "run", counted):
        house.call("draft", {"input_draft_id": first["draft_id"], "expected_version": 2, "name": "Two"}, who="nurse")
    assert "PutItem" in house.requests
    # The catalogue and the mention, side by side; then the text, whose id follows from what comes with the catalogue.
    assert blocks == [2, 1]
    house.wait(days=93)
    assert DraftStore(house.table).drafters(HOUSE) == []
    assert timedelta(days=1) == LISTED_EVERY


def test_no_draft_is_saved_whose_drafter_cannot_be_listed(house: House) -> None:
    with patch.object(Table, "put_plain", side_effect=Unavailable("busy")):
        assert house.call("draft", {"name": "One"}).status == 503
    assert house.call("drafts").body["entries"] == []
    assert house.call("draft", {"name": "Two"}).status == 200
    assert DraftStore(house.table).drafters(HOUSE) == [named("profiles", "root")]


def test_objects_that_a_dead_refresh_left_are_superseded(house: House) -> None:
    house.save(name="Ada")
    house.refresh()
    bucket, s3 = house.aws.names["Bucket"], house.aws.s3
    lost = [f"views/{HOUSE}/{view}/20260101T000000-12345678" for view in (TEXTS_VIEW, "personas_export")]
    other = "views/another/personas_texts/20260101T000000-12345678"
    for key in (*lost, other):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    def superseded(key: str) -> bool:
        return bool(s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])

    house.wait(days=6)
    house.save(name="Bea")
    house.refresh()
    assert not any(map(superseded, lost))
    house.wait(days=2)
    house.save(name="Cy")
    house.refresh()
    assert all(map(superseded, lost))
    assert not superseded(other)
    for view in (TEXTS_VIEW, MOST_USED_VIEW, "personas_search", "personas_export"):
        assert not superseded(house.pointer(view))
    assert house.call("get", {"descriptions_search": "x"}).status == 200


def test_the_directory_and_the_view_agree_on_thirty_days() -> None:
    assert timedelta(days=30) == KEPT == KEPT_UNUSED
