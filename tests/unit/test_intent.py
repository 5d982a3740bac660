"""Tests of the distinction between one write and another, and between a repeat and the next call."""

from uuid import UUID

from personas.store.idempotency import Keyed
from personas.store.write_rule import OneTime

SCOPE = "group/profile/create"


def test_without_a_key_every_call_is_a_new_one() -> None:
    first, second = OneTime(), OneTime()

    assert first.new_id(0) != second.new_id(0)
    assert first.write_id(0) != second.write_id(0)


def test_without_a_key_an_attempt_of_the_same_write_has_the_same_id() -> None:
    intent = OneTime()

    assert intent.write_id(3) == intent.write_id(3)
    assert intent.write_id(3) != intent.write_id(4)


def test_a_repeat_under_a_key_makes_the_same_ids() -> None:
    first, second = Keyed(SCOPE, "key", "body"), Keyed(SCOPE, "key", "body")

    assert [first.new_id(item) for item in range(3)] == [second.new_id(item) for item in range(3)]
    assert [first.write_id(item) for item in range(3)] == [second.write_id(item) for item in range(3)]


def test_items_of_a_call_are_told_apart() -> None:
    intent = Keyed(SCOPE, "key", "body")

    assert len({intent.new_id(item) for item in range(100)}) == 100
    assert len({intent.write_id(item) for item in range(100)}) == 100


def test_another_key_is_another_call() -> None:
    first, second = Keyed(SCOPE, "key", "body"), Keyed(SCOPE, "other", "body")

    assert first.new_id() != second.new_id()
    assert first.write_id() != second.write_id()


def test_another_scope_is_another_call() -> None:
    first, second = Keyed(SCOPE, "key", "body"), Keyed("group/other/create", "key", "body")

    assert first.new_id() != second.new_id()
    assert first.write_id() != second.write_id()


def test_another_body_cannot_pass_for_a_repeat() -> None:
    first, second = Keyed(SCOPE, "key", "body"), Keyed(SCOPE, "key", "another")

    assert first.write_id() != second.write_id()


def test_ids_are_uuids() -> None:
    for made in (OneTime().new_id(), Keyed(SCOPE, "key", "body").new_id()):
        assert str(UUID(made)) == made


def test_ids_of_writes_are_short_and_have_no_at_sign() -> None:
    # They are kept eight to an item, each before an @.
    for made in (OneTime().write_id(99), Keyed(SCOPE, "key", "body").write_id(99)):
        assert len(made) == 19
        assert "@" not in made
