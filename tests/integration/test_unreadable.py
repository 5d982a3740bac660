"""One item that cannot be read keeps nobody from the others: it is left out, logged, counted, and can be mended.

Every kind of broken item is planted for every kind of record; then each operation must answer with all the rest.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from click.testing import CliRunner

from personas import observability
from personas.domain.catalogue import TEXT_IDS
from personas.domain.profile import Profile
from personas.domain.text import Reference
from personas.identity import digest_of
from personas.store import keys
from personas.store.groups import GroupStore
from personas.store.keys import Key
from personas_tools.cli import main
from personas_tools.template import TableRequest
from support.aws import create_tables
from support.environments import Environment, Steps
from support.exported import cells, content
from support.world import CARE, GROUP, NEEDED, PEOPLE, PLUM, World, entry_id, secret_of, text_id

COPY: Final = "restored-copy"

type Raw = dict[str, Any]
"""An item as DynamoDB has it."""
type Break = Callable[[Raw], None]


def packed(content: bytes) -> Raw:
    return {"B": zlib.compress(content)}


def put(name: str, value: Raw, *within: str) -> Break:
    """Return a break that replaces an attribute, of the item or of maps within."""

    def act(item: Raw) -> None:
        for each in within:
            item = item[each]["M"]
        item[name] = value

    return act


def drop(name: str, *within: str) -> Break:
    """Return a break that removes an attribute."""

    def act(item: Raw) -> None:
        for each in within:
            item = item[each]["M"]
        del item[name]

    return act


def cut(item: Raw) -> None:
    item["texts"] = {"B": item["texts"]["B"][:-7]}


NOTHING: Final = {"NULL": True}
BOMB: Final = packed(b'["' + b"x" * 50_000_000 + b'",[]]')

BROKEN_ROWS: Final[Mapping[str, Break]] = {
    "no row": drop("row"),
    "a row that is a string": put("row", {"S": "Ada"}),
    "no name": drop("n", "row"),
    "a name that is a number": put("n", {"N": "1"}, "row"),
    "a negative number of profiles": put("np", {"N": "-1"}, "row"),
    "a number of profiles too high": put("np", {"N": "99999999999999999999"}, "row"),
    "half a profile": put("np", {"N": "1.5"}, "row"),
    "a number of profiles in words": put("np", {"S": "one"}, "row"),
    "departments that are no ids": put("dp", {"L": [{"N": "1"}]}, "row"),
    "departments that are a set": put("dp", {"SS": [CARE]}, "row"),
    "no list of scenarios": put("sc", {"S": "all"}, "row"),
    "an id that is none": put("ni", {"S": "ada"}, "row"),
    "a time that is none": put("ut", {"S": "yesterday"}, "row"),
    "a time without a zone": put("ct", {"S": "2026-01-02T03:04:05"}, "row"),
    "a flag that is a word": put("g", {"S": "no"}, "row"),
}
"""Damage by which a persona's row is none."""
BROKEN_BODIES: Final[Mapping[str, Break]] = {
    "no texts": drop("texts"),
    "texts that are cut off": cut,
    "texts that are not compressed": put("texts", {"B": b"Be brief."}),
    "texts that are a string": put("texts", {"S": "Be brief."}),
    "texts that are not UTF-8": put("texts", packed(b'["\xff",[]]')),
    "texts that are half a surrogate pair": put("texts", packed(b'["\\ud800",[]]')),
    "texts that are not JSON": put("texts", packed(b"Be brief.")),
    "texts of another format": put("texts", packed(b'{"format": 99, "texts": []}')),
    "an example too many": put("texts", packed(b'["Be brief.",["Hello.","Who?"]]')),
    "texts that never end": put("texts", BOMB),
    "more departments than there may be": put("dp", {"L": [{"S": CARE}] * 300}, "row"),
    "copies that are no number": put("copies", {"S": "two"}),
    "no trail": drop("trail"),
    "a trail that is a string": put("trail", {"S": "w@1"}),
}
"""Damage beside the row, or in it where a search does not mind: only who reads the whole persona sees it."""
BROKEN_NUMBERS: Final[Mapping[str, Break]] = {
    "no seq": drop("seq"),
    "a seq that is a string": put("seq", {"S": "7"}),
    "a negative seq": put("seq", {"N": "-7"}),
    "a seq too high": put("seq", {"N": "9" * 38}),
}
"""Damage that hides as of when the item is."""
SOUND: Final[Mapping[str, Break]] = {
    "a field of a future version": put("zz", {"SS": ["what is to come"]}, "row"),
    "an attribute of a future version": put("format", {"N": "2.5"}),
}
"""Changes in spite of which an item can be read."""
BROKEN: Final = {**BROKEN_ROWS, **BROKEN_BODIES, **BROKEN_NUMBERS}
LISTED: Final = {"Ada", "Bo", *BROKEN_BODIES, *SOUND}
"""The personas that a search finds."""


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observability, "_named", set())


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


