"""The commands that fill a store and let callers in, and the demo: on the tables of template.yaml."""

import json
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Final
from uuid import uuid4

import boto3
import click
import jwt
import pytest
from click.testing import CliRunner, Result

from personas.clock import Clock, machine_time
from personas.contract.create import CreatePersonaRequest
from personas.domain.profile import Caller
from personas.domain.text import resource_id
from personas.errors import Unauthenticated, Unavailable
from personas.identity import Authenticator
from personas.operations.create import create_personas
from personas.runtime import Deadline, Parallel, utc_now
from personas.services import Services
from personas.settings import Settings
from personas.store import keys
from personas.store.change_feed import Change
from personas.store.table import Table
from personas.store.write_rule import OneTime
from personas_tools import demo, library, target
from personas_tools import stack as local
from personas_tools.cli import main
from personas_tools.library_catalogue import stored_catalogue
from personas_tools.profile_store import ProfileWriter
from personas_tools.scenario_casts import Link
from personas_tools.stack import LocalStack
from support.aws import Aws
from support.commands import every_command
from support.environments import shifted

GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e11"
OTHER_GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e12"

LIBRARY: Final = """
settings: {name: House, ai_generate: [examples]}
departments: [{name: Care}, {name: Sales}]
colors: [{name: Teal, hex_code: "#16818A"}, {name: Plum, hex_code: "#6E2A59"}]
icons: [{name: Star, value: star}]
flags: [{key: active, label: Active}]
voices: [{voice: Alto}]
parameters: [{name: Mood, fields: [{name: Calm}, {name: Angry}]}]
scenarios:
  - {name: Ward, active: true, personas: [Ada]}
  - {name: Desk, active: false, personas: [Ada, Bo]}
"""
WARD: Final = resource_id(GROUP, "scenarios", "Ward")
DESK: Final = resource_id(GROUP, "scenarios", "Desk")

type Run = Callable[..., Result]


@pytest.fixture
def table(aws: Aws) -> Table:
    return Table(aws.dynamodb, aws.names["PersonasTable"], utc_now, Deadline())


@pytest.fixture
def services(table: Table, tmp_path: Path) -> Services:
    stack = LocalStack("http://127.0.0.1:1", folder=tmp_path)
    return Services(Settings.read(stack.functions[0].environment), table, Parallel(), utc_now, Deadline())


@pytest.fixture
def run(aws: Aws) -> Run:
    """Return a function that runs a command on the table; ``fails`` is the expected exit code."""

    def invoke(*arguments: str, stdin: str | None = None, fails: int = 0) -> Result:
        at_table = [*arguments, "--table", aws.names["PersonasTable"]]
        result = CliRunner().invoke(main, at_table, input=stdin, env={"COLUMNS": "200"})
        assert result.exit_code == fails, (result.output, result.exception)
        return result

    return invoke


@pytest.fixture
def load_file(run: Run) -> Callable[[str], Result]:
    return lambda content: run("library", "load", "-", "--group", GROUP, stdin=content)


def create(services: Services, *names: str, group: str = GROUP) -> list[str]:
    caller = Caller(
        group_id=group,
        profile_id=str(uuid4()),
        name="Vera",
        role="superadmin",
        department_ids=frozenset(),
        session_id=str(uuid4()),
    )
    items = [{"name": name, "color": "Teal", "icon": "star", "instructions": "Be kind."} for name in names]
    answer = create_personas(services, caller, CreatePersonaRequest.model_validate({"personas": items}), OneTime())
    return [result.persona_id or "" for result in answer.results]


def personas_in(table: Table, group: str = GROUP) -> dict[str, Change]:
    changes = table.changes(keys.group_partition(group), keys.PERSONA_CHANGES, None)
    return {str(change.row["n"]): change for change in changes if not change.deleted}


def caller_of(services: Services, key: str) -> Caller:
    # A new authenticator has nothing cached: what it says is true now.
    return Authenticator(ProfileWriter(services.table), services.settings, services.table.now).authenticate(
        {"x-api-key": key}
    )


