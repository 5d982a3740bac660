"""The upkeep of the weekly rebuild: the text directory, and what nobody needs in S3."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from unittest.mock import patch

import pytest

from personas.contract.persona_fields import TextKind
from personas.errors import Unavailable
from personas.operations.refresh_pass import CLEAN_UP, REBUILD_EVERY
from personas.runtime import Deadline, utc_now
from personas.store import keys
from personas.store.drafts import LISTED_EVERY
from personas.store.table import Table
from personas.store.texts import KEPT_UNUSED
from personas.views.text_usage import KEPT
from support.background import messages
from support.environments import Environment, Steps
from support.in_order import InOrder
from support.world import GROUP, PEOPLE, Clock, World, text_id


@pytest.fixture
def clock() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def env(world: World, clock: Clock) -> Environment:
    return Environment(world, clock)


def entry(env: Environment, kind: TextKind, text: str) -> object:
    """Return the directory's entry of a text, or None."""
    return env.services.table.get(keys.text(GROUP, kind, text_id(kind, text)))


def clean(env: Environment, clock: Clock) -> None:
    """Change the group and refresh it after the week is over."""
    clock.passes(days=8)
    env.save(name="Week", instructions="Ask.")
    env.refresh()
    assert left(env) is None


def left(env: Environment) -> object:
    """Return the place in the group's record from which the clean-up goes on."""
    return env.services.groups.read(GROUP).row.get(CLEAN_UP)


def work_through_queue(env: Environment, world: World) -> int:
    """Have refresh work through what is queued; how many messages there were."""
    groups = world.queued()
    if groups:
        assert env.invoke("refresh", messages(*groups)) == {"batchItemFailures": []}
    return len(groups)


def test_a_text_that_nobody_uses_is_removed_after_thirty_days(env: Environment, clock: Clock) -> None:
    env.call("draft", {"name": "Passing", "examples": ["Hm."]})
    env.save(name="Ada", examples=["Stays."])
    env.refresh()
    clock.passes(days=91)  # the draft is over
    clean(env, clock)
    assert entry(env, "names", "Passing") is None
    assert entry(env, "examples", "Hm.") is None
    kept: list[tuple[TextKind, str]] = [("names", "Ada"), ("examples", "Stays."), ("instructions", "Ask.")]
    for kind, text in [*kept, ("names", "Week")]:
        assert entry(env, kind, text), text


def test_what_a_live_draft_holds_stays(env: Environment, clock: Clock) -> None:
    made = env.call("draft", {"name": "In hand", "description": "D", "instructions": "I", "examples": ["E", "F"]})
    env.call("draft", {"name": "His"}, who="coach")
    env.refresh()
    clock.passes(days=60)
    patched = {"input_draft_id": made.body["draft_id"], "expected_version": 1, "voice_ids": []}
    assert env.call("draft", patched).status == 200
    clock.passes(days=25)
    clean(env, clock)
    kept: list[tuple[TextKind, str]] = [("names", "In hand"), ("descriptions", "D"), ("instructions", "I")]
    for kind, text in [*kept, ("examples", "E"), ("examples", "F")]:
        assert entry(env, kind, text), text
    assert entry(env, "names", "His") is None  # his draft is over after 90 days
    state = made.body["form_state"]
    sent = {name: state[name] for name in ("name_id", "description_id", "instructions_id", "example_ids")}
    assert env.call("draft", sent).status == 200


def test_a_touched_text_stays(env: Environment, clock: Clock) -> None:
    env.call("draft", {"name": "Passing"})
    env.refresh()
    clock.passes(days=91)
    text = text_id("names", "Passing")
    assert env.call("draft", {"name_id": text}, who="coach").status == 200
    clean(env, clock)
    assert entry(env, "names", "Passing")


def test_a_touch_beside_the_clean_up_wins(env: Environment, clock: Clock, world: World) -> None:
    env.call("draft", {"name": "Passing"})
    env.refresh()
    clock.passes(days=91)
    env.save(name="Ada")
    text, delete_older = text_id("names", "Passing"), Table.delete_older
    touched = []

    def touch_first(table: Table, key: keys.Key, attribute: str, before: int) -> bool:
        if key == keys.text(GROUP, "names", text):
            world.set(key, "used_at", int(clock.moment.timestamp()))
            touched.append(key)
        return delete_older(table, key, attribute, before)

    with patch.object(Table, "delete_older", touch_first):
        env.refresh()
    assert touched
    assert entry(env, "names", "Passing")


