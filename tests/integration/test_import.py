"""`personas import`: files become personas, once, whatever goes wrong on the way."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2
import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook, load_workbook

from personas.domain.cells import escape, join_list
from personas.domain.exporting import HEADER
from personas.domain.importing import IMPORT_FIELDS
from personas.runtime import Deadline
from personas_tools import demo, http_api, library
from personas_tools.cli import main
from personas_tools.importer import sending
from personas_tools.importer.journal import Journal
from personas_tools.importer.rows import REASON
from personas_tools.library_file import parse
from support.exported import content
from support.faults import Killed
from support.streamed import Streamed
from support.transport import Handlers, connect
from support.world import (
    CARE,
    FORMAL,
    GROUP,
    MOOD_ANGRY,
    PLUM,
    SALES,
    TEAL,
    TONE_CALM,
    World,
    color,
    department,
    field_row,
    icon,
    parameter,
)

COLUMNS: Final = HEADER
LISTS: Final = tuple(field.key for field in IMPORT_FIELDS if field.multi)

DEMO: Final = Path(demo.__file__).with_name("library.yaml")

HIDDEN: Final = ("not found", 404, {"code": "not_found", "detail": "There is no persona."})
NO_ROUTE: Final = ("no such route", 404, {"message": "Not Found"})
FORBIDDEN: Final = ("forbidden", 403, {"code": "forbidden", "detail": "You may not."})
BROKEN: Final = ("unreadable", 409, {"code": "unreadable", "detail": "It cannot be read."})
FOREIGN: Final = ("another release", 200, {"versions": [{"version": "two"}]})

type Run = Callable[..., Result]


@pytest.fixture
def handlers(world: World) -> Handlers:
    return Handlers(world.client())


@pytest.fixture
def run(world: World, handlers: Handlers, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command on the handlers; ``fails`` is the expected exit code, None any."""
    connect(monkeypatch, handlers)
    monkeypatch.setenv("PERSONAS_KEY", world.key("root"))

    def invoke(file: Path, *options: str, fails: int | None = 0, says: str = "") -> Result:
        result = CliRunner().invoke(main, ["import", str(file), *options], input=says, env={"COLUMNS": "200"})
        if isinstance(result.exception, Killed):
            raise result.exception
        assert fails is None or result.exit_code == fails, (result.output, result.exception)
        return result

    return invoke


def write(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = COLUMNS) -> Path:
    """Write a file as export does."""
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(columns)
        for row in rows:
            cells = [row.get(column, "") for column in columns]
            writer.writerow([escape(join_list(cell) if isinstance(cell, list) else str(cell)) for cell in cells])
    return path


def plain(number: int, **others: object) -> dict[str, object]:
    return {"name": f"P{number:04}", "color": "Teal", "icon": "star", "instructions": "Be kind.", **others}


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def only_persona(world: World) -> str:
    answer = world.client().call("search", {})
    (row,) = answer.body["personas"]
    persona_id = row["persona_id"]
    assert isinstance(persona_id, str)
    return persona_id


def faults_in(shown: Result) -> list[str]:
    """Return the lines in which a preview says what is wrong with rows."""
    return [line for line in shown.stdout.splitlines() if line.startswith("row ")]


def recorded(world: World, persona_id: str) -> dict[int, str]:
    """Return the minute of each version of a persona, as its history has it."""
    answer = world.client().call("history", {"persona_id": persona_id})
    return {row["version"]: f"{row['at'][:10]} {row['at'][11:16]} UTC" for row in answer.body["versions"]}


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_row_says_is_what_the_persona_is(run: Run, world: World, tmp_path: Path) -> None:
    row = {
        "name": "=HYPERLINK(1)",
        "description": 'Says "no"\r\nand | means \\ it',
        "color": "plum",
        "icon": "heart-pulse",
        "instructions": "-1 is\n\nless than \uff0b1 😀",
        "active_flag": "true",
        "departments": ["care", "Sales"],
        "parameter_fields": ["Mood: Calm", "angry"],
        "examples": ["Yes, or no", "a|b\\", "@me"],
        "voices": ["Bass"],
    }
    run(write(tmp_path / "file.csv", [row]))
    persona = world.persona(only_persona(world))
    assert persona.name.text == row["name"]
    assert persona.form.description is not None
    assert persona.form.description.text == row["description"]
    assert persona.form.instructions.text == row["instructions"]
    assert [each.text for each in persona.form.examples] == row["examples"]
    assert (persona.form.color_id, persona.department_ids) == (PLUM, (CARE, SALES))
    assert persona.form.active_flag_id is not None
    assert len(persona.form.parameter_field_ids) == 2
    assert MOOD_ANGRY in persona.form.parameter_field_ids
    assert leftovers(tmp_path) == ["file.csv"]