def tamper(world: World, key: Key, act: Break, *, table: str = "", seq: bool = True) -> None:
    """Break an item behind the service's back, and let the feed show it as a later write."""
    name = table or world.table.name
    at: Any = {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
    item: Raw = world.aws.dynamodb.get_item(TableName=name, Key=at)["Item"]
    if seq and "seq" in item:
        item["seq"] = {"N": str(int(item["seq"]["N"]) + 1)}
    if "changed" in item:
        item["changed"] = {"S": keys.stamp(item["changed"]["S"][:2], world.table.now())}
    act(item)
    world.aws.dynamodb.put_item(TableName=name, Item=item)


def planted(env: Environment) -> dict[str, str]:
    """Save the personas Ada and Bo, and one for each way to be broken, all still sound; return ids by names."""
    names = ["Ada", "Bo", *BROKEN, *SOUND]
    items = [{**NEEDED, "name": name, "examples": ["Hello."], "departments": ["Care"]} for name in names]
    answer = env.call("create", {"personas": items})
    assert answer.status == 200, answer.text
    return {name: each["persona_id"] for name, each in zip(names, answer.body["results"], strict=True)}


def break_all(env: Environment, ids: Mapping[str, str], *, table: str = "") -> None:
    for name, act in {**BROKEN, **SOUND}.items():
        tamper(env.world, keys.persona(GROUP, ids[name]), act, table=table)


def exported(env: Environment) -> set[str]:
    """Return the names in the file that an export makes."""
    answer = env.call("export", {})
    rows = cells(content(env.world, answer))
    assert len(rows) == answer.body["row_count"]
    return {row["name"] for row in rows}


def counted(capsys: pytest.CaptureFixture[str]) -> int:
    """Return how often an unreadable item was counted since the last look."""
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return sum(line["UnreadableItems"][0] for line in lines if "UnreadableItems" in line)


class TestPersonas:
    def test_a_cold_environment_answers_with_all_others(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # Given a group without views, with every kind of broken persona
        break_all(env, planted(env))
        # When a cold environment searches and exports it
        # Then each answers with all that can be read, and what cannot is counted
        for found in (lambda: set(Environment(world).found()), lambda: exported(Environment(world))):
            capsys.readouterr()
            expected = found()
            assert expected >= {"Ada", "Bo", *SOUND}
            assert expected.isdisjoint({*BROKEN_ROWS, *BROKEN_NUMBERS})
            assert counted(capsys) >= len(BROKEN_ROWS) + len(BROKEN_NUMBERS)
        assert set(Environment(world).found()) == LISTED
        assert exported(Environment(world)) == {"Ada", "Bo", *SOUND}

    def test_a_warm_environment_drops_what_can_be_read_no_longer(self, env: Environment) -> None:
        # Given an environment that holds all of them, sound
        ids = planted(env)
        assert set(env.found()) == {"Ada", "Bo", *BROKEN, *SOUND}
        # When they are broken
        break_all(env, ids)
        # Then it finds what a cold one finds, and besides what does not say that it is newer than what is held
        assert set(env.found()) - set(BROKEN_NUMBERS) == LISTED

    @pytest.mark.parametrize("warm", [True, False])
    def test_one_whose_key_holds_no_id_is_left_out(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str], warm: bool
    ) -> None:
        # Given a persona, and what looks like one under a key that is none
        key = keys.persona(GROUP, env.save(name="Ada"))
        if warm:
            env.found()
        item = world.aws.dynamodb.get_item(TableName=world.table.name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})[
            "Item"
        ]
        world.aws.dynamodb.put_item(TableName=world.table.name, Item={**item, "sk": {"S": "persona#ada"}})
        # When an environment searches
        found = (env if warm else Environment(world)).found()
        # Then it finds the persona alone, and counts the other
        assert found == ["Ada"]
        assert counted(capsys) > 0

    @pytest.mark.parametrize("with_views", [True, False])
    def test_a_refresh_makes_views_of_all_others(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str], with_views: bool
    ) -> None:
        # Given views of a group in which all could be read, or none
        ids = planted(env)
        if with_views:
            env.refresh()
        # When they are broken, and the group refreshed: from the feed, or from the table
        break_all(env, ids)
        capsys.readouterr()
        assert "personas_search" in env.refresh()
        # Then the refresh has counted them, and every view says the same as the table
        assert counted(capsys) >= len(BROKEN) - (len(BROKEN_NUMBERS) if with_views else 0)
        hidden = set(BROKEN_NUMBERS) if with_views else set()
        assert set(Environment(world).found()) - hidden == LISTED
        assert exported(Environment(world)) - hidden == {"Ada", "Bo", *SOUND}
        # And a second one has nothing to do
        assert env.refresh() == []

    def test_who_names_one_is_told(self, env: Environment) -> None:
        # Given every kind of broken persona
        ids = planted(env)
        break_all(env, ids)
        calls: list[tuple[str, Callable[[str], object]]] = [
            ("get", lambda each: {"persona_id": each}),
            ("update", lambda each: {"personas": [{"persona_id": each, "color_id": PLUM}]}),
            ("delete", lambda each: {"persona_ids": [each]}),
            ("duplicate", lambda each: {"persona_id": each}),
            ("create", lambda each: {"personas": [{**NEEDED, "id": each, "departments": ["Care"]}]}),
            ("docs", lambda each: {"entity_id": each}),
        ]
        before = env.world.contents()
        # When a superadmin, or somebody of a department, names one of them
        told = {
            (operation, who, answer.status, answer.body.get("code"))
            for operation, body in calls
            for name in BROKEN
            for who in ("root", "coach")
            for answer in [env.call(operation, body(ids[name]), who=who)]
        }
        # Then the one learns that it cannot be read, the other that there is none, but that its id is taken
        hidden = {(operation, "coach", 404, "not_found") for operation, _ in calls if operation != "create"}
        known = {(operation, "root", 409, "unreadable") for operation, _ in calls}
        assert told == known | hidden | {("create", "coach", 409, "unreadable")}
        # And nothing has become of it
        assert env.world.contents() == before

    def test_the_others_of_a_bulk_call_are_saved(self, env: Environment) -> None:
        # Given a broken persona beside a sound one
        ids = planted(env)
        break_all(env, ids)
        # When both are updated
        items = [{"persona_id": ids[name], "color_id": PLUM} for name in ("no row", "Ada", "no texts")]
        answer = env.call("update", {"personas": items})
        # Then the sound one is saved
        assert (answer.status, [each["success"] for each in answer.body["results"]]) == (200, [False, True, False])

    def test_each_is_logged_once_by_its_key_alone(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        # Given a broken persona
        ids = planted(env)
        tamper(world, keys.persona(GROUP, ids["Ada"]), put("ut", {"S": "a secret"}, "row"))
        # When it is met again and again
        for _ in range(3):
            Environment(world).found()
        # Then it was counted each time, and logged once, without what it holds
        (line,) = [record for record in caplog.records if record.getMessage() == "an item cannot be read"]
        assert line.__dict__["key"] == f"group#{GROUP} persona#{ids['Ada']}"
        assert line.__dict__["reason"] == "ValueError"
        assert "a secret" not in str(line.__dict__)
        assert counted(capsys) == 3


@pytest.fixture
def copy(world: World, table_definitions: Mapping[str, TableRequest]) -> Any:
    """Return a function that copies the table as it is, as a restore to a point in time does."""
    create_tables(world.aws.dynamodb, {"PersonasTable": table_definitions["PersonasTable"]}, {"PersonasTable": COPY})

    def take() -> None:
        for item in world.aws.dynamodb.scan(TableName=world.table.name)["Items"]:
            world.aws.dynamodb.put_item(TableName=COPY, Item=item)

    yield take
    world.aws.dynamodb.delete_table(TableName=COPY)


def operate(world: World, *command: str, given: str = "", fails: bool = False) -> str:
    """Return the output of a command of the command line about the group in the deployed table."""
    arguments = [*command, "--table", world.table.name, "--group", GROUP]
    told = CliRunner().invoke(main, arguments, input=given, catch_exceptions=False)
    assert told.exit_code == int(fails), told.output
    return told.output


def restore(world: World, *options: str) -> str:
    return operate(world, "restore", "--from-table", COPY, *options)


class TestRestore:
    def test_a_copy_that_cannot_be_read_keeps_no_other_from_coming_back(
        self, env: Environment, world: World, copy: Callable[[], None]
    ) -> None:
        # Given a copy of the table with every kind of broken persona, and a group that has lost them all
        ids = planted(env)
        copy()
        break_all(env, ids, table=COPY)
        env.delete(*ids.values())
        # When it is restored
        told = restore(world)
        # Then all others are back, and the number of the rest is printed
        assert set(Environment(world).found()) == {"Ada", "Bo", *SOUND}
        assert f"{len(BROKEN)} cannot be read" in told

    def test_what_cannot_be_read_is_mended_with_its_counts(
        self, env: Environment, world: World, copy: Callable[[], None]
    ) -> None:
        # Given personas, each assigned to a profile and copied once, and a copy of the table
        ids = planted(env)
        profile = Profile(id=entry_id("profiles", "kim"), group_id=GROUP, name="Kim", role="learner")
        world.profiles.put_profile(profile, list(ids.values()), "kim.1")
        copy()
        env.search()
        # When all kinds are broken, and restored
        break_all(env, ids)
        restore(world)
        # Then everyone reads all of them, warm or cold, and the profile that names them counts
        for reader in (env, Environment(world)):
            rows = reader.search(page_size=100)["personas"]
            assert {row["name"]: row["num_profiles"] for row in rows} == dict.fromkeys(ids, 1)
        assert exported(Environment(world)) == set(ids)
        world.profiles.put_profile(profile, [], "kim.2")
        rows = Environment(world).search(page_size=100)["personas"]
        assert {row["num_profiles"] for row in rows} == {0}


def offered(env: Environment) -> set[str]:
    """Return the ids of all entries of the catalogue that a blank form offers."""
    body = env.call("get", {}).body
    sections = [each["resources"] for each in body.values() if isinstance(each, dict) and "resources" in each]
    entries = [*body["fields"], *(entry for section in sections for entry in section)]
    return {str(entry.get("id", entry.get("department_id"))) for entry in entries}


class TestCatalogue:
    KINDS: Final[Mapping[str, tuple[str, str, Break]]] = {
        "a color without a code": ("colors", "Plum", drop("hex_code", "row")),
        "a color whose name is a number": ("colors", "Teal", put("name", {"N": "1"}, "row")),
        "an icon without a row": ("icons", "Beating heart", drop("row")),
        "a department that is a list": ("departments", "Sales", put("row", {"L": []})),
        "a voice that is null": ("voices", "Bass", put("voice", NOTHING, "row")),
        "a parameter whose fields are a word": ("parameters", "Tone", put("field_ids", {"S": "all"}, "row")),
        "a parameter that may be active": ("parameters", "Format", put("active", {"S": "maybe"}, "row")),
        "a field without a value": ("fields", "Mood/Angry", drop("value", "row")),
        "a flag without a label": ("flags", "active", drop("label", "row")),
        "a field of departments that are a set": ("fields", "Mood/Calm", put("department_ids", {"SS": ["x"]}, "row")),
    }

    def calls(self, env: Environment, persona_id: str) -> dict[str, int]:
        bodies: dict[str, object] = {
            "search": {},
            "get": {"persona_id": persona_id},
            "export": {},
            "refresh": {},
            "drafts": None,
            "draft": {"name": "Someone"},
            "docs": {},
            "duplicate": {"persona_id": persona_id},
            "update": {"personas": [{"persona_id": persona_id, "description": "Changed."}]},
        }
        return {operation: env.call(operation, body).status for operation, body in bodies.items()}

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_entry_is_left_out(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str], kind: str
    ) -> None:
        # Given a persona and an entry that breaks
        persona_id = env.save()
        entries, name, act = self.KINDS[kind]
        env.search()
        tamper(world, keys.resource(GROUP, entries, entry_id(entries, name)), act)
        # When everything is called, warm or cold
        # Then everything answers, and the entry is counted
        for reader in (env, Environment(world)):
            assert set(self.calls(reader, persona_id).values()) == {200}
            assert counted(capsys) > 0
            assert entry_id(entries, name) not in offered(reader) or entries == "flags"

    def test_an_entry_is_logged_by_its_key_and_its_fault(
        self, env: Environment, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        plum = keys.resource(GROUP, "colors", PLUM)
        tamper(world, plum, drop("hex_code", "row"))
        env.search()
        (line,) = [record for record in caplog.records if record.getMessage() == "an item cannot be read"]
        logged = line.__dict__["key"], line.__dict__["reason"]
        assert logged == (f"{plum.pk} {plum.sk}", "hex_code is not what it must be")

    @pytest.mark.parametrize(
        "act",
        [
            put("ai_generate", {"N": "1"}, "row"),
            put("snapshots", {"S": "here"}, "row"),
            put("personas_search", {"M": {"key": {"N": "1"}}}, "row", "snapshots"),
            put("watermark", {"S": "soon"}, "row", "snapshots", "personas_search"),
        ],
    )
    def test_the_groups_own_record(self, env: Environment, world: World, act: Break) -> None:
        # Given a group with views
        persona_id = env.save()
        env.refresh()
        # When its record breaks
        tamper(world, keys.group(GROUP), act)
        # Then everything answers
        assert set(self.calls(Environment(world), persona_id).values()) == {200}


class TestGroupRecord:
    WITHOUT_SECRET: Final[Mapping[str, Break]] = {
        "no row": drop("row"),
        "a row that is a string": put("row", {"S": "none"}),
        "no secret": drop(TEXT_IDS, "row"),
        "a secret that is a string": put(TEXT_IDS, {"S": "none"}, "row"),
    }
    WITH_SECRET: Final[Mapping[str, Break]] = {
        "no seq": drop("seq"),
        "a seq that is a string": put("seq", {"S": "soon"}),
        "no trail": drop("trail"),
        "a trail that is a list": put("trail", {"L": []}),
    }

    @pytest.mark.parametrize("kind", {**WITHOUT_SECRET, **WITH_SECRET})
    def test_stops_what_it_is_needed_for_alone(self, env: Environment, world: World, kind: str) -> None:
        # Given views of a group, and two environments: one that holds the group, and one that does not
        persona_id = env.save()
        env.refresh()
        # When the group's record breaks
        tamper(world, keys.group(GROUP), {**self.WITHOUT_SECRET, **self.WITH_SECRET}[kind])
        # Then a cold one cannot give texts their ids, and nobody can keep there where views lie
        cold = TestCatalogue().calls(Environment(world), persona_id)
        stopped = {"duplicate"}
        if kind in self.WITHOUT_SECRET or "seq" in kind:
            stopped |= {"draft", "update"}
        if "secret" not in kind:
            stopped |= {"refresh"}
        assert cold == {each: 409 if each in stopped else 200 for each in cold}
        # And a warm one still has the secret
        assert {env.call(each, {"name": "Anew"}).status for each in ("get", "draft")} == {200}

    @pytest.mark.parametrize("kind", WITHOUT_SECRET)
    def test_of_a_bulk_call_the_items_without_texts_are_saved(self, env: Environment, world: World, kind: str) -> None:
        # Given two personas, and a group whose record has lost the secret
        ids = [env.save(), env.save()]
        tamper(world, keys.group(GROUP), self.WITHOUT_SECRET[kind])
        # When one gets another color, and the other another text
        items = [{"persona_id": ids[0], "color_id": PLUM}, {"persona_id": ids[1], "description": "Anew."}]
        answer = Environment(world).call("update", {"personas": items})
        # Then the one is saved, and the other's result gives the reason
        told = [(each["success"], each.get("code")) for each in answer.body["results"]]
        assert (answer.status, told) == (200, [(True, None), (False, "unreadable")])

    @pytest.mark.parametrize("kind", WITH_SECRET)
    def test_an_operator_mends_it_with_its_secret(self, env: Environment, world: World, kind: str) -> None:
        # Given a record whose secret can still be read
        env.save()
        env.refresh()
        tamper(world, keys.group(GROUP), self.WITH_SECRET[kind])
        # When a profile is stored
        operate(world, "profile", "put", "--name", "Kim", "--role", "learner")
        # Then the record has all that it had, and refresh goes on
        record = GroupStore(world.table).read(GROUP)
        assert record.text_secret == secret_of(GROUP)
        assert record.pointer("personas_search") is not None
        assert Environment(world).call("refresh", {}).status == 200

    @pytest.mark.parametrize("kind", WITHOUT_SECRET)
    def test_nobody_makes_another_secret_unasked(self, env: Environment, world: World, kind: str) -> None:
        # Given a record that has lost its secret
        persona_id = env.save()
        tamper(world, keys.group(GROUP), self.WITHOUT_SECRET[kind])
        before = world.table.get(keys.group(GROUP))
        # When a profile is stored, or a library loaded
        told = [
            operate(world, "profile", "put", "--name", "Kim", "--role", "learner", fails=True),
            operate(world, "library", "load", "-", given="colors: []", fails=True),
        ]
        # Then neither is, and the operator learns why
        assert all("ids of texts" in each for each in told)
        assert world.table.get(keys.group(GROUP)) == before
        # And the record is listed, until another secret is asked for
        assert "? group" in operate(world, "unreadable")
        operate(world, "unreadable", "--new-text-ids")
        assert operate(world, "unreadable") == ""
        assert env.call("refresh", {}).status == 200
        assert set(TestCatalogue().calls(Environment(world), persona_id).values()) == {200}

    def test_a_secret_is_made_and_a_persona_removed_at_once(self, env: Environment, world: World) -> None:
        # Given a record that has lost its secret, and a persona that cannot be read
        persona_id = env.save()
        tamper(world, keys.group(GROUP), drop(TEXT_IDS, "row"))
        tamper(world, keys.persona(GROUP, persona_id), drop("trail"))
        # When an operator asks for both to be mended, then nothing is left to list
        told = operate(world, "unreadable", "--new-text-ids", "--remove", persona_id)
        assert told == f"  - {persona_id}\n"
        assert operate(world, "unreadable") == ""

    @pytest.mark.parametrize("kind", WITHOUT_SECRET)
    def test_a_copy_brings_the_secret_back(
        self, env: Environment, world: World, copy: Callable[[], None], kind: str
    ) -> None:
        # Given a copy of the table, and a record that has lost its secret
        env.save()
        copy()
        tamper(world, keys.group(GROUP), self.WITHOUT_SECRET[kind])
        # When the copy is restored
        restore(world, "--dry-run")
        restore(world)
        # Then the secret is the former one
        assert GroupStore(world.table).text_secret(GROUP) == secret_of(GROUP)

    def test_a_copy_whose_record_is_broken_is_restored(
        self, env: Environment, world: World, copy: Callable[[], None]
    ) -> None:
        # Given a copy whose record is none, and a persona that is gone
        persona_id = env.save()
        copy()
        tamper(world, keys.group(GROUP), drop("row"), table=COPY)
        env.delete(persona_id)
        # When it is restored
        restore(world)
        # Then the persona is back
        assert env.found() == ["Ada"]

    def test_texts_of_a_warm_environment_go_by_the_new_secret(self, env: Environment, world: World) -> None:
        # Given an environment that holds the former secret, and a record that has lost it
        env.search()
        env.save()
        tamper(world, keys.group(GROUP), drop(TEXT_IDS, "row"))
        operate(world, "unreadable", "--new-text-ids")
        # When the environment stores a text
        persona_id = env.save(description="Anew.")
        text = world.persona(persona_id).form.description
        # Then the text's id leads everybody to it
        assert text is not None
        cold = Environment(world)
        items = [{"persona_id": persona_id, "description_id": text.id, "color_id": PLUM}]
        assert cold.call("update", {"personas": items}).status == 200

    def test_a_refresh_that_has_made_its_views_says_so(self, env: Environment, world: World) -> None:
        # Given a group whose texts are cleaned up
        env.save()
        env.refresh()
        tamper(world, keys.group(GROUP), put("text_clean_up", {"N": "0"}, "row"))
        env.update(env.save(), description="Anew.")

        # When its record breaks as soon as it points to the views, before the group's mark is taken away
        broken = Steps.interrupted(
            0, lambda: tamper(world, keys.group(GROUP), drop("row")), lambda request: request.operation == "DeleteItem"
        )
        with env.stepping(broken):
            answer = env.call("refresh", {})
        # Then the refresh tells what it has made
        assert (answer.status, "personas_search" in answer.body["refreshed_views"]) == (200, True)


LIBRARY: Final = """
colors: [{name: Plum, hex_code: "#884488"}]
departments: [{name: Sales}]
scenarios: [{name: Ward, personas: [Ada, Bo, no texts]}]
"""


class TestCommands:
    """Tests that no unreadable item ends a command of the command line, unless the command names it."""

    @pytest.mark.parametrize("kind", [*TestCatalogue.KINDS, "a color without a name", "a color without a seq"])
    def test_an_entry_of_the_catalogue(self, env: Environment, world: World, kind: str) -> None:
        # Given an entry that cannot be read
        broken = {
            **TestCatalogue.KINDS,
            "a color without a name": ("colors", "Plum", drop("name", "row")),
            "a color without a seq": ("colors", "Plum", drop("seq")),
        }
        entries, name, act = broken[kind]
        env.save()
        tamper(world, keys.resource(GROUP, entries, entry_id(entries, name)), act)
        # When the catalogue is shown, and profiles are stored and listed
        # Then each command goes on without it
        operate(world, "library", "show")
        operate(world, "profile", "put", "--name", "Kim", "--role", "learner", "--department", "Care")
        assert "Kim" in operate(world, "profile", "list")
        # And a library that names it writes it again
        operate(world, "library", "load", "-", given=LIBRARY)
        assert name not in {"Plum", "Sales"} or name in operate(world, "library", "show", "--kind", entries)

    def test_a_key_is_all_that_is_printed(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        # Given a profile that cannot be read
        tamper(world, keys.profile(PEOPLE["coach"].id), drop("role"))
        # When a key of another is issued
        arguments = ["key", "issue", "--profile", PEOPLE["root"].name, "--table", world.table.name, "--group", GROUP]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        # Then standard output is the key, and the log went to standard error
        (key,) = result.stdout.splitlines()
        assert key.startswith("psk.")
        assert "an item cannot be read" in result.stderr
        assert counted(capsys) == 0
        # And what is met after the command is counted again
        Environment(world).call("search", {}, who="coach")
        assert counted(capsys) > 0

    def test_personas(self, env: Environment, world: World) -> None:
        # Given every kind of broken persona
        ids = planted(env)
        break_all(env, ids)
        before = {name: world.table.get(keys.persona(GROUP, ids[name])) for name in BROKEN}
        # When sound ones are assigned to a profile and cast in a scenario, and one that is not
        operate(world, "profile", "put", "--name", "Kim", "--role", "learner", "--persona", "Ada")
        told = operate(world, "library", "load", "-", given=LIBRARY)
        # Then the sound ones are, and nothing is written over the others
        assert world.persona(ids["Ada"]).scenario_ids == world.persona(ids["Bo"]).scenario_ids != ()
        assert {name: world.table.get(keys.persona(GROUP, ids[name])) for name in BROKEN} == before
        assert f"Not cast: the persona {ids['no texts']} cannot be read." in told
        # And a command that assigns one fails with the reason, or finds none of that name
        for name in ("no row", "no texts", "no trail", "a seq that is a string"):
            operate(
                world,
                "profile",
                "put",
                "--name",
                "Kim",
                "--role",
                "learner",
                "--persona",
                name,
                fails=name != "no texts",
            )


class TestLaterVersion:
    """Attributes that a later version writes besides, which are passed over in whatever record they stand."""

    def test_attributes_that_nobody_knows_hide_nothing(self, env: Environment, world: World) -> None:
        # Given views of a group, a persona, a draft, texts of both, profiles and keys
        persona_id = env.save(examples=["Hello."])
        draft_id = str(env.call("draft", {"name": "Someone"}).body["draft_id"])
        env.refresh()

        # When every item of the table gets an attribute more, and every map that is its row
        def extend(item: Raw) -> None:
            for each in (item, item.get("row", {}).get("M", {})):
                each["later"] = {"SS": ["what is to come"]}

        for item in world.aws.dynamodb.scan(TableName=world.table.name)["Items"]:
            tamper(world, Key(item["pk"]["S"], item["sk"]["S"]), extend)
        # Then all that reads answers, warm or cold
        bodies: list[tuple[str, object]] = [
            ("search", {}),
            ("get", {}),
            ("get", {"persona_id": persona_id}),
            ("get", {"draft_id": draft_id}),
            ("export", {}),
            ("refresh", {}),
            ("drafts", None),
            ("docs", {"entity_id": persona_id}),
        ]
        for reader in (env, Environment(world)):
            assert {reader.call(operation, body).status for operation, body in bodies} == {200}


class TestDrafts:
    BROKEN: Final[Mapping[str, Break]] = {
        "no row": drop("row"),
        "a row that is a list": put("row", {"L": []}),
        "a color that is a number": put("color_id", {"N": "1"}, "row"),
        "examples that are a word": put("example_ids", {"S": "all"}, "row"),
        "no time": drop("ct", "row"),
        "a version that is a string": put("version", {"S": "1"}),
        "an expiry that is a string": put("expires_at", {"S": "never"}),
        "more ids than there may be": put("department_ids", {"L": [{"S": CARE}] * 300}, "row"),
    }
    BROKEN_TEXTS: Final[Mapping[str, Break]] = {
        "texts that are a string": put("texts", {"S": "Ada"}),
        "a text that is cut off": put("name_id", {"B": zlib.compress(b'["Ada"]')[:-3]}, "texts"),
        "a text that is not UTF-8": put("name_id", packed(b'["\xff"]'), "texts"),
        "a text of another format": put("name_id", packed(b'{"format": 99}'), "texts"),
        "a text that never ends": put("name_id", BOMB, "texts"),
        "a text without an id": drop("name_id", "row"),
        "no texts": drop("texts"),
        "no trail": drop("trail"),
        "a trail that is a string": put("trail", {"S": "w@1"}),
    }

    def test_the_others_are_listed_and_each_is_told_of_by_itself(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # Given a sound draft and one for each way to be broken
        def begun(name: str) -> str:
            return str(env.call("draft", {"name": name, "color_id": PLUM}).body["draft_id"])

        sound = begun("Sound")
        ids = {name: begun(name) for name in (*self.BROKEN, *self.BROKEN_TEXTS)}
        for name, act in {**self.BROKEN, **self.BROKEN_TEXTS}.items():
            tamper(world, keys.draft(GROUP, PEOPLE["root"].id, ids[name]), act)
        capsys.readouterr()
        # When they are listed
        answer = env.call("drafts")
        # Then the sound one is, and those of which only the texts are broken, which no list reads
        assert {each["id"] for each in answer.body["entries"]} == {sound, *map(ids.__getitem__, self.BROKEN_TEXTS)}
        assert counted(capsys) == len(self.BROKEN)
        # When one is asked for
        # Then it cannot be read
        told = {name: env.call("get", {"draft_id": each}) for name, each in ids.items()}
        assert {(answer.status, answer.body["code"]) for answer in told.values()} == {(409, "unreadable")}
        # When one is changed that has no place for the change
        # Then it cannot be
        placeless = ("no row", "a row that is a list", "texts that are a string")
        told = {
            name: env.call("draft", {"input_draft_id": ids[name], "expected_version": 1, "name": "Other"})
            for name in (*placeless, "no texts", "no trail", "a trail that is a string")
        }
        codes = {name: (answer.status, answer.body["code"]) for name, answer in told.items()}
        assert codes == dict.fromkeys(told, (409, "unreadable"))
        # And the clean-up of texts still knows what the sound one uses
        used = env.services.drafts.text_ids(GROUP, PEOPLE["root"].id)
        assert Reference("names", text_id("names", "Sound")) in used


class TestTexts:
    BROKEN: Final[Mapping[str, Break]] = {
        "no text": drop("text"),
        "not compressed": put("text", {"B": b"Hello."}),
        "cut off": put("text", {"B": zlib.compress(b"Hello.")[:-3]}),
        "not UTF-8": put("text", packed(b"\xff")),
        "never ending": put("text", packed(b"x" * 50_000_000)),
        "a string": put("text", {"S": "Hello."}),
        "no time": drop("used_at"),
        "a time that is a string": put("used_at", {"S": "now"}),
    }

    def test_an_entry_names_nothing(self, env: Environment, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        # Given a persona with a text for each way to be broken, and a sound one
        examples = ["Sound", *self.BROKEN]
        persona_id = env.save(examples=examples)
        ids = {each: text_id("examples", each) for each in examples}
        for name, act in self.BROKEN.items():
            tamper(world, keys.text(GROUP, "examples", ids[name]), act, seq=False)
        world.restart()
        capsys.readouterr()
        # When a text is named by a caller who has not seen it
        told = {}
        for name, each in ids.items():
            cold = Environment(world)
            told[name] = cold.call("update", {"personas": [{"persona_id": persona_id, "example_ids": [each]}]}).status
        # Then the sound one is found, and a broken one is like one that does not exist
        assert told == {"Sound": 200, **dict.fromkeys(self.BROKEN, 422)}
        assert counted(capsys) >= len(self.BROKEN)
        # And the clean-up passes over it
        shards = {int(each[:2], 16) for each in ids.values()}
        env.work("refresh", lambda services: [services.texts.clean(GROUP, shard, (), ()) for shard in shards])


class TestIdentity:
    @pytest.mark.parametrize(
        ("of_the_key", "act"),
        [
            (False, drop("role")),
            (False, put("departments", {"S": "all"})),
            (False, put("group", {"N": "1"})),
            (True, put("valid_until", {"S": "never"})),
            (True, put("revoked", {"S": "no"})),
            (True, put("profile", {"N": "1"})),
            (True, drop("group")),
        ],
    )
    def test_what_cannot_be_read_opens_nothing(
        self, env: Environment, world: World, capsys: pytest.CaptureFixture[str], of_the_key: bool, act: Break
    ) -> None:
        # Given a caller whose key or profile breaks
        digest = digest_of(world.key("coach"))
        tamper(world, keys.api_key(digest) if of_the_key else keys.profile(PEOPLE["coach"].id), act)
        # When they call, and somebody else does
        statuses = [Environment(world).call("search", {}, who=who).status for who in ("coach", "root")]
        # Then it opens nothing, and others are let in
        assert statuses == [401, 200]
        assert counted(capsys) > 0

    def test_keys_are_listed_without_one_that_cannot_be_read(self, env: Environment, world: World) -> None:
        # Given the group's keys, when one of them breaks
        sound, broken = {each.digest for each in world.profiles.keys_of(GROUP)}, digest_of(world.key("coach"))
        tamper(world, keys.api_key(broken), put("created_at", {"S": "today"}))
        # Then the others are listed
        assert {each.digest for each in world.profiles.keys_of(GROUP)} == sound - {broken}


def test_the_schedule_queues_the_others(env: Environment, world: World) -> None:
    # Given a marked group beside one whose mark cannot be read
    env.save()
    mark = keys.mark("5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2ebb")
    world.aws.dynamodb.put_item(
        TableName=world.table.name,
        Item={"pk": {"S": mark.pk}, "sk": {"S": mark.sk}, "due_shard": {"S": keys.DUE_SHARD}, "due": {"S": "soon"}},
    )
    # When the marked groups are looked up
    # Then the other one is among them
    assert [each.group_id for each in env.services.groups.marked()] == [GROUP]
