"""`personas history`, `diff` and `restore --version`, on the handlers."""

import json

import pytest

from support.streamed import Streamed
from support.transport import Handlers, Run, command_line
from support.world import ALTO, CARE, NOBODY, World


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, world, Handlers(world.client()))


@pytest.fixture
def ada(world: World, stream: Streamed) -> str:
    """Save a persona in three versions, and have them recorded."""
    persona_id = world.save("coach", name="Ada", instructions="Ask.\nListen.", department_ids=[CARE])
    for changes in ({"instructions": "Ask.\nWait.", "voice_ids": [ALTO]}, {"description": "Says \x1b[2J."}):
        answer = world.client(X_MCP="yes").call("update", {"personas": [{"persona_id": persona_id, **changes}]})
        assert answer.status == 200
    stream.flow()
    return persona_id


class TestHistory:
    @pytest.mark.parametrize("by", ["name", "id"])
    def test_lists_versions_latest_first(self, run: Run, ada: str, by: str) -> None:
        lines = run("history", "ada" if by == "name" else ada).stdout.splitlines()

        assert lines[0].split() == ["VERSION", "AT", "KIND", "BY", "CHANGED"]
        assert [line.split()[0] for line in lines[1:]] == ["3", "2", "1"]
        assert "updated" in lines[2]
        assert "root (MCP)" in lines[2]
        assert lines[2].rstrip().endswith("instructions, voices")
        assert "coach" in lines[3]

    def test_shows_as_many_as_asked_for(self, run: Run, ada: str) -> None:
        assert len(run("history", "Ada", "--limit", "2").stdout.splitlines()) == 3

    def test_reads_page_after_page(self, run: Run, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("personas_tools.version_commands.PAGE_SIZE_MAX", 1)

        assert len(run("history", "Ada").stdout.splitlines()) == 4

    def test_tells_programs_all_of_it(self, run: Run, ada: str) -> None:
        rows = [json.loads(line) for line in run("history", "Ada", "--json").stdout.splitlines()]

        assert [row["version"] for row in rows] == [3, 2, 1]

    def test_says_what_is_about_to_be_recorded(self, run: Run, ada: str, world: World) -> None:
        for name in ("Bo", "Cy"):
            world.update(ada, name=name)

        assert "About to be recorded: 4." in run("history", ada).stderr

    def test_an_unknown_id_is_told_as_by_the_other_commands(self, run: Run) -> None:
        assert "No persona has the id" in run("history", NOBODY, fails=1).stderr


class TestDiff:
    def test_shows_what_differs(self, run: Run, ada: str) -> None:
        assert run("diff", "Ada", "1", "2").stdout.splitlines() == [
            "instructions",
            "  @@ -1,2 +1,2 @@",
            "   Ask.",
            "  -Listen.",
            "  +Wait.",
            "voices",
            "  +Alto",
        ]

    def test_goes_to_the_stored_version_and_shows_no_control_characters(self, run: Run, ada: str) -> None:
        assert run("diff", "Ada", "2").stdout.splitlines() == ["description", "  @@ -0,0 +1 @@", r"  +Says \x1b[2J."]

    def test_says_so_where_nothing_differs(self, run: Run, ada: str) -> None:
        result = run("diff", "Ada", "3")

        assert (result.stdout, result.stderr) == ("", "Versions 3 and 3 do not differ.\n")

    def test_tells_programs_all_of_it(self, run: Run, ada: str) -> None:
        assert json.loads(run("diff", "Ada", "1", "3", "--json").stdout)["to_version"] == 3

    def test_a_version_that_is_not_there_is_an_error(self, run: Run, ada: str) -> None:
        assert "There is no version 9" in run("diff", "Ada", "9", fails=1).stderr


class TestRestore:
    def test_brings_a_version_back(self, run: Run, ada: str, world: World) -> None:
        result = run("restore", "Ada", "--version", "1", who="coach")

        assert result.stdout == "The persona is as it was in version 1. That is version 4.\n"
        assert world.persona(ada).form.voice_ids == ()

    def test_brings_a_deleted_persona_back_by_its_id(self, run: Run, ada: str, world: World, stream: Streamed) -> None:
        world.delete(ada)
        stream.flow()

        assert "That is version 5." in run("restore", ada, "--version", "2").stdout
        assert world.persona(ada).version == 5

    def test_another_version_than_expected_is_an_error(self, run: Run, ada: str) -> None:
        told = run("restore", "Ada", "--version", "1", "--expected-version", "2", fails=1).stderr

        assert "version 3 is stored" in told

    def test_needs_a_version(self, run: Run, ada: str) -> None:
        assert "Missing option '--version'" in run("restore", "Ada", fails=2).stderr

    @pytest.mark.parametrize("written", [("--from-table", "copy"), ("--from-table=copy",)])
    def test_a_restored_table_is_another_command(self, run: Run, written: tuple[str, ...]) -> None:
        assert "No such option '--nonsense'" in run("restore", *written, "--nonsense", fails=2).stderr
        assert "--dry-run" in run("restore", *written, "--help").stdout
