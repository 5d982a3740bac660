"""A group whose item collection has reached DynamoDB's 10 GB: told as what it is, and a way out stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import pytest

from support import background
from support.environments import Environment, refusing
from support.views import Views
from support.world import GROUP, NEEDED, World, fault

FULL: Final = "ItemCollectionSizeLimitExceededException"


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


@contextmanager
def full() -> Iterator[None]:
    """Have DynamoDB refuse what makes the group larger."""
    with refusing("PutItem", code=FULL), refusing("UpdateItem", code=FULL):
        yield


def test_one_item_is_answered_by_an_error_of_its_own(env: Environment) -> None:
    with full():
        answer = env.call("create", {"personas": [NEEDED]})
    assert fault(answer) == (409, "group_full")
    assert "Retry-After" not in answer.headers


def test_each_of_several_items_tells_it(env: Environment) -> None:
    with full():
        answer = env.call("create", {"personas": [NEEDED, NEEDED]})
    assert answer.status == 200
    assert [result["code"] for result in answer.body["results"]] == ["group_full"] * 2


def test_so_is_a_draft(env: Environment) -> None:
    with full():
        assert fault(env.call("draft", {"name": "Ada"})) == (409, "group_full")


def test_it_is_refreshed_though_it_has_no_room_for_a_claim(env: Environment, world: World) -> None:
    # Given what the views do not have yet
    env.save(name="Ada")
    # When the group is refreshed where there is no room for a claim
    with refusing("PutItem", code=FULL, naming="ends_at"):
        env.refresh()
    # Then
    Views(world).agree()


def test_it_is_queued_though_it_has_no_room_for_a_note(env: Environment) -> None:
    env.save(name="Ada")
    with refusing("PutItem", code=FULL, naming="times"):
        assert env.invoke("refresh", background.schedule()) == {"queued": 1}


def test_what_makes_it_smaller_is_done_though_the_group_cannot_be_marked(env: Environment, world: World) -> None:
    # Given a persona in a group that is not marked
    persona_id = env.save(name="Ada")
    env.services.groups.unmark(GROUP, env.clock() + timedelta(days=1))
    # When it is deleted where there is no room for a mark
    with refusing("PutItem", code=FULL, naming="due"):
        Environment(world).delete(persona_id)
    # Then
    assert Environment(world).found() == []