def test_a_file_made_by_hand(run: Run, world: World, tmp_path: Path) -> None:
    # Given labels for keys, semicolons, commas in a list, a column that is none of ours, and a line without cells
    file = tmp_path / "hand.csv"
    file.write_bytes(
        b"\xef\xbb\xbfName;COLOR;Icon;instructions;Departments;Parameter fields;Remarks\r\n"
        b"Ada;#16818a;Star;Be kind.;Care, Sales;Mood: Calm|Angry;my own\r\n;;;;;;\r\n"
    )
    # Then nothing of it is dropped unasked,
    assert "'Remarks'" in run(file, fails=1).stderr
    # and with it left out the rest is read.
    run(file, "--skip", "remarks")
    persona = world.persona(only_persona(world))
    assert persona.form.color_id == TEAL
    assert persona.department_ids == (CARE, SALES)
    assert persona.form.active_flag_id is None
    assert len(persona.form.parameter_field_ids) == 2


def test_a_template_of_the_import_fields_makes_a_persona_of_the_demo(run: Run, world: World, tmp_path: Path) -> None:
    # Given a template as existing clients make it: labels above examples
    library.load(world.table, GROUP, parse(DEMO.read_text(encoding="utf-8")))
    file = tmp_path / "template.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows(zip(*((field.label, field.example) for field in IMPORT_FIELDS), strict=True))
    # When it is imported, then each cell of a list was split at its commas
    run(file)
    persona = world.persona(only_persona(world))
    lists = (persona.department_ids, persona.form.parameter_field_ids, persona.form.examples, persona.form.voice_ids)
    assert [len(each) for each in lists] == [2, 2, 2, 2]
    assert all(len((field.example or "").split(",")) == 2 for field in IMPORT_FIELDS if field.multi)


