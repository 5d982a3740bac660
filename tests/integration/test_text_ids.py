"""Ids of texts: the same for the same text of a group, and not to be computed by who does not know its secret."""

import base64
from collections.abc import Iterator
from unittest.mock import patch
from uuid import UUID

import pytest

from personas.contract.persona_fields import TextKind
from personas.domain.catalogue import TEXT_IDS
from personas.domain.text import NAMESPACE, resource_id, text_id
from personas.errors import Unavailable
from personas.store import keys
from personas.store.groups import GroupStore
from personas.store.keys import Key
from personas.store.table import Table
from personas_tools.library_store import Entry
from support.client import Answer
from support.world import CARE, GROUP, NEEDED, OTHER_GROUP, SALES, World, fault, result, secret_of

FRESH = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e03"
"""A group that is not founded yet."""

FIELDS = {"names": "name_id", "descriptions": "description_id", "instructions": "instructions_id"}


class TestGuessing:
    @pytest.mark.parametrize("kind", ["names", "descriptions", "instructions"])
    def test_a_guessed_text_of_another_department_is_not_confirmed(self, world: World, kind: TextKind) -> None:
        # Given a persona that only another department sees
        guess = "Merger with Initech"
        world.save(department_ids=[SALES], **{FIELDS[kind].removesuffix("_id"): guess})

        # When its text is guessed, and an id is computed of all that is known
        guessed = [resource_id(GROUP, kind, guess), *(text_id(key, kind, guess) for key in (b"", GROUP.encode()))]
        answers = [world.client("coach").call("draft", {FIELDS[kind]: each}) for each in guessed]

        # Then the id names nothing
        assert [fault(answer) for answer in answers] == [(422, "invalid")] * 3

    def test_groups_have_ids_of_their_own(self) -> None:
        assert text_id(secret_of(GROUP), "names", "Ada") != text_id(secret_of(OTHER_GROUP), "names", "Ada")

    def test_kinds_have_ids_of_their_own(self) -> None:
        assert text_id(secret_of(GROUP), "names", "Ada") != text_id(secret_of(GROUP), "examples", "Ada")

    def test_they_are_uuids_of_the_version_for_ids_of_ones_own(self) -> None:
        made = UUID(text_id(secret_of(GROUP), "names", "Ada"))

        assert (made.version, made.variant) == (8, UUID(int=0x8000 << 48).variant)
        assert made != NAMESPACE


class TestFounding:
    def test_a_group_has_one_secret(self, world: World) -> None:
        first = GroupStore(world.table).ensure_secret(FRESH)

        assert len(first) == 32
        assert GroupStore(world.table).ensure_secret(FRESH) == first
        assert GroupStore(world.table).text_secret(FRESH) == first

    def test_two_at_once_get_the_same(self, world: World) -> None:
        others: list[bytes] = []
        get = Table.get

        def overtaken(table: Table, key: Key) -> object:
            item = get(table, key)
            if not others:
                others.append(b"")
                others[0] = GroupStore(world.table).ensure_secret(FRESH)
            return item

        with patch.object(Table, "get", overtaken):
            own = GroupStore(world.table).ensure_secret(FRESH)

        assert own == others[0]
        assert GroupStore(world.table).text_secret(FRESH) == own

    def test_a_lost_answer_and_a_repeat_get_the_same(self, world: World) -> None:
        put = Table.put

        def lost(table: Table, *args: object, **kwargs: object) -> object:
            put(table, *args, **kwargs)
            raise Unavailable("The answer got lost.")

        with patch.object(Table, "put", lost), pytest.raises(Unavailable):
            GroupStore(world.table).ensure_secret(FRESH)
        stored = GroupStore(world.table).read(FRESH).text_secret

        assert stored is not None
        assert GroupStore(world.table).ensure_secret(FRESH) == stored

    def test_whoever_writes_the_record_keeps_it(self, world: World) -> None:
        before = GroupStore(world.table).ensure_secret(FRESH)
        groups = GroupStore(world.table)

        world.resources.put(FRESH, Entry("group", FRESH, {"name": "Fresh", "ai_generate": ["names"]}), "settings")
        groups.swap(FRESH, groups.read(FRESH), {"snapshots": {}}, "refresh")

        assert groups.read(FRESH).row["name"] == "Fresh"
        assert groups.ensure_secret(FRESH) == before

    def test_a_profile_founds_its_group(self, world: World) -> None:
        world.aws.dynamodb.delete_item(
            TableName=world.table.name,
            Key={"pk": {"S": keys.group(GROUP).pk}, "sk": {"S": keys.group(GROUP).sk}},
        )

        world.profile("root")

        assert GroupStore(world.table).read(GROUP).text_secret is not None


def test_the_secret_is_in_no_answer_and_in_no_log(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = world.client("root")

    def told() -> Iterator[Answer]:
        made = client.call("create", {"personas": [{**NEEDED, "department_ids": [CARE]}]})
        persona_id = result(made)["persona_id"]
        yield made
        yield client.call("draft", {"name": "Ada"})
        for operation, body in {
            "refresh": {},
            "get": {"persona_id": persona_id, "instructions_search": "ask"},
            "search": {},
            "update": {"personas": [{"persona_id": persona_id, "name": "Bo"}]},
            "duplicate": {"persona_id": persona_id},
            "drafts": {},
            "docs": {"entity_id": persona_id},
            "export": {},
            "delete": {"persona_ids": [persona_id]},
        }.items():
            yield client.call(operation, body)

    with caplog.at_level("INFO"):
        answers = list(told())

    assert all(answer.status == 200 for answer in answers)
    secret = secret_of(GROUP)
    forms = [secret.hex(), base64.b64encode(secret).decode(), str(secret)[2:-1], TEXT_IDS]
    printed = capsys.readouterr()
    everything = "".join([*(answer.text for answer in answers), printed.out, printed.err, caplog.text])
    assert [form for form in forms if form in everything] == []
