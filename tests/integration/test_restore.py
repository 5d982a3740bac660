"""`personas restore`: personas as a restored copy of the table has them, for every reader to see."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from click.testing import CliRunner

from personas.domain.text import identified
from personas.runtime import Deadline
from personas.store import keys
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas_tools.cli import main
from personas_tools.restore import restore
from personas_tools.template import TableRequest
from support.aws import Aws, create_tables
from support.client import Client
from support.warm import unguarded_world, warm_client
from support.world import GROUP, NEEDED, Clock, World, result, secret_of

COPY = "restored-copy"

world = pytest.fixture(unguarded_world)
client = pytest.fixture(warm_client)
"""Somebody whose environments stay warm: what they hold must be told of every change."""


def take_copy(aws: Aws, definitions: Mapping[str, TableRequest]) -> None:
    """Create a table of the same items under another name, as a restore to this moment does."""
    create_tables(aws.dynamodb, {"PersonasTable": definitions["PersonasTable"]}, {"PersonasTable": COPY})
    for item in aws.dynamodb.scan(TableName=aws.names["PersonasTable"])["Items"]:
        aws.dynamodb.put_item(TableName=COPY, Item=item)


def run(aws: Aws, *arguments: str) -> str:
    told = CliRunner().invoke(
        main,
        ["restore", "--from-table", COPY, "--table", aws.names["PersonasTable"], "--group", GROUP, *arguments],
        catch_exceptions=False,
    )
    assert told.exit_code == 0, told.output
    return told.output


def save(client: Client, name: str) -> str:
    answer = client.call("create", {"personas": [{**NEEDED, "name": name, "description": f"{name}, as she was."}]})
    return str(result(answer)["persona_id"])


def shown(client: Client) -> dict[str, str | None]:
    """Return the result of a search: descriptions by name."""
    answer = client.call("search", {"page_size": 100})
    return {each["name"]: each["description"] for each in answer.body["personas"]}


def version(client: Client, persona_id: str) -> int:
    return int(client.call("get", {"persona_id": persona_id}).body["version"])


def test_what_was_deleted_or_changed_is_as_it_was(
    aws: Aws, client: Client, table_definitions: Mapping[str, TableRequest]
) -> None:
    # Given a copy of the table, after which one persona is deleted, one changed and one made
    gone, changed, same = (save(client, name) for name in ("Ada", "Bea", "Cleo"))
    before = shown(client)
    take_copy(aws, table_definitions)
    client.call("delete", {"persona_ids": [gone]})
    client.call("update", {"personas": [{"persona_id": changed, "description": "Spoilt."}]})
    save(client, "Dora")
    assert shown(client) == {"Bea": "Spoilt.", "Cleo": "Cleo, as she was.", "Dora": "Dora, as she was."}

    # When it is asked what would be restored, nothing changes
    assert "1 would come back, 1 reset, 1 unchanged." in run(aws, "--dry-run")
    assert "Spoilt." in shown(client).values()

    # When it is restored
    assert run(aws) == "  + Ada\n  ~ Bea\n1 came back, 1 reset, 1 unchanged.\n"

    # Then a warm search shows all of them, and what was made since; versions go on
    assert shown(client) == {**before, "Dora": "Dora, as she was."}
    assert [version(client, each) for each in (gone, changed, same)] == [3, 3, 1]

    # And a second time there is nothing to do; what came back can be saved like any other
    assert run(aws) == "0 came back, 0 reset, 3 unchanged.\n"
    assert client.call("update", {"personas": [{"persona_id": gone, "description": "Back."}]}).status == 200


def test_one_persona_alone(aws: Aws, client: Client, table_definitions: Mapping[str, TableRequest]) -> None:
    # Given two personas that are deleted after the copy
    ids = [save(client, name) for name in ("Ada", "Bea")]
    take_copy(aws, table_definitions)
    client.call("delete", {"persona_ids": ids})

    # When only one is asked for
    run(aws, "--persona", ids[1])

    # Then only that one is back
    assert list(shown(client)) == ["Bea"]


def test_a_restoration_that_takes_long_is_not_forgotten(
    aws: Aws, world: World, client: Client, table_definitions: Mapping[str, TableRequest]
) -> None:
    # Given a copy of a table whose personas were deleted since
    ids = [save(client, name) for name in ("Ada", "Bea")]
    take_copy(aws, table_definitions)
    client.call("delete", {"persona_ids": ids})
    clock, groups = Clock(), GroupStore(world.table)
    source, table = (Table(aws.dynamodb, name, clock, Deadline()) for name in (COPY, world.table.name))

    # When the mark of the restoration is taken away while it is at work
    def be_slow(_persona_id: str) -> bool:
        clock.passes(minutes=2)
        groups.unmark(GROUP, clock() + timedelta(seconds=1))
        return True

    restore(source, table, GROUP, be_slow)

    # Then the schedule knows of what was written since
    assert groups.is_marked(GROUP)


def test_the_ids_of_texts_stay_those_of_the_group(
    aws: Aws, world: World, client: Client, table_definitions: Mapping[str, TableRequest]
) -> None:
    # Given a copy of the table, and a table that has lost the group's record
    gone = save(client, "Ada")
    before = world.persona(gone)
    take_copy(aws, table_definitions)
    client.call("delete", {"persona_ids": [gone]})
    forget_record(world)

    # When the persona is restored
    run(aws)

    # Then its texts have the ids that they had, and so has the same text of somebody else
    assert world.persona(gone).form.texts == before.form.texts
    assert GroupStore(world.table).read(GROUP).text_secret == secret_of(GROUP)


def test_texts_get_the_ids_of_a_group_that_was_founded_anew(
    aws: Aws, world: World, client: Client, table_definitions: Mapping[str, TableRequest]
) -> None:
    # Given a copy of the table, and a table whose group has been founded again since
    gone = save(client, "Ada")
    take_copy(aws, table_definitions)
    client.call("delete", {"persona_ids": [gone]})
    forget_record(world)
    secret = GroupStore(world.table).ensure_secret(GROUP)

    # When the persona is restored
    run(aws)

    # Then its texts go by the ids that the same texts get now
    assert world.persona(gone).name == identified(secret, "names", "Ada")
    assert "0 came back, 0 reset, 1 unchanged." in run(aws)


def forget_record(world: World) -> None:
    key = keys.group(GROUP)
    world.aws.dynamodb.delete_item(TableName=world.table.name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
