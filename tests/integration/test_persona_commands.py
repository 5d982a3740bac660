"""`personas list`, `show`, `delete` and the options that name things, on the handlers."""

import json
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from personas_tools.cli import main
from support.exported import stored
from support.transport import Handlers, Run, command_line
from support.world import NOBODY, World


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, world, Handlers(world.client(), stored=partial(stored, world)))


@pytest.fixture
def ids(world: World) -> dict[str, str]:
    """Save three personas: one of each department, and one of none."""
    items = [
        {"name": name, "color": "Teal", "icon": "star", "instructions": "Be kind.", **more}
        for name, more in (
            ("Ada", {"departments": ["Care"], "description": "Counts [bold]well", "examples": ["One.", "Two."]}),
            ("Bo", {"departments": ["Sales"]}),
            ("Cy", {}),
        )
    ]
    answer = world.client().call("create", {"personas": items})
    return {item["name"]: result["persona_id"] for item, result in zip(items, answer.body["results"], strict=True)}


class TestList:
    def test_shows_a_line_for_each_persona(self, run: Run, ids: dict[str, str]) -> None:
        lines = run("list").stdout.splitlines()
        assert [line.split()[:2] for line in lines[1:]] == [[ids[name], name] for name in ("Ada", "Bo", "Cy")]
        assert "Counts [bold]well" in lines[1]

    def test_takes_a_department_by_its_name(self, run: Run, ids: dict[str, str]) -> None:
        assert [line.split()[1] for line in run("list", "--department", "sales").stdout.splitlines()[1:]] == ["Bo"]

    def test_tells_programs_all_that_a_list_tells(self, run: Run, ids: dict[str, str]) -> None:
        rows = [json.loads(line) for line in run("list", "--json", "--limit", "2").stdout.splitlines()]
        assert [row["persona_id"] for row in rows] == [ids["Ada"], ids["Bo"]]

    def test_reads_page_after_page(self, run: Run, world: World) -> None:
        # Given more personas than a page has
        items = [{"name": f"P{n:03}", "color": "Teal", "icon": "star", "instructions": "Be kind."} for n in range(205)]
        for start in range(0, len(items), 100):
            world.client().call("create", {"personas": items[start : start + 100]})
        # Then all are listed, each once.
        assert [line.split()[1] for line in run("list").stdout.splitlines()[1:]] == [item["name"] for item in items]

    def test_says_so_where_nothing_matches(self, run: Run, ids: dict[str, str]) -> None:
        result = run("list", "--search", "nobody is called so")
        assert (result.stdout, result.stderr) == ("", "No persona matches.\n")


class TestShow:
    @pytest.mark.parametrize("by", ["name", "id"])
    def test_shows_what_a_persona_is(self, run: Run, ids: dict[str, str], by: str) -> None:
        shown = run("show", " ada" if by == "name" else ids["Ada"]).stdout
        assert shown.splitlines() == [
            f"id:               {ids['Ada']}",
            "name:             Ada",
            "description:      Counts [bold]well",
            "version:          1",
            "active:           no",
            "color:            Teal (#16818A)",
            "icon:             Star",
            "departments:      Care",
            "example:          One.",
            "example:          Two.",
            "instructions:     Be kind.",
        ]

    def test_tells_programs_the_whole_form(self, run: Run, ids: dict[str, str]) -> None:
        assert json.loads(run("show", "Ada", "--json").stdout)["names"]["resource"]["name"] == "Ada"

    def test_asks_for_an_id_where_two_bear_the_name(self, run: Run, ids: dict[str, str], world: World) -> None:
        item = {"name": "ADA", "color": "Teal", "icon": "star", "instructions": "Be kind."}
        other = world.client().call("create", {"personas": [item]}).body["results"][0]["persona_id"]
        said = run("show", "Ada", fails=1).stderr
        assert "2 personas are named 'Ada'" in said
        assert ids["Ada"] in said
        assert other in said


class TestControlCharacters:
    """Texts of others that would write the title of a terminal, or over what it shows."""

    TITLE = "\x1b]0;Owned\x07"
    SHOWN = r"\x1b]0;Owned\x07"

    @pytest.fixture
    def hostile(self, world: World) -> str:
        return world.save(name=f"Eve{self.TITLE}", description="One\ntwo\x9b2J", instructions="A\n\tb\rc")

    def test_are_spelt_out_in_what_is_shown(self, run: Run, hostile: str) -> None:
        shown = run("show", hostile).stdout
        assert f"name:             Eve{self.SHOWN}\n" in shown
        assert "One\ntwo\\x9b2J\n" in shown
        assert "A\n\tb\\rc\n" in shown

    def test_are_spelt_out_in_a_list_with_its_line_breaks(self, run: Run, hostile: str) -> None:
        (line,) = run("list").stdout.splitlines()[1:]
        assert f"Eve{self.SHOWN} " in line
        assert line.rstrip().endswith(r"One\ntwo\x9b2J")

    def test_are_spelt_out_in_results_and_errors(self, run: Run, hostile: str) -> None:
        assert f"did you mean 'Eve{self.SHOWN}'" in run("show", "Eve\x1b]0;Owne\x07", fails=1).stderr
        assert self.TITLE not in run("delete", f"Eve{self.TITLE}", "--yes").stdout

    def test_stay_for_programs(self, run: Run, hostile: str) -> None:
        assert json.loads(run("show", hostile, "--json").stdout)["names"]["resource"]["name"] == f"Eve{self.TITLE}"