def test_a_text_that_has_gone_out_of_use_can_be_sent_back_for_thirty_days(env: Environment, clock: Clock) -> None:
    persona_id = env.save(name="Ada")
    env.save(name="Bea")
    env.refresh()
    clock.passes(days=45)
    env.delete(persona_id)
    env.refresh()
    for _ in range(3):
        clean(env, clock)
        assert entry(env, "names", "Ada")
    clean(env, clock)
    assert entry(env, "names", "Ada") is None
    assert entry(env, "names", "Bea")


def test_the_clean_up_goes_on_where_it_ran_out_of_time(env: Environment, clock: Clock, world: World) -> None:
    env.call("draft", {"examples": [f"Hm {each}." for each in range(50)]})
    env.refresh()
    clock.passes(days=91)
    env.save(name="Ada")
    # The rebuild asks for the time once, the clean-up before it begins and before each wave of 32 parts.
    with patch.object(Deadline, "has_time_for_another_item", side_effect=[True, True, True, True, False]):
        env.refresh()
    stopped = left(env)
    assert stopped == 64
    gone = [entry(env, "examples", f"Hm {each}.") is None for each in range(50)]
    assert any(gone)
    assert not all(gone)
    assert work_through_queue(env, world) == 1
    assert left(env) is None
    assert all(entry(env, "examples", f"Hm {each}.") is None for each in range(50))
    assert work_through_queue(env, world) == 0


def test_no_clean_up_before_the_week_is_over(env: Environment, clock: Clock) -> None:
    env.save(name="Ada")
    env.refresh()
    clock.passes(days=6)
    env.save(name="Bea")
    with env.stepping(Steps()) as steps:
        env.refresh()
    assert [request.operation for request in steps.requests].count("Query") < 10
    assert timedelta(days=7) == REBUILD_EVERY


def test_a_drafter_is_listed_once_a_day_before_the_draft(env: Environment, clock: Clock) -> None:
    # Given somebody who has begun a draft, and is listed
    first = env.call("draft", {"name": "One"}, who="coach").body
    assert env.services.drafts.drafters(GROUP) == [PEOPLE["coach"].id]

    # When the draft is patched by the environment that listed the drafter, and by another one
    def patched(env: Environment, version: int) -> list[str]:
        body = {"input_draft_id": first["draft_id"], "expected_version": version, "name": "Two"}
        with env.stepping(Steps()) as steps:
            assert env.call("draft", body, who="coach").status == 200
        return [request.operation for request in steps.requests]

    by_the_same = patched(env, 1)
    another, blocks = Environment(env.world, clock), list[int]()
    run = InOrder.run

    def counted[T](in_order: InOrder, calls: Sequence[Callable[[], T]]) -> list[T]:
        blocks.append(len(calls))
        return run(in_order, calls)

    with patch.object(InOrder, "run", counted):
        by_another = patched(another, 2)

    # Then the other one lists the drafter again
    assert "PutItem" not in by_the_same
    assert "PutItem" in by_another
    # The catalogue and the mention, side by side; then the text, whose id follows from what comes with the catalogue.
    assert blocks == [2, 1]
    clock.passes(days=93)
    assert env.services.drafts.drafters(GROUP) == []
    assert timedelta(days=1) == LISTED_EVERY


def test_no_draft_is_saved_whose_drafter_cannot_be_listed(env: Environment) -> None:
    with patch.object(Table, "put_plain", side_effect=Unavailable("busy")):
        assert env.call("draft", {"name": "One"}).status == 503
    assert env.call("drafts").body["entries"] == []
    assert env.call("draft", {"name": "Two"}).status == 200
    assert env.services.drafts.drafters(GROUP) == [PEOPLE["root"].id]


def test_the_directory_and_the_view_agree_on_thirty_days() -> None:
    assert timedelta(days=30) == KEPT == KEPT_UNUSED