class TestPreview:
    def test_it_writes_nothing(self, run: Run, world: World, handlers: Handlers, tmp_path: Path) -> None:
        ada = world.save()
        rows = [plain(1, active_flag="perhaps"), plain(2, name="x" * 201), plain(3, persona_id=ada, name="New")]
        file = write(tmp_path / "file.csv", rows)
        before = world.contents()
        shown = run(file, "--update", "--dry-run", fails=1)
        assert set(handlers.calls) == {"search", "get"}
        assert world.contents() == before
        assert leftovers(tmp_path) == ["file.csv"]
        assert "row 2: active_flag: must be true or false" in shown.stdout
        assert "row 3: name: must have at most 200 characters" in shown.stdout
        assert "would create 0 and update 1 personas, in 2 calls" in shown.stdout
        assert "2 of 3 rows would be rejected" in shown.stderr

    def test_it_finds_what_the_library_does_not_have(self, run: Run, world: World, tmp_path: Path) -> None:
        # Given rows whose names are misspelt, ambiguous, unknown, and right
        world.add("departments", "Nursing", department("Nursing"))
        rows = [
            plain(1, color="Tael", departments=["Care", "Nusring"]),
            plain(2, icon="Beeting heart", voices=["Baas", "Alto"], parameter_fields=["Calm", "Mod: Angry", "Angri"]),
            plain(3, color="mauve"),
            plain(4, color="#16818a", icon="HEART-PULSE", departments=["sales"], parameter_fields=["Tone: calm"]),
        ]
        shown = run(write(tmp_path / "file.csv", rows), "--dry-run", fails=1)
        # Then each is reported, with similar names, and nothing else
        assert faults_in(shown) == [
            "row 2: color: there is no color 'Tael' in this group: did you mean 'Teal'?",
            "row 2: departments, entry 2: there is no department 'Nusring' in this group: did you mean 'Nursing'?",
            "row 3: icon: there is no icon 'Beeting heart' in this group: did you mean 'Beating heart'?",
            "row 3: parameter_fields, entry 1: 2 entries go by 'Calm': name it as \"parameter: field\"",
            "row 3: parameter_fields, entry 2: there is no parameter field 'Mod: Angry' in this group: "
            "did you mean 'Mood: Angry'?",
            "row 3: parameter_fields, entry 3: there is no parameter field 'Angri' in this group: "
            "did you mean 'Angry'?",
            "row 3: voices, entry 1: there is no voice 'Baas' in this group: did you mean 'Bass'?",
            "row 4: color: there is no color 'mauve' in this group",
        ]

    def test_what_it_lets_pass_is_saved_and_what_it_does_not_is_rejected(
        self, run: Run, world: World, tmp_path: Path
    ) -> None:
        # Given rows of which some are wrong in some way
        ada, busy = world.save(name="Ada"), world.save(name="Busy")
        world.cast("Ward", busy)
        rows = [
            plain(1),
            plain(2, color="Tael"),
            plain(3, persona_id=ada),
            plain(4, persona_id=busy),
            plain(5, persona_id=GROUP),
            plain(6, persona_id="x"),
            plain(7, persona_id=ada),
            plain(8, name=" "),
            plain(9, examples=["x"] * 51),
            plain(10, examples=[f"{number}" + "人" * 1_998 for number in range(50)], instructions="人" * 32_000),
        ]
        file = write(tmp_path / "file.csv", rows)
        shown = run(file, "--update", "--dry-run", fails=1)
        # When they are imported, then the same ones are rejected
        run(file, "--update", fails=1)
        assert {line.split(":")[0] for line in faults_in(shown)} == {
            f"row {number}" for number in (3, 5, 6, 7, 8, 9, 10, 11)
        }
        rejected = {row["name"] for row in lines(tmp_path / "file.rejected.csv")}
        assert rejected == {row["name"] for row in rows} - {"P0001", "P0003"}

    def test_a_row_lists_all_its_faults(self, run: Run, tmp_path: Path) -> None:
        row = plain(1, name="x" * 201, color="Tael", active_flag="perhaps", departments=["Cara"])
        file = write(tmp_path / "file.csv", [row])
        expected = [
            "active_flag: must be true or false",
            "name: must have at most 200 characters",
            "color: there is no color 'Tael' in this group: did you mean 'Teal'?",
            "departments, entry 1: there is no department 'Cara' in this group: did you mean 'Care'?",
        ]
        assert faults_in(run(file, "--dry-run", fails=1)) == [f"row 2: {fault}" for fault in expected]
        run(file, fails=1)
        (rejected,) = lines(tmp_path / "file.rejected.csv")
        assert rejected[REASON] == "; ".join(expected)

    def test_it_shows_what_an_update_would_change(self, run: Run, world: World, tmp_path: Path) -> None:
        ada = world.save(name="Ada", description="Old", departments=["Care"], examples=["One"], active_flag=True)
        bea, cleo = world.save(name="Bea"), world.save(name="Cleo")
        world.client().call("update", {"personas": [{"persona_id": cleo, "name": "Cleopatra"}]})
        same = {"color": "#16818A", "icon": "star", "instructions": "Ask before you answer."}
        rows = [
            {"persona_id": ada, "version": 1, "name": "Ada", **same, "color": "plum", "departments": ["Care", "Sales"]},
            {"persona_id": bea, "version": 1, "name": "Bea", **same},
            {"persona_id": cleo, "version": 1, "name": "Cleo", **same},
        ]
        shown = run(write(tmp_path / "file.csv", rows), "--update", "--dry-run", fails=1)
        table = [line.split() for line in shown.stdout.splitlines() if line.startswith("2 ")]
        assert table == [
            ["2", ada, "description", '"Old"', "cleared"],
            ["2", ada, "color", '"Teal"', '"Plum"'],
            ["2", ada, "active_flag", "true", "false"],
            ["2", ada, "departments", '["Care"]', '["Care",', '"Sales"]'],
            ["2", ada, "examples", '["One"]', "cleared"],
        ]
        assert "would create 0 and update 2 personas" in shown.stdout
        assert "1 of the updates would change nothing." in shown.stdout
        (lost,) = faults_in(shown)
        assert lost.startswith("row 4: changed by somebody else since it was exported: Version 1 was expected, and ")

    def test_it_looks_beyond_the_hundred_entries_that_a_form_offers(
        self, run: Run, world: World, tmp_path: Path
    ) -> None:
        for number in range(100):
            world.add("colors", f"A{number}", color(f"A{number}", f"#0000{number:02x}"))
        file = write(tmp_path / "file.csv", [plain(1, color="Teal"), plain(2, color="#6e2a59"), plain(3, color="Tael")])
        assert faults_in(run(file, "--dry-run", fails=1)) == [
            "row 4: color: there is no color 'Tael' in this group: did you mean 'Teal'?"
        ]

    def test_beyond_them_it_looks_only_among_the_departments_that_are_the_callers(
        self, run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a caller of more departments than a form offers, who sees a persona that is of a foreign one, too
        own = [world.add("departments", f"A{number:03}", department(f"A{number:03}")) for number in range(101)]
        world.profile("coach", departments=(*own, CARE))
        world.save(departments=["Care", "Sales"])
        monkeypatch.setenv("PERSONAS_KEY", world.key("coach"))
        file = write(tmp_path / "file.csv", [plain(1, departments=["A100"]), plain(2, departments=["Care", "Sales"])])
        # Then the foreign one is reported as refused by the service
        assert faults_in(run(file, "--dry-run", fails=1)) == [
            "row 3: departments, entry 2: there is no department 'Sales' in this group"
        ]
        assert run(file, fails=1).stdout == "1 created, 0 updated, 1 rejected.\n"

    @pytest.mark.parametrize("who", ["root", "coach"])
    def test_what_the_library_has_withdrawn_stays_where_the_persona_has_it(
        self, run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
    ) -> None:
        # Given a persona of which every link was withdrawn since, another such link that it has not, and its export
        links = {"color": "Plum", "icon": "Star", "voices": ["Bass"], "parameter_fields": ["Angry", "Tone: Calm"]}
        ada = world.save(name="Ada", departments=["Care"], **links)
        before = world.persona(ada)
        world.add("colors", "Plum", {**color("Plum", "#6E2A59"), "active": False})
        world.add("icons", "Star", {**icon("Star", "star"), "active": False})
        world.add("voices", "Bass", {"voice": "Bass", "generated": False, "active": False})
        world.add("fields", "Mood/Angry", field_row("Angry", active=False))
        world.add("fields", "Tone/Formal", field_row("Formal", active=False))
        world.add("parameters", "Tone", parameter("Tone", TONE_CALM, FORMAL, active=False))
        monkeypatch.setenv("PERSONAS_KEY", world.key(who))
        exported = tmp_path / "file.csv"
        exported.write_bytes(content(world, world.client().call("export", {})))
        (row,) = lines(exported)
        # When a row changes only the name, and another takes up what is withdrawn
        renamed = write(tmp_path / "file.csv", [{**row, "name": "Eve"}])
        taken = write(tmp_path / "more.csv", [{**row, "parameter_fields": "Formal"}])
        # Then the preview says what the import does
        shown = run(renamed, "--update", "--dry-run").stdout
        assert [line.split() for line in shown.splitlines() if line.startswith("2 ")] == [
            ["2", ada, "name", '"Ada"', '"Eve"']
        ]
        refused = ["row 2: parameter_fields, entry 1: there is no parameter field 'Formal' in this group"]
        assert faults_in(run(taken, "--update", "--dry-run", fails=1)) == refused
        assert run(renamed, "--update").stdout == "0 created, 1 updated, 0 rejected.\n"
        after = world.persona(ada)
        assert after.name.text == "Eve"
        assert (after.form.color_id, after.form.icon_id, after.form.voice_ids, after.form.parameter_field_ids) == (
            before.form.color_id,
            before.form.icon_id,
            before.form.voice_ids,
            before.form.parameter_field_ids,
        )
        assert "1 rejected" in run(taken, "--update", fails=1).stdout

    def test_it_shows_that_an_empty_cell_clears_the_instructions_of_a_persona_and_gives_a_new_one_none(
        self, run: Run, world: World, tmp_path: Path
    ) -> None:
        ada = world.save(name="Ada")
        rows = [plain(1, instructions=""), {**plain(2, persona_id=ada), "name": "Ada", "instructions": ""}]
        file = write(tmp_path / "file.csv", rows)
        shown = run(file, "--update", "--dry-run", fails=1)
        assert faults_in(shown) == ["row 2: instructions: is required"]
        assert ["3", ada, "instructions", '"Ask', "before", "you", 'answer."', "cleared"] in [
            line.split() for line in shown.stdout.splitlines()
        ]
        assert run(file, "--update", fails=1).stdout == "0 created, 1 updated, 1 rejected.\n"
        assert world.persona(ada).form.instructions.text == ""

    def test_it_tells_who_only_reads_that_nothing_would_be_saved(
        self, run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = world.save(departments=["Care"])
        file = write(tmp_path / "file.csv", [plain(1, departments=["Care"]), plain(2, persona_id=ada)])
        monkeypatch.setenv("PERSONAS_KEY", world.key("learner"))
        assert len(faults_in(run(file, "--update", "--dry-run", fails=1))) == 2

    def test_it_says_that_rejected_rows_are_in_the_way(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "file.rejected.csv").write_text("half corrected")
        assert "is there from an earlier import" in run(write(tmp_path / "file.csv", [plain(1)]), "--dry-run").stderr


class TestColleagues:
    """Somebody changes personas between an export and its import."""

    @pytest.fixture
    def file(self, world: World, tmp_path: Path) -> Path:
        """Provide an export whose owner changed both personas, while a colleague changed one of them."""
        ids = [world.save(name=name, description="Old") for name in ("Ada", "Bea")]
        text = content(world, world.client().call("export", {})).decode("utf-8-sig")
        world.client().call("update", {"personas": [{"persona_id": ids[0], "description": "Theirs"}]})
        path = tmp_path / "file.csv"
        path.write_text(text.replace("Old", "Mine"), encoding="utf-8", newline="")
        return path

    def described(self, world: World) -> dict[str, str | None]:
        rows = world.client().call("search", {}).body["personas"]
        return {row["name"]: row["description"] for row in rows}

    def test_a_change_of_theirs_survives(self, run: Run, world: World, file: Path) -> None:
        told = run(file, "--update", fails=1)
        assert told.stdout == "0 created, 1 updated, 1 rejected.\n"
        assert self.described(world) == {"Ada": "Theirs", "Bea": "Mine"}
        (lost,) = lines(file.with_name("file.rejected.csv"))
        assert lost["name"] == "Ada"
        at = recorded(world, lost["persona_id"])[2]
        assert lost[REASON] == (
            "changed by somebody else since it was exported: Version 1 was expected, and version 2 is stored. "
            f"Version 2 of {at}, by root, changed description. Look at the change, then set version to that."
        )

    def test_also_where_it_is_the_only_row(self, run: Run, world: World, file: Path) -> None:
        head, *rows = file.read_text().splitlines()
        file.write_text("\n".join([head, *(row for row in rows if "Ada" in row)]) + "\n")
        run(file, "--update", fails=1)
        assert self.described(world) == {"Ada": "Theirs", "Bea": "Old"}
        (lost,) = lines(file.with_name("file.rejected.csv"))
        assert "Version 1 was expected" in lost[REASON]

    def test_a_row_that_lost_is_taken_with_the_stored_version(self, run: Run, world: World, file: Path) -> None:
        run(file, "--update", fails=1)
        rejected = file.with_name("file.rejected.csv")
        rejected.write_text(rejected.read_text().replace(",1\n", ",2\n"))
        run(rejected, "--update")
        assert self.described(world) == {"Ada": "Mine", "Bea": "Mine"}

    def test_it_is_told_who_changed_what_in_each_version(
        self, run: Run, world: World, handlers: Handlers, file: Path
    ) -> None:
        # Given two more versions: one made by way of MCP, and one that brings an older version back
        (ada, *_) = (row["persona_id"] for row in lines(file) if row["name"] == "Ada")
        edit = {"persona_id": ada, "name": "Eve", "departments": ["Care"]}
        world.client(X_MCP="yes").call("update", {"personas": [edit]})
        Streamed(world.aws, world.guard).flow()
        world.client().call("restore", {"persona_id": ada, "version": 1})
        # When the file is imported, and before that looked at
        shown = run(file, "--update", "--dry-run", fails=1)
        run(file, "--update", fails=1)
        # Then both tell all of them, the latest first, and the rows that are saved cost no call
        at = recorded(world, ada)
        told = (
            f"Version 4 of {at[4]}, by root, brought back version 1 and changed name, description, departments. "
            f"Version 3 of {at[3]}, by root (MCP), changed name, departments. "
            f"Version 2 of {at[2]}, by root, changed description. "
        )
        (lost,) = lines(file.with_name("file.rejected.csv"))
        assert told in lost[REASON]
        (fault,) = faults_in(shown)
        assert fault.partition(": ")[2] == lost[REASON]
        assert handlers.calls.count("history") == 2

    def test_of_many_versions_the_latest_are_told(self, run: Run, world: World, file: Path) -> None:
        (ada, *_) = (row["persona_id"] for row in lines(file) if row["name"] == "Ada")
        for number in range(7):
            world.client().call("update", {"personas": [{"persona_id": ada, "description": f"{number}"}]})
        Streamed(world.aws, world.guard).flow()
        run(file, "--update", fails=1)
        (lost,) = lines(file.with_name("file.rejected.csv"))
        assert re.findall(r"Version (\d+) of", lost[REASON]) == ["9", "8", "7", "6", "5"]
        assert "There are 3 more since. Look at" in lost[REASON]

    def test_a_version_whose_record_is_not_there_yet_is_counted(self, run: Run, world: World, file: Path) -> None:
        (ada, *_) = (row["persona_id"] for row in lines(file) if row["name"] == "Ada")
        world.client().call("update", {"personas": [{"persona_id": ada, "description": "Later"}]})
        run(file, "--update", fails=1)
        (lost,) = lines(file.with_name("file.rejected.csv"))
        assert re.findall(r"Version (\d+) of", lost[REASON]) == ["3"]
        assert "There is 1 more since. Look at" in lost[REASON]

    @pytest.mark.parametrize("answer", [HIDDEN, NO_ROUTE, FORBIDDEN, BROKEN, FOREIGN], ids=lambda each: each[0])
    def test_a_service_that_does_not_tell_leaves_the_reason_as_it_was(
        self, run: Run, world: World, handlers: Handlers, file: Path, answer: tuple[str, int, object]
    ) -> None:
        _, status, body = answer
        handlers.instead["history"] = httpx2.Response(status, json=body)
        assert run(file, "--update", fails=1).stdout == "0 created, 1 updated, 1 rejected.\n"
        (lost,) = lines(file.with_name("file.rejected.csv"))
        assert lost[REASON] == (
            "changed by somebody else since it was exported: Version 1 was expected, and version 2 is stored. Look at "
            "the change, then set version to that."
        )

    def test_a_history_that_is_out_of_reach_is_given_up_for_all_rows(
        self, run: Run, world: World, handlers: Handlers, file: Path
    ) -> None:
        # Given two rows that lost
        for row in lines(file):
            world.client().call("update", {"personas": [{"persona_id": row["persona_id"], "description": "Later"}]})
        handlers.instead["history"] = httpx2.Response(503, json={"message": "Service Unavailable"})
        assert run(file, "--update", fails=1).stdout == "0 created, 0 updated, 2 rejected.\n"
        assert handlers.calls.count("history") == http_api.TRIES

    def test_without_versions_it_says_so_before_it_writes(
        self, run: Run, world: World, handlers: Handlers, file: Path
    ) -> None:
        def die(operation: str) -> None:
            if operation == "update":
                raise KeyboardInterrupt

        handlers.before = die
        told = run(file, "--update", "--skip", "version", fails=1)
        assert told.stderr.startswith(f"{file} has no column version: nothing guards what others have changed")
        assert self.described(world) == {"Ada": "Theirs", "Bea": "Old"}

    def test_rows_without_a_version_are_counted(self, run: Run, file: Path) -> None:
        file.write_text(file.read_text().replace(",1\n", ",\n", 1))
        told = run(file, "--update", "--dry-run", fails=None)
        assert told.stderr.startswith(f"1 of the rows of {file} has no version: nothing guards")

    def test_copies_are_not_made_unasked(self, run: Run, world: World, file: Path) -> None:
        # Given nobody to ask, then one line says what to do
        refused = run(file, fails=1)
        assert refused.stderr == (
            f"Error: {file} has ids in persona_id, as an export has: it makes copies of 2 personas. Make them? "
            "Give --update to change them instead, or --yes.\n"
        )
        assert world.names() == ["Ada", "Bea"]
        run(file, "--yes")
        assert world.names() == ["Ada", "Ada", "Bea", "Bea"]

    @pytest.mark.parametrize(("answer", "made"), [("y\n", True), ("n\n", False), ("\n", False)])
    def test_who_can_be_asked_is_asked(
        self, run: Run, world: World, file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, made: bool
    ) -> None:
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
        told = run(file, fails=not made, says=answer)
        assert "it makes copies of 2 personas. Make them? [y/N]" in told.stderr
        assert len(world.names()) == (4 if made else 2)


def test_update_changes_what_has_a_column(run: Run, world: World, tmp_path: Path) -> None:
    # Given a persona and a file with three of its columns, and a row without an id
    ada = world.save(description="Old", examples=["One"], departments=["Care"])
    rows = [{"persona_id": ada.upper(), "name": "Ada II", "description": ""}, plain(2)]
    file = write(tmp_path / "file.csv", rows, ["persona_id", "name", "description", "color", "icon", "instructions"])
    content = file.read_text().splitlines()
    content[1] = f"{ada.upper()},Ada II,"  # as spreadsheets write a row whose last cells are empty
    file.write_text("\n".join(content) + "\n")
    told = run(file, "--update").stdout
    # Then an empty cell clears, one that is not there or has no column leaves as it is, and the row without id is new
    persona = world.persona(ada)
    assert (persona.name.text, persona.form.description, persona.version) == ("Ada II", None, 2)
    assert (persona.form.color_id, [each.text for each in persona.form.examples]) == (TEAL, ["One"])
    assert persona.department_ids == (CARE,)
    assert told == "1 created, 1 updated, 0 rejected.\n"
    assert world.names() == ["Ada II", "P0002"]


def test_an_update_that_names_a_persona_twice_or_none(run: Run, world: World, tmp_path: Path) -> None:
    ada = world.save()
    rows = [{"persona_id": ada, "name": "First"}, {"persona_id": ada, "name": "Second"}, {"persona_id": GROUP}]
    file = write(tmp_path / "file.csv", rows, ["persona_id", "name"])
    run(file, "--update", fails=1)
    assert world.names() == ["First"]
    reasons = [row[REASON] for row in lines(tmp_path / "file.rejected.csv")]
    assert reasons == [
        "persona_id: row 2 changes the same persona",
        "name: is required and cannot be cleared",
    ]
    assert "no column persona_id" in run(write(tmp_path / "b.csv", [], ["name"]), "--update", fails=1).stderr


def test_rejected_rows_are_corrected_and_sent_again(run: Run, world: World, tmp_path: Path) -> None:
    # Given a file of 120 rows made by hand, three of which cannot be saved, each for another reason
    file = tmp_path / "file.csv"
    head = "name;color;icon;instructions;departments;examples;active_flag"
    body = [f"P{number:04};Teal;star;Be kind.;Care, Sales;;" for number in range(117)]
    wrong = ["=Bad;Tael;star;Hm.;Care, Sals;;", "Odd;Teal;star;Hm.;Care;;maybe", "Long;Teal;star;Hm.;Care;;;;x"]
    file.write_text("\n".join([head, *body, *wrong]) + "\n")
    # When it is imported
    failed = run(file, fails=1)
    assert "117 created, 0 updated, 3 rejected." in failed.stdout
    rejected = tmp_path / "file.rejected.csv"
    assert str(rejected) in failed.stderr
    # Then the three are in a file of the same form, with what is wrong
    first, *rest = rejected.read_text().splitlines()
    assert first == f"{REASON};{head}"
    assert "color: " in rest[0]
    assert "departments: there is no department 'Sals'" in rest[0]
    assert rest[0].endswith(";=Bad;Tael;star;Hm.;Care|Sals;;")
    assert "active_flag: must be true or false" in rest[1]
    assert "has 9 cells" in rest[2]
    # And when they are corrected, they are imported, under the names that they have in the file
    text = rejected.read_text().replace("Tael", "Teal").replace("Sals", "Sales").replace("maybe", "yes")
    rejected.write_text(text.replace(";;;;x", ";;"))
    assert run(rejected).stdout == "3 created, 0 updated, 0 rejected.\n"
    assert len(world.names()) == 120
    assert {"=Bad", "Odd", "Long"} < set(world.names())


def test_a_workbook_is_imported_and_its_rejected_rows_too(run: Run, world: World, tmp_path: Path) -> None:
    # Given a workbook as people make it, of texts, numbers and others
    book = Workbook()
    for line in (
        ["Name", "Color", "Icon", "Instructions", "Description", "Active", "Departments"],
        ["0012", "Teal", "star", "Be kind.", "1E5", True, "Care, Sales"],
        ["Two", "Teal", "star", "Be kind.", 12, "WAHR", None],
        ["=1+1", "Tael", "star", "Be kind.", None, None, "Nursing"],
    ):
        book.worksheets[0].append(line)
    file = tmp_path / "file.xlsx"
    book.save(file)
    # When it is imported
    assert run(file, fails=1).stdout == "2 created, 0 updated, 1 rejected.\n"
    rows = world.client().call("search", {}).body["personas"]
    assert [(row["name"], row["description"], row["is_inactive"]) for row in rows] == [
        ("0012", "1E5", False),
        ("Two", "12", False),
    ]
    # Then the row that was not saved is in a workbook, with the reasons, and is imported when it is corrected
    rejected = tmp_path / "file.rejected.xlsx"
    book = load_workbook(rejected)
    head, row = book.worksheets[0].iter_rows()
    assert head[0].value == REASON
    assert str(row[0].value).startswith(
        "name: is a formula: copy the column, and paste it as values; color: there is no"
    )
    for column, value in ((1, "Three"), (2, "Teal"), (7, "Care")):
        row[column].value = value
    book.save(rejected)
    run(rejected)
    assert world.names() == ["0012", "Three", "Two"]


def test_corrections_are_not_overwritten(run: Run, world: World, tmp_path: Path) -> None:
    file = write(tmp_path / "file.csv", [plain(1)])
    (tmp_path / "file.rejected.csv").write_text("half corrected")
    assert "is there from an earlier import" in run(file, fails=1).stderr
    assert (tmp_path / "file.rejected.csv").read_text() == "half corrected"
    assert world.names() == []


@pytest.mark.parametrize("moment", ["before the call", "after the call", "before the journal", "after the journal"])
@pytest.mark.parametrize("updates", [False, True])
def test_killed_at_any_moment_and_run_again(
    run: Run,
    world: World,
    handlers: Handlers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    updates: bool,
) -> None:
    # Given a file of four batches, and a process that dies at the second
    monkeypatch.setattr(sending, "ITEMS_MAX", 5)
    ids = [world.save() for _ in range(3)] if updates else []
    rows = [plain(number, persona_id=ids[number] if number < len(ids) else "") for number in range(20)]
    file = write(tmp_path / "file.csv", rows)
    options = ("--update",) if updates else ()
    calls = Counter[str]()
    settle = Journal.settle

    def die_at_second(when: str) -> None:
        calls[when] += 1
        if when == moment and calls[when] == 2:
            raise Killed

    def dying_settle(journal: Journal, outcomes: Mapping[int, sending.Outcome]) -> None:
        die_at_second("before the journal")
        settle(journal, outcomes)
        die_at_second("after the journal")

    handlers.before = lambda operation: die_at_second("before the call") if operation in ("create", "update") else None
    handlers.after = lambda operation: die_at_second("after the call") if operation in ("create", "update") else None
    monkeypatch.setattr(Journal, "settle", dying_settle)
    with pytest.raises(Killed):
        run(file, *options)
    # When it is run again
    world.restart()
    told = run(file, *options)
    # Then each row was saved once, and nothing is left behind
    assert "Going on after" in told.stderr
    assert told.stdout == f"{20 - len(ids)} created, {len(ids)} updated, 0 rejected.\n"
    assert world.names() == [f"P{number:04}" for number in range(20)]
    assert [world.persona(each).version for each in ids] == [2] * len(ids)
    assert leftovers(tmp_path) == ["file.csv"]
    sent = [key for key in handlers.keys if key is not None]
    assert len(sent) - len(set(sent)) == (moment in ("after the call", "before the journal"))


def test_a_repeat_after_the_keys_are_forgotten_makes_nothing_twice(
    run: Run, world: World, handlers: Handlers, tmp_path: Path
) -> None:
    # Given an import whose process died after the call, and a journal and records of keys that are both gone
    file = write(tmp_path / "file.csv", [plain(number) for number in range(3)])
    handlers.after = lambda operation: (_ for _ in ()).throw(Killed) if operation == "create" else None
    with pytest.raises(Killed):
        run(file)
    handlers.after = lambda operation: None
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    world.expire_idempotency("expiration", 0)
    # When it is run again, with one of them deleted since, then that one comes back and nothing is there twice.
    gone = world.client().call("search", {}).body["personas"][0]["persona_id"]
    world.client().call("delete", {"persona_ids": [gone]})
    told = run(file).stdout
    assert told.startswith("1 created, 0 updated, 0 rejected.\n2 more were there already")
    assert world.names() == ["P0000", "P0001", "P0002"]


def test_a_file_that_changed_while_its_import_was_interrupted(
    run: Run, world: World, handlers: Handlers, tmp_path: Path
) -> None:
    file = write(tmp_path / "file.csv", [plain(1)])
    handlers.after = lambda operation: (_ for _ in ()).throw(Killed) if operation == "create" else None
    with pytest.raises(Killed):
        run(file)
    handlers.after = lambda operation: None
    write(file, [plain(1), plain(2)])
    assert "have changed" in run(file, fails=1).stderr
    assert world.names() == ["P0001"]


def test_a_busy_service_is_asked_again(run: Run, world: World, handlers: Handlers, tmp_path: Path) -> None:
    # Given a service whose first answers get lost or are errors of the gateway
    trouble = iter([httpx2.ReadTimeout("slow"), httpx2.ConnectError("refused"), httpx2.RemoteProtocolError("cut")])

    def after(operation: str) -> None:
        if operation == "create" and (error := next(trouble, None)):
            raise error

    handlers.after = after
    file = write(tmp_path / "file.csv", [plain(number) for number in range(3)])
    assert run(file).stdout == "3 created, 0 updated, 0 rejected.\n"
    assert handlers.calls.count("create") == 4
    assert world.names() == ["P0000", "P0001", "P0002"]


def test_rows_that_the_service_had_no_time_for_are_sent_again(
    run: Run, world: World, handlers: Handlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a service that finds no time to begin some of the items of two calls, and a row that is wrong
    chunk = True
    in_time = iter([chunk, True, False, False, True, True, chunk, False])
    monkeypatch.setattr(Deadline, "has_time_for_another_item", lambda deadline: next(in_time, True))
    file = write(tmp_path / "file.csv", [*(plain(number) for number in range(4)), plain(4, color="Tael")])
    assert "4 created, 0 updated, 1 rejected." in run(file, fails=1).stdout
    assert handlers.calls.count("create") == 3
    assert world.names() == [f"P{number:04}" for number in range(4)]


def test_a_service_that_stays_away_ends_the_import_and_keeps_what_was_done(
    run: Run, world: World, handlers: Handlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ITEMS_MAX", 2)
    file = write(tmp_path / "file.csv", [plain(number) for number in range(5)])

    def before(operation: str) -> None:
        if operation == "create" and handlers.calls.count("create") == 1:
            raise httpx2.ConnectError("refused")

    handlers.before = before
    stopped = run(file, fails=1)
    assert "refused" in stopped.stderr
    assert "2 of 5 rows are done. Run the command again to go on." in stopped.stderr
    handlers.before = lambda operation: None
    assert run(file).stdout == "5 created, 0 updated, 0 rejected.\n"
    assert len(world.names()) == 5


def test_a_key_that_may_not_write(run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "file.csv", [plain(1), plain(2)])
    monkeypatch.setenv("PERSONAS_KEY", "psk.unknown.key")
    assert "401" in run(file, fails=1).stderr
    monkeypatch.setenv("PERSONAS_KEY", world.key("learner"))
    run(file, fails=1)
    assert len(lines(tmp_path / "file.rejected.csv")) == 2
    assert world.names() == []


def test_large_texts_are_sent_in_calls_that_the_service_takes(
    run: Run, world: World, handlers: Handlers, tmp_path: Path
) -> None:
    # Given 40 personas of 96,000 bytes each: more than one call takes, and one row that fits none
    rows = [plain(number, instructions=f"{number} " + "人" * 31_990) for number in range(40)]
    rows.append(plain(40, description="x" * 1_000_001))
    run(write(tmp_path / "file.csv", rows), fails=1)
    assert len(world.names()) == 40
    assert handlers.calls.count("create") == 4
    (rejected,) = lines(tmp_path / "file.rejected.csv")
    assert "at most 1000000 can be sent" in rejected[REASON]