class TestDelete:
    def test_deletes_what_is_named_and_keeps_the_rest(self, run: Run, ids: dict[str, str]) -> None:
        # When two are named, of which one is not there
        result = run("delete", "ada", NOBODY, "--yes", fails=1)
        # Then it says what became of each
        assert result.stdout.splitlines()[0].startswith("Deleted ada: ")
        assert result.stdout.splitlines()[1].startswith(f"Kept {NOBODY}: ")
        assert result.stderr == "Error: 1 of 2 were not deleted; the reasons stand above.\n"
        assert [line.split()[1] for line in run("list").stdout.splitlines()[1:]] == ["Bo", "Cy"]

    def test_deletes_nothing_that_nobody_agreed_to(self, run: Run, ids: dict[str, str]) -> None:
        assert run("delete", "Ada", "Bo", fails=1).stderr == "Error: Delete Ada, Bo? Say so with --yes.\n"
        assert len(run("list").stdout.splitlines()) == 4

    def test_says_why_where_the_role_only_reads(self, run: Run, ids: dict[str, str]) -> None:
        said = run("delete", ids["Ada"], "--yes", who="learner", fails=1)
        assert "can only read" in said.stdout + said.stderr


class TestExport:
    def test_narrows_down_by_names(self, run: Run, ids: dict[str, str], tmp_path: Path) -> None:
        file = tmp_path / "out.csv"
        assert run("export", "--output", str(file), "--department", "Care").stderr == "1 personas.\n"
        assert run("export", "--output", str(file), "--persona", "bo", "--yes").stderr == "1 personas.\n"
        assert ids["Bo"] in file.read_text(encoding="utf-8")

    def test_asks_before_it_writes_over_a_file(self, run: Run, ids: dict[str, str], tmp_path: Path) -> None:
        file = tmp_path / "mine.csv"
        file.write_text("my own")
        said = run("export", "--output", str(file), fails=1).stderr
        assert said == f"Error: {file} is there already. Write over it? Say so with --yes.\n"
        assert file.read_text() == "my own"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--department", "Slaes"), "No department is named 'Slaes': did you mean 'Sales'?"),
        (("list", "--scenario", "x"), "No scenario is named 'x'. `personas library show` tells them."),
        (("list", "--field", "Clam"), "No field is named 'Clam': did you mean 'Calm'?"),
        (("list", "--limit", "0"), "Invalid value for '--limit': 0 is not in the range x>=1."),
        (("show", "Adda"), "No persona is named 'Adda': did you mean 'Ada'?"),
        (("show", NOBODY), f"No persona has the id {NOBODY}. `personas list` tells the ids."),
        (("export", "--persona", NOBODY), f"No persona has the id {NOBODY}. `personas list` tells the ids."),
        (("show",), "Missing argument 'NAME|ID'."),
        (("delete",), "Missing argument 'NAME|ID...'."),
        (("delete", "Bob", "--yes"), "No persona is named 'Bob': did you mean 'Bo'?"),
        (("export", "--persona", "Cyy"), "No persona is named 'Cyy': did you mean 'Cy'?"),
        (("list", "--url", "localhost"), "'localhost' is no address such as https://personas.example.com."),
        (("lst",), "No such command 'lst'."),
    ],
)
def test_a_wrong_use_ends_with_a_line_that_says_what_to_do(
    run: Run, ids: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    result = run(*arguments, fails=2 if said.startswith(("Missing", "Invalid", "No such command")) else 1)
    assert said in result.stderr.splitlines()[-1]


def test_without_a_key_the_ways_to_give_one_are_named() -> None:
    result = CliRunner().invoke(main, ["list"], env={"PERSONAS_KEY": ""})
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert all(part in line for part in ("PERSONAS_KEY", "--key", ".local/demo-keys.json", "personas key issue"))


def test_the_port_of_the_environment_is_the_one_that_is_called() -> None:
    result = CliRunner().invoke(main, ["list"], env={"PERSONAS_KEY": "psk.x", "PORT": "9", "PERSONAS_URL": ""})
    assert "http://127.0.0.1:9" in result.stderr


def test_the_version_is_that_of_the_project() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"personas {metadata.version('personas')}\n"