class TestLibraryLoad:
    def test_says_what_it_changed(self, load_file: Callable[[str], Result]) -> None:
        first = load_file(LIBRARY).stdout
        assert "colors: 2 added, 0 changed, 0 unchanged\n  + Teal\n  + Plum\n" in first
        assert "settings: 1 added, 0 changed, 0 unchanged\n" in first
        again = load_file(LIBRARY).stdout
        assert "+" not in again
        assert "~" not in again
        assert again.endswith("Nothing had to be changed.\n")
        changed = load_file(LIBRARY.replace("#16818A", "#16818B")).stdout
        assert "colors: 0 added, 1 changed, 1 unchanged\n  ~ Teal\n" in changed

    def test_a_second_load_writes_nothing(
        self, load_file: Callable[[str], Result], aws: Aws, services: Services
    ) -> None:
        load_file(LIBRARY)
        create(services, "Ada", "Bo")
        load_file(LIBRARY)
        before = aws.dynamodb.scan(TableName=aws.names["PersonasTable"])["Items"]
        load_file(LIBRARY)
        assert aws.dynamodb.scan(TableName=aws.names["PersonasTable"])["Items"] == before

    def test_json_from_a_file(self, run: Run, table: Table, tmp_path: Path) -> None:
        file = tmp_path / "library.json"
        file.write_text(json.dumps({"voices": [{"voice": "Alto"}]}), encoding="utf-8")
        run("library", "load", str(file), "--group", GROUP)
        assert stored_catalogue(table, GROUP).find("voices", "ALTO") == resource_id(GROUP, "voices", "Alto")

    def test_a_faulty_file_changes_nothing(self, run: Run, aws: Aws) -> None:
        faulty = LIBRARY + "\n  - {name: Hall, cast: [Ada]}"
        result = run("library", "load", "-", "--group", GROUP, stdin=faulty, fails=1)
        assert "scenarios[2].cast: there is no such key here." in result.stderr
        assert aws.dynamodb.scan(TableName=aws.names["PersonasTable"])["Items"] == []

    def test_a_file_that_is_not_utf8(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "library.yaml"
        file.write_bytes(b"voices: [{voice: Alto\xe9}]")
        assert "is not UTF-8" in run("library", "load", str(file), "--group", GROUP, fails=1).stderr

    def test_what_leaves_the_file_stays(self, load_file: Callable[[str], Result], table: Table) -> None:
        load_file(LIBRARY)
        load_file("parameters: [{name: Mood, fields: [{name: Calm}]}]")
        catalogue = stored_catalogue(table, GROUP)
        mood = catalogue.rows["parameters"][catalogue.find("parameters", "Mood")]
        assert mood["field_ids"] == [resource_id(GROUP, "fields", f"Mood/{name}") for name in ("Calm", "Angry")]
        assert catalogue.find("colors", "Plum")
        assert catalogue.settings == {"name": "House", "ai_generate": ["examples"]}

    def test_groups_do_not_meet(self, run: Run, table: Table) -> None:
        run("library", "load", "-", "--group", GROUP, stdin=LIBRARY)
        assert not any(stored_catalogue(table, OTHER_GROUP).rows.values())

    def test_a_deployed_store_needs_its_group_named(self, run: Run) -> None:
        assert "--group UUID" in run("library", "load", "-", stdin=LIBRARY, fails=2).stderr
        assert "is not a UUID" in run("library", "load", "-", "--group", "house", stdin=LIBRARY, fails=2).stderr


class TestCasts:
    def test_personas_that_are_missing_are_told(self, load_file: Callable[[str], Result]) -> None:
        result = load_file(LIBRARY)
        assert "Not cast: scenario 'Ward': there is no persona 'Ada'." in result.stderr
        assert "scenarios: 2 added" in result.stdout

    def test_a_cast_raises_seq_but_no_version(
        self, load_file: Callable[[str], Result], services: Services, table: Table
    ) -> None:
        load_file(LIBRARY)
        create(services, "Ada", "Bo", "Cy")
        before = personas_in(table)
        assert "personas: 2 with other scenarios than before\n  ~ Ada\n  ~ Bo\n" in load_file(LIBRARY).stdout
        after = personas_in(table)
        assert after["Ada"].row["sc"] == [WARD, DESK]
        assert after["Ada"].row["as"] == [WARD]
        assert after["Bo"].row["sc"] == [DESK]
        assert after["Bo"].row["as"] == []
        assert {name: change.seq - before[name].seq for name, change in after.items()} == {"Ada": 1, "Bo": 1, "Cy": 0}
        assert {change.version for change in after.values()} == {1}
        stored = services.personas.get(GROUP, keys.id_of(after["Ada"].key))
        assert stored is not None
        assert stored.persona is not None
        assert stored.persona.active_scenario_ids == (WARD,)

    @pytest.mark.parametrize(
        ("scenarios", "links", "active"),
        [
            ("[{name: Ward, active: false}]", [WARD, DESK], []),
            ("[{name: Desk, active: true}]", [WARD, DESK], [WARD, DESK]),
            ("[{name: Ward, active: true, personas: []}]", [DESK], []),
            ("[{name: Desk, active: true, personas: [Bo]}]", [WARD], [WARD]),
            ("[{name: Hall, active: false, personas: [ada]}]", [WARD, DESK, "Hall"], [WARD]),
            ("[]", [WARD, DESK], [WARD]),
        ],
    )
    def test_later_files(
        self,
        load_file: Callable[[str], Result],
        services: Services,
        table: Table,
        scenarios: str,
        links: Sequence[str],
        active: Sequence[str],
    ) -> None:
        load_file(LIBRARY)
        create(services, "Ada", "Bo")
        load_file(LIBRARY)
        load_file(f"scenarios: {scenarios}")
        ada = personas_in(table)["Ada"].row
        hall = resource_id(GROUP, "scenarios", "Hall")
        assert ada["sc"] == [hall if each == "Hall" else each for each in links]
        assert ada["as"] == active

    def test_a_name_that_two_personas_have(self, run: Run, services: Services, table: Table) -> None:
        run("library", "load", "-", "--group", GROUP, stdin=LIBRARY)
        first, _ = create(services, "Ada", "ADA")
        result = run("library", "load", "-", "--group", GROUP, stdin=LIBRARY, fails=1)
        assert "scenarios[0].personas[0]: 2 personas are named 'Ada': use the id." in result.stderr
        run("library", "load", "-", "--group", GROUP, stdin=LIBRARY.replace("Ada", first.upper()))
        assert personas_in(table)["Ada"].row["as"] == [WARD]

    def test_a_persona_that_is_written_meanwhile(
        self, load_file: Callable[[str], Result], services: Services, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_file(LIBRARY)
        create(services, "Ada", "Bo")
        read = library.stored_links

        def outdated(table: Table, group_id: str) -> list[Link]:
            links = read(table, group_id)
            for link in links:
                stored = services.personas.get(group_id, link.id)
                assert stored is not None
                assert stored.persona is not None
                if link.name == "Ada":
                    services.personas.update(group_id, stored.persona, str(uuid4()), stored)
                else:
                    services.personas.delete(group_id, link.id, str(uuid4()), stored)
            return links

        monkeypatch.setattr(library, "stored_links", outdated)
        load_file(LIBRARY)
        found = personas_in(table)
        assert found.keys() == {"Ada"}
        assert found["Ada"].row["as"] == [WARD]
        assert found["Ada"].version == 2


class TestProfiles:
    @pytest.mark.parametrize("name", [" ", "\N{HANGUL FILLER}\N{ZERO WIDTH SPACE}"])
    def test_one_without_a_name_that_anybody_sees_is_refused(self, run: Run, name: str) -> None:
        arguments = ("profile", "put", "--group", GROUP, "--name", name, "--role", "admin")
        assert "may be blank" in run(*arguments, fails=2).stderr

    def put(self, run: Run, *more: str, name: str = "Grace") -> str:
        return run("profile", "put", "--group", GROUP, "--name", name, "--role", "admin", *more).stdout

    def test_prints_the_id_and_nothing_else(self, run: Run, table: Table, load_file: Callable[[str], Result]) -> None:
        load_file(LIBRARY)
        sales = resource_id(GROUP, "departments", "Sales")
        printed = self.put(run, "--department", "care", "--department", sales)
        profile_id = printed.removesuffix("\n")
        assert printed == self.put(run)
        _, found = ProfileWriter(table).read(None, [profile_id])
        assert found[profile_id].department_ids == frozenset()
        self.put(run, "--department", "care", "--department", sales)
        _, found = ProfileWriter(table).read(None, [profile_id])
        assert found[profile_id].department_ids == {resource_id(GROUP, "departments", "Care"), sales}
        assert (found[profile_id].name, found[profile_id].role) == ("Grace", "admin")

    def test_counts_on_the_personas(
        self, run: Run, table: Table, services: Services, load_file: Callable[[str], Result]
    ) -> None:
        load_file(LIBRARY)
        _, bo = create(services, "Ada", "Bo")
        self.put(run, "--persona", "ADA", "--persona", bo)
        self.put(run, "--persona", "Ada", name="Noah")
        assert {name: each.row["np"] for name, each in personas_in(table).items()} == {"Ada": 2, "Bo": 1}
        self.put(run)
        assert {name: each.row["np"] for name, each in personas_in(table).items()} == {"Ada": 1, "Bo": 0}

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            (("--department", "Nowhere"), "departments have no entry named 'Nowhere'"),
            (("--persona", "Nobody"), "No persona is named 'Nobody'"),
            (("--id", "nobody"), "is not a UUID"),
        ],
    )
    def test_what_does_not_exist(self, run: Run, option: tuple[str, str], said: str) -> None:
        arguments = ("profile", "put", "--group", GROUP, "--name", "Grace", "--role", "admin", *option)
        assert said in run(*arguments, fails=2 if option[0] == "--id" else 1).stderr

    def test_are_listed_with_roles_and_departments(self, run: Run, load_file: Callable[[str], Result]) -> None:
        # Given two profiles, one put twice, and one of another group
        load_file(LIBRARY)
        grace, noah = self.put(run).strip(), self.put(run, name="Noah").strip()
        self.put(run, "--department", "care")
        run("profile", "put", "--group", OTHER_GROUP, "--name", "Stranger", "--role", "admin")
        # Then the list has each of the group once
        lines = run("profile", "list", "--group", GROUP).stdout.splitlines()
        assert [line.split() for line in lines] == [
            ["ID", "NAME", "ROLE", "DEPARTMENTS"],
            [grace, "Grace", "admin", "Care"],
            [noah, "Noah", "admin"],
        ]

    def test_that_are_none_are_told(self, run: Run) -> None:
        assert "personas profile put" in run("profile", "list", "--group", GROUP).stderr

    def test_one_whose_store_failed_half_way_is_not_listed(
        self, run: Run, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a command that died before the profile itself was stored
        with monkeypatch.context() as patch:
            patch.setattr(Table, "put_and_count", lambda *args, **kwargs: (_ for _ in ()).throw(Unavailable("gone")))
            run("profile", "put", "--group", GROUP, "--name", "Grace", "--role", "admin", fails=1)
        # Then nobody is listed, and the repeat lists it
        assert ProfileWriter(table).profiles_of(GROUP) == []
        self.put(run)
        assert [each.name for each in ProfileWriter(table).profiles_of(GROUP)] == ["Grace"]

    def test_a_profile_never_changes_its_group(self, run: Run) -> None:
        profile_id = self.put(run).strip()
        arguments = ("--name", "Grace", "--role", "superadmin", "--id", profile_id)
        assert "belongs to another group" in run("profile", "put", "--group", OTHER_GROUP, *arguments, fails=1).stderr


class TestRoles:
    def put(self, run: Run, role: str, *more: str, fails: int = 0) -> Result:
        return run("profile", "put", "--group", GROUP, "--name", "Grace", "--role", role, *more, fails=fails)

    @pytest.mark.parametrize(("typed", "meant"), [("superadmn", "superadmin"), ("instructonal", "instructional")])
    def test_a_slip_of_the_pen_is_told(self, run: Run, typed: str, meant: str) -> None:
        said = self.put(run, typed, fails=2).stderr.splitlines()[-1]
        assert said == f"Error: {typed!r} only reads: did you mean {meant!r}? --read-only takes it as it is."

    def test_another_role_reads(self, run: Run) -> None:
        assert self.put(run, "learner").exit_code == 0
        assert self.put(run, "instructor", "--read-only").exit_code == 0


class TestLibraryShow:
    def test_lists_what_was_loaded(self, run: Run, load_file: Callable[[str], Result]) -> None:
        load_file(LIBRARY)
        shown = run("library", "show", "--group", GROUP).stdout.splitlines()
        assert shown[0].split() == ["KIND", "NAME", "ID", "ACTIVE"]
        assert ["colors", "Plum", resource_id(GROUP, "colors", "Plum"), "yes"] in [line.split() for line in shown]
        assert ["scenarios", "Desk", DESK, "no"] in [line.split() for line in shown]

    def test_can_be_of_one_kind(self, run: Run, load_file: Callable[[str], Result]) -> None:
        load_file(LIBRARY)
        shown = run("library", "show", "--group", GROUP, "--kind", "departments").stdout.splitlines()
        assert [line.split()[1] for line in shown[1:]] == ["Care", "Sales"]

    def test_an_empty_catalogue_says_how_to_fill_it(self, run: Run) -> None:
        assert "personas library load" in run("library", "show", "--group", GROUP).stderr


class TestKeys:
    def issue(self, run: Run, *more: str) -> str:
        result = run("key", "issue", "--group", GROUP, *more)
        assert result.stdout.count("\n") == 1
        assert result.stdout.strip() not in result.stderr
        return result.stdout.strip()

    @pytest.fixture
    def grace(self, run: Run) -> str:
        return run("profile", "put", "--group", GROUP, "--name", "Grace", "--role", "admin").stdout.strip()

    def test_a_key_opens_until_it_is_revoked(self, run: Run, services: Services, grace: str) -> None:
        first, second = self.issue(run, "--profile", "Grace", "--label", "laptop"), self.issue(run, "--profile", grace)
        assert caller_of(services, first).profile_id == caller_of(services, second).profile_id == grace
        listed = run("key", "list", "--group", GROUP).stdout
        assert first not in listed
        row = re.search(r"^([0-9a-f]{16}) +laptop +Grace \(admin\) .* never +valid", listed, re.MULTILINE)
        assert row is not None
        run("key", "revoke", row[1], "--group", GROUP)
        with pytest.raises(Unauthenticated):
            caller_of(services, first)
        assert caller_of(services, second).profile_id == grace
        assert re.search(rf"^{row[1]} .* revoked *$", run("key", "list", "--group", GROUP).stdout, re.MULTILINE)

    @pytest.mark.parametrize(
        ("label", "shown"),
        [("[/x]", "[/x]"), ("[red]:smile:", "[red]:smile:"), ("a\x1b]0;b\x07\n", r"a\x1b]0;b\x07\n")],
    )
    def test_are_listed_with_their_labels_as_they_stand(self, run: Run, label: str, shown: str) -> None:
        self.issue(run, "--label", label)
        assert run("key", "list", "--group", GROUP).stdout.splitlines()[1].split()[1] == shown

    def test_names_a_profile_that_was_put_with_an_id_of_its_own(self, run: Run, services: Services) -> None:
        own = str(uuid4())
        run("profile", "put", "--group", GROUP, "--name", "Noah", "--role", "admin", "--id", own)
        assert caller_of(services, self.issue(run, "--profile", "noah")).profile_id == own

    @pytest.mark.usefixtures("grace")
    def test_names_no_profile_where_two_bear_the_name(self, run: Run) -> None:
        own = str(uuid4())
        run("profile", "put", "--group", GROUP, "--name", "GRACE", "--role", "admin", "--id", own)
        said = run("key", "issue", "--group", GROUP, "--profile", "Grace", fails=1).stderr
        assert "2 profiles are named 'Grace'. Give an id: " in said
        assert own in said

    @pytest.mark.usefixtures("grace")
    def test_a_slip_of_the_pen_is_told(self, run: Run) -> None:
        said = run("key", "issue", "--group", GROUP, "--profile", "Garce", fails=1).stderr
        assert said == "Error: No profile is named 'Garce': did you mean 'Grace'?\n"

    def test_a_leaked_key_can_be_revoked_by_itself(self, run: Run, services: Services, grace: str) -> None:
        leaked = self.issue(run, "--profile", grace)
        said = run("key", "revoke", leaked)
        assert leaked not in said.output
        with pytest.raises(Unauthenticated):
            caller_of(services, leaked)

    def test_expiry(self, run: Run, table: Table, grace: str) -> None:
        self.issue(run, "--profile", grace, "--expires", "90d")
        (issued,) = ProfileWriter(table).keys_of(GROUP)
        assert issued.expires_at is not None
        assert issued.expires_at - issued.created_at == timedelta(days=90).total_seconds()

    def test_a_key_of_a_group_alone(self, run: Run, services: Services) -> None:
        with pytest.raises(Unauthenticated, match="names a group only"):
            caller_of(services, self.issue(run))

    @pytest.mark.parametrize("duration", ["0d", "ninety days", "1y", "-3h", ""])
    def test_durations_that_are_none(self, run: Run, duration: str) -> None:
        assert "is no duration" in run("key", "issue", "--group", GROUP, "--expires", duration, fails=2).stderr

    def test_what_does_not_exist(self, run: Run, grace: str) -> None:
        assert (
            "No profile is named 'Noah'" in run("key", "issue", "--group", GROUP, "--profile", "Noah", fails=1).stderr
        )
        there = ("key", "issue", "--group", OTHER_GROUP, "--profile", grace)
        assert f"has no profile '{grace}'" in run(*there, fails=1).stderr
        assert "No keys" in run("key", "revoke", "0" * 16, "--group", GROUP, fails=1).stderr
        assert "no such key" in run("key", "revoke", "0" * 64, fails=1).stderr
        assert "at least 16" in run("key", "revoke", "0" * 5, "--group", GROUP, fails=2).stderr


class TestUnreadable:
    def test_are_listed_and_removed_by_name_alone(
        self, run: Run, aws: Aws, table: Table, services: Services, load_file: Callable[[str], Result]
    ) -> None:
        # Given a persona that cannot be read beside one that can
        load_file(LIBRARY)
        ada, bo = create(services, "Ada", "Bo")
        aws.dynamodb.update_item(
            TableName=aws.names["PersonasTable"],
            Key={"pk": {"S": keys.group_partition(GROUP)}, "sk": {"S": f"persona#{ada}"}},
            UpdateExpression="SET #row.np = :less",
            ExpressionAttributeNames={"#row": "row"},
            ExpressionAttributeValues={":less": {"N": "-1"}},
        )

        # Then it is listed with what is wrong, it alone can be removed, and then nothing is left to list
        (listed,) = run("unreadable", "--group", GROUP).stdout.splitlines()
        assert listed.startswith(f"  ? {ada}: ")
        assert (
            "is no persona that cannot be read" in run("unreadable", "--group", GROUP, "--remove", bo, fails=1).stderr
        )
        assert run("unreadable", "--group", GROUP, "--remove", ada).stdout == f"  - {ada}\n"
        assert run("unreadable", "--group", GROUP).stdout == ""
        assert set(personas_in(table)) == {"Bo"}


class TestTargets:
    def test_stack_or_table(self, run: Run) -> None:
        assert "not both" in run("key", "list", "--group", GROUP, "--stack", "prod", fails=2).stderr

    @pytest.mark.usefixtures("aws")
    def test_a_table_that_is_not_there(self) -> None:
        result = CliRunner().invoke(main, ["key", "list", "--group", GROUP, "--table", "none"])
        assert result.exit_code == 1
        assert result.stderr.splitlines() == [
            "Error: There is no such thing in this account and region: the table none. Check the name and AWS_REGION."
        ]

    def test_a_stack_tells_its_table(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        class Formation:
            def describe_stacks(self, *, StackName: str) -> Mapping[str, object]:
                outputs = {"PersonasTableName": aws.names["PersonasTable"]} if StackName == "prod" else {}
                told = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
                return {"Stacks": [{"Outputs": told}]}

        real = boto3.client
        monkeypatch.setattr(
            boto3, "client", lambda name, **more: Formation() if name == "cloudformation" else real(name, **more)
        )
        listed = CliRunner().invoke(main, ["key", "list", "--group", GROUP, "--stack", "prod"])
        assert listed.exit_code == 0, listed.output
        other = CliRunner().invoke(main, ["key", "list", "--group", GROUP, "--stack", "another"])
        assert other.exit_code == 1
        assert "no output PersonasTableName" in other.stderr

    @pytest.mark.usefixtures("over_http")
    @pytest.mark.parametrize("wrong_by", [timedelta(minutes=-7), timedelta(0), timedelta(hours=1)])
    def test_the_time_is_that_of_aws(self, aws: Aws, wrong_by: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(target, "Clock", lambda: Clock(shifted(machine_time, wrong_by)))

        lead = target.deployed_table(aws.names["PersonasTable"]).now() - machine_time()

        assert abs(lead) < timedelta(minutes=1)

    def test_tokens_are_local(self, run: Run) -> None:
        assert "its own issuer" in run("token", "--profile", "Grace", "--group", GROUP, fails=2).stderr


@pytest.fixture
def stack(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStack:
    """Provide the local stack, with its table in this process."""
    monkeypatch.setattr(demo, "local_table", lambda stack: table)
    monkeypatch.setattr(target, "local_table", lambda stack: table)
    return LocalStack("http://127.0.0.1:1", folder=tmp_path)


class TestDemo:
    def shown(self, lines: Sequence[str]) -> dict[str, str]:
        found = (re.fullmatch(r"  (\w+) +[\w ]+?  +(psk\.\S+)", line) for line in lines)
        return {match[1]: match[2] for match in found if match}

    def test_is_complete_and_opens_for_each_role(self, stack: LocalStack, table: Table, services: Services) -> None:
        lines = demo.load_if_empty(stack)
        shown = self.shown(lines)
        assert list(shown) == ["superadmin", "admin", "instructional", "viewer"]
        for role, key in shown.items():
            caller = caller_of(services, key)
            assert (caller.role, caller.group_id) == (role, demo.GROUP)
            assert caller.department_ids
        personas = personas_in(table, demo.GROUP)
        assert len(personas) == 24
        assert sum(each.row["f"] is not None for each in personas.values()) == 20
        assert sum(bool(each.row["as"]) for each in personas.values()) == 3
        assert sum(bool(each.row["sc"]) for each in personas.values()) == 10
        assert sum(not each.row["dp"] for each in personas.values()) == 2
        assert personas["Hannah Weiss, patient the night before surgery"].row["np"] == 2
        assert {each.version for each in personas.values()} == {1}

    def test_the_curl_line_names_the_address_and_a_key(self, stack: LocalStack) -> None:
        lines = demo.load_if_empty(stack)
        assert lines[-1].lstrip().startswith("curl -s http://127.0.0.1:3000/api/v5/artifacts/personas/get ")
        assert self.shown(lines)["superadmin"] in lines[-1]

    def test_keys_are_kept_for_this_user_only(self, stack: LocalStack, tmp_path: Path) -> None:
        lines = demo.load_if_empty(stack)
        kept = tmp_path / "demo-keys.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert json.loads(kept.read_text(encoding="utf-8")) == self.shown(lines)

    def test_a_second_start_loads_nothing(self, stack: LocalStack, services: Services, aws: Aws) -> None:
        first = demo.load_if_empty(stack)
        gone = resource_id(demo.GROUP, "personas", "Evelyn Thorpe, skeptical CFO")
        stored = services.personas.get(demo.GROUP, gone)
        assert stored is not None
        services.personas.delete(demo.GROUP, gone, str(uuid4()), stored)
        before = aws.dynamodb.scan(TableName=aws.names["PersonasTable"])["Items"]
        assert demo.load_if_empty(stack) == first
        assert aws.dynamodb.scan(TableName=aws.names["PersonasTable"])["Items"] == before

    @pytest.mark.parametrize("step", ["create_personas", "personas_named", "_put", "_keys"])
    def test_a_start_that_was_cut_off_is_completed_by_the_next(
        self, stack: LocalStack, table: Table, services: Services, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def cut_off(*_: object) -> None:
            raise Unavailable("The store is out of reach.")

        with monkeypatch.context() as patch:
            patch.setattr(demo, step, cut_off)
            with pytest.raises(Unavailable):
                demo.load_if_empty(stack)
        shown = self.shown(demo.load_if_empty(stack))
        assert len(personas_in(table, demo.GROUP)) == 24
        assert {caller_of(services, key).role for key in shown.values()} == shown.keys()

    def test_personas_that_cannot_be_saved_stop_the_start(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = demo._text
        monkeypatch.setattr(demo, "_text", lambda name: text(name).replace("color: Sky", "color: Beige"))
        with pytest.raises(Unavailable, match=r"1 personas of the demo were not saved, the first because: .*'Beige'"):
            demo.load_if_empty(stack)

    def test_a_revoked_key_is_replaced(self, stack: LocalStack, run: Run, services: Services) -> None:
        first = self.shown(demo.load_if_empty(stack))
        run("key", "revoke", first["admin"])
        second = self.shown(demo.load_if_empty(stack))
        assert second.pop("admin") != first.pop("admin")
        assert second == first

    def test_keys_that_the_store_lost_are_stored_again(self, stack: LocalStack, aws: Aws, services: Services) -> None:
        first = self.shown(demo.load_if_empty(stack))
        name = aws.names["PersonasTable"]
        for item in aws.dynamodb.scan(TableName=name)["Items"]:
            aws.dynamodb.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})
        assert self.shown(demo.load_if_empty(stack)) == first
        assert {caller_of(services, key).role for key in first.values()} == first.keys()


class TestLocally:
    """Commands without --stack and --table."""

    @pytest.fixture
    def locally(self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
        @contextmanager
        def connected(folder: Path) -> Iterator[LocalStack]:
            assert folder == stack.folder
            yield stack

        monkeypatch.setattr(local, "connected", connected)
        demo.load_if_empty(stack)

        def invoke(*arguments: str) -> Result:
            result = CliRunner().invoke(main, arguments, env={"PERSONAS_LOCAL": str(stack.folder), "COLUMNS": "200"})
            assert result.exit_code == 0, result.output
            return result

        return invoke

    def test_work_on_the_demo_group(self, locally: Callable[..., Result], tmp_path: Path) -> None:
        assert "demo viewer" in locally("key", "list").stdout
        file = tmp_path / "library.yaml"
        file.write_text("voices: [{voice: Low hum}]", encoding="utf-8")
        assert "+ Low hum" in locally("library", "load", str(file)).stdout

    def test_a_token_is_for_a_profile(self, locally: Callable[..., Result], stack: LocalStack) -> None:
        printed = locally("token", "--profile", "Grace Adeyemi", "--expires", "5m").stdout.strip()
        document = stack.jwks()
        assert isinstance(document, dict)
        keyset = jwt.PyJWKSet.from_dict(document)
        claims = jwt.decode(printed, keyset.keys[0], algorithms=["ES256"], audience="personas-api")
        assert claims["sub"] == resource_id(demo.GROUP, "profiles", "Grace Adeyemi")
        assert claims["exp"] - claims["iat"] == 300


def test_every_command_has_a_help_text() -> None:
    found = [command for _, command in every_command()]
    assert {"load", "put", "issue", "list", "revoke", "token"} <= {command.name for command in found}
    assert all(command.help for command in found)
    options = chain.from_iterable(command.params for command in found)
    assert all(option.help for option in options if isinstance(option, click.Option))
