"""Tests of the number of profiles to which a persona is assigned: every caller sees the true number.

Through every order of assigning, deleting, coming back and taking away.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count, permutations
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from personas.domain.profile import Profile
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas_tools.cli import main
from personas_tools.profile_store import ProfileWriter
from personas_tools.scenario_casts import personas_named
from personas_tools.template import TableRequest
from support.aws import create_tables
from support.faults import Faults, closed, lost_after, passed, preceded, then, to
from support.transport import Handlers, connect
from support.world import GROUP, World, entry_id

PERSONA_ID: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2ea1"
COPY: Final = "restored-copy"

type Run = Callable[..., Result]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command, on the handlers or on their table."""
    connect(monkeypatch, Handlers(world.client()))

    def invoke(*arguments: str) -> Result:
        table = ("--table", world.aws.names["PersonasTable"])
        where = ("--key", world.key("root")) if arguments[0] == "import" else table
        told = CliRunner().invoke(main, [*arguments, *where], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told

    return invoke


def put(world: World, who: str, *persona_ids: str) -> None:
    profile = Profile(id=entry_id("profiles", who), group_id=GROUP, name=who, role="learner")
    world.profiles.put_profile(profile, persona_ids, uuid4().hex)


def create(world: World) -> None:
    world.save(id=PERSONA_ID, name="Ada")


def delete_assigned(world: World) -> None:
    """Make a persona, name it in a profile, and delete it."""
    create(world)
    put(world, "kim", PERSONA_ID)
    world.delete(PERSONA_ID)


def counts(world: World) -> dict[str, int]:
    """Return the counts by name that a search tells in an environment that holds nothing yet."""
    world.restart()
    client, found = world.client(), dict[str, int]()
    while True:
        answer = client.call("search", {"page_size": 100, "page_offset": len(found)})
        assert answer.status == 200, answer.text
        found |= {row["name"]: row["num_profiles"] for row in answer.body["personas"]}
        if len(found) == answer.body["total_count"]:
            return found


def told(world: World, name: str = "Ada") -> int:
    """Return the count that a search tells of one persona in an environment that holds nothing yet."""
    return counts(world)[name]


def test_the_documented_sequence(world: World, run: Run, tmp_path: Path) -> None:
    # Given two personas, imported from a file, and a profile that one is assigned to
    file = tmp_path / "group.csv"
    file.write_text("name,color,icon,instructions\nAda,Teal,Star,Listen.\nBo,Teal,Star,Listen.\n", encoding="utf-8")
    run("import", str(file))
    assign = ("profile", "put", "--group", GROUP, "--name", "Kim", "--role", "learner")
    run(*assign, "--persona", "Ada")
    # When it is deleted and comes back by the same file
    (ada,) = personas_named(world.table, GROUP)["ada"]
    world.delete(ada)
    assert list(counts(world)) == ["Bo"]
    told = run("import", str(file))
    # Then the profile that names it counts
    assert "1 created" in told.output
    assert personas_named(world.table, GROUP)["ada"] == [ada]
    assert counts(world) == {"Ada": 1, "Bo": 0}
    # When the assignment is taken away
    run(*assign)
    # Then it does not count any more, and the whole group can be searched, refreshed and exported
    assert counts(world) == {"Ada": 0, "Bo": 0}
    assert world.client().call("refresh").status == 200
    assert world.client().call("export", {}).body["row_count"] == 2
    assert counts(world) == {"Ada": 0, "Bo": 0}


def test_every_order(world: World) -> None:
    # Given a persona for each order in which it can be assigned, taken away, deleted and made again
    orders = list(permutations(("assign", "take away", "delete", "make")))
    due = {", ".join(order): _walked(world, order) for order in orders}
    # When all of them are searched
    # Then as many profiles are counted as name the persona
    assert counts(world) == due


def _walked(world: World, order: Sequence[str]) -> int:
    """Take the steps of an order that can be taken, and make the persona again; how many profiles name it then."""
    name = ", ".join(order)
    persona_id = world.save(name=name)
    put(world, f"lee {name}", persona_id)
    stands, named = True, False
    for step in order:
        if step == "delete":
            world.delete(persona_id)
            stands = False
        elif step == "make" and not stands:
            world.save(id=persona_id, name=name)
            stands = True
        elif step == "take away":
            put(world, f"kim {name}")
            named = False
        elif step == "assign" and stands:
            put(world, f"kim {name}", persona_id)
            named = True
        elif step == "assign":
            with pytest.raises(LookupError):
                put(world, f"kim {name}", persona_id)
    if not stands:
        world.save(id=persona_id, name=name)
    return 1 + named


@pytest.mark.parametrize("tombstone_is_left", [True, False])
def test_restored(
    world: World, run: Run, table_definitions: Mapping[str, TableRequest], tombstone_is_left: bool
) -> None:
    # Given a copy of the table in which nobody is assigned, and three copies were made
    create(world)
    for _ in range(3):
        world.client().call("duplicate", {"persona_id": PERSONA_ID})
    create_tables(world.aws.dynamodb, {"PersonasTable": table_definitions["PersonasTable"]}, {"PersonasTable": COPY})
    try:
        for item in world.aws.dynamodb.scan(TableName=world.aws.names["PersonasTable"])["Items"]:
            world.aws.dynamodb.put_item(TableName=COPY, Item=item)
        # When the persona is assigned, deleted, restored, and the assignment taken away
        if tombstone_is_left:
            put(world, "kim", PERSONA_ID)
        world.delete(PERSONA_ID)
        if not tombstone_is_left:
            raw = keys.persona(GROUP, PERSONA_ID).attributes()
            world.aws.dynamodb.delete_item(
                TableName=world.aws.names["PersonasTable"], Key={name: {"S": value} for name, value in raw.items()}
            )
        run("restore", "--from-table", COPY, "--group", GROUP)
        restored = told(world)
        put(world, "kim")
    finally:
        world.aws.dynamodb.delete_table(TableName=COPY)
    # Then the profile counted as long as it named the persona, and the next copy is the fourth
    assert (restored, told(world)) == (int(tombstone_is_left), 0)
    assert "'Ada Copy 4'" in world.client().call("duplicate", {"persona_id": PERSONA_ID}).body["message"]


def test_the_next_copy_of_one_that_came_back_has_a_name_of_its_own(world: World) -> None:
    # Given a persona with two copies that is deleted and made again
    create(world)
    for _ in range(2):
        world.client().call("duplicate", {"persona_id": PERSONA_ID})
    world.delete(PERSONA_ID)
    create(world)
    # When it is copied
    answer = world.client().call("duplicate", {"persona_id": PERSONA_ID})
    # Then the copies are counted on
    assert "'Ada Copy 3'" in answer.body["message"]


class TestTombstone:
    """Tests of a tombstone, which lasts as long as a profile names its persona."""

    def expiry(self, world: World) -> object:
        item = world.table.get(keys.persona(GROUP, PERSONA_ID))
        assert item is not None
        return item.get("expires_at")

    def test_never_expires_while_a_profile_names_the_persona(self, world: World) -> None:
        create(world)
        put(world, "kim", PERSONA_ID)
        put(world, "lee", PERSONA_ID)
        world.delete(PERSONA_ID)
        put(world, "kim")
        assert self.expiry(world) is None

    def test_expires_once_none_does(self, world: World) -> None:
        delete_assigned(world)
        before = int(world.table.now().timestamp())
        put(world, "kim")
        expiry = self.expiry(world)
        assert isinstance(expiry, int)
        assert expiry >= before + 30 * 24 * 60 * 60


class TestMeanwhile:
    """Events between the reads of a write and its taking effect."""

    @pytest.fixture
    def faults(self, world: World, monkeypatch: pytest.MonkeyPatch) -> Faults:
        return Faults.installed(monkeypatch)

    def test_taken_away_while_it_is_made_again(self, world: World, faults: Faults) -> None:
        # Given a deleted persona that a profile names
        delete_assigned(world)
        # When the assignment is taken away after create has read the tombstone
        faults.plan(to("PutItem", "persona#"), preceded(lambda: put(world, "kim"), passed))
        create(world)
        # Then it does not count
        assert told(world) == 0

    def test_made_again_while_it_is_taken_away(self, world: World, faults: Faults) -> None:
        # Given a deleted persona that a profile names
        delete_assigned(world)
        # When it is made again after the profile's write has read the tombstone
        faults.plan(to("TransactWriteItems"), preceded(lambda: create(world), passed))
        put(world, "kim")
        # Then it does not count
        assert told(world) == 0

    def test_assigned_while_it_is_deleted(self, world: World, faults: Faults) -> None:
        # Given a persona
        create(world)
        # When it is assigned after delete has read it
        faults.plan(to("UpdateItem", "persona#"), preceded(lambda: put(world, "kim", PERSONA_ID), passed))
        world.delete(PERSONA_ID)
        create(world)
        # Then it counts
        assert told(world) == 1

    def test_a_lost_answer_counts_once(self, world: World, faults: Faults) -> None:
        # Given a deleted persona that a profile names
        delete_assigned(world)
        # When the answer to the removal is lost, and the persona made again before the next attempt
        faults.plan(to("TransactWriteItems"), then(lost_after(closed()), lambda: create(world)))
        put(world, "kim")
        # Then it is taken away once
        assert (told(world), faults.pending) == (0, 0)

    def test_who_always_comes_too_late_is_told(self, world: World, faults: Faults) -> None:
        # Given a persona that somebody updates whenever it is about to be assigned
        create(world)
        tale = count()

        def update() -> None:
            body = {"personas": [{"persona_id": PERSONA_ID, "description": f"Tale {next(tale)}."}]}
            assert world.client().call("update", body).status == 200

        faults.plan(to("TransactWriteItems"), *[preceded(update, passed)] * 3)
        # When it is assigned
        with pytest.raises(ConditionFailed):
            put(world, "kim", PERSONA_ID)
        # Then nothing is counted, and no profile stored
        assert told(world) == 0
        _, profiles = ProfileWriter(world.table).read(None, [entry_id("profiles", "kim")])
        assert profiles == {}
