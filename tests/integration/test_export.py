"""export: the file holds what search finds, in cells that can be read back; where it cannot, there is no file."""

import io
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from unicodedata import normalize

import pandas
import pytest
from botocore.exceptions import EndpointConnectionError

from personas.domain.exporting import HEADER
from personas.domain.persona import Persona
from personas.runtime import LAST_CALL, deadline
from personas.views.export_segments import EXPORT_VIEW
from support.client import Answer
from support.environments import Environment, Request, Steps, of_the_table
from support.exported import cells, content, objects, open_uploads, records, values
from support.views import Views
from support.world import ANGRY, CALM, CARE, FORMAL, GROUP, LEGAL, NOBODY, SALES, TONE_CALM, World, entry_id, fault

WARD: Final = entry_id("scenarios", "Ward")

FILTERS: Final[tuple[Mapping[str, object], ...]] = (
    {},
    {"scenario_ids": [WARD]},
    {"field_ids": [CALM]},
    {"field_ids": [CALM, ANGRY, TONE_CALM]},
    {"filter_department_ids": [CARE]},
    {"filter_department_ids": [SALES, LEGAL]},
    {"search": "ada"},
    {"search": "ada", "field_ids": [FORMAL], "filter_department_ids": [CARE]},
    {"scenario_ids": [NOBODY]},
)
PEOPLE: Final = ("root", "coach", "loner", "learner", "stranger")


@pytest.fixture
def env(world: World) -> Environment:
    return Environment(world)


@pytest.fixture
def views(world: World) -> Views:
    return Views(world)


def exported(env: Environment, *, who: str = "root", **body: object) -> list[dict[str, str]]:
    """Return the rows of an export."""
    answer = env.call("export", body, who=who)
    rows = cells(content(env.world, answer))
    assert answer.body["row_count"] == len(rows)
    return rows


def names(env: Environment, *, who: str = "root", **body: object) -> list[str]:
    return sorted(row["name"] for row in exported(env, who=who, **body))


def paged_through(env: Environment, who: str, body: Mapping[str, object]) -> list[str]:
    """Return the ids that a search finds, page by page."""
    found: list[str] = []
    while True:
        page = env.search(who=who, page_size=3, page_offset=len(found), **body)
        found += [persona["persona_id"] for persona in page["personas"]]
        if len(found) >= page["total_count"]:
            return found


def house(env: Environment) -> dict[str, str]:
    """Save personas that differ in everything, and return their ids by name."""
    made: dict[str, dict[str, object]] = {
        "Ada": {"departments": ["Care"], "parameter_fields": ["Mood: Calm", "Formal"], "voices": ["Alto"]},
        "Bea": {"departments": ["Care", "Sales"], "parameter_fields": ["Tone: Calm"], "color": "Plum"},
        "Cleo": {"departments": ["Sales"], "icon": "Beating heart", "voices": ["Alto", "Bass"]},
        "Dora": {"parameter_fields": ["Angry"], "active_flag": True},
        "Eve": {"departments": ["Legal"], "parameter_fields": ["Mood: Calm", "Tone: Calm"]},
        "Fay": {"description": "Like Ada"},
        "Gil": {"departments": ["Care"]},
    }
    found = {name: env.save(name=name, **fields) for name, fields in made.items()}
    env.world.cast("Ward", found["Ada"], found["Bea"], active=False)
    return found


def rewritten(env: Environment, ids: Mapping[str, str]) -> None:
    """Make changes of every kind."""
    env.update(ids["Cleo"], name="Ada Cleo", departments=["Care"])
    env.update(ids["Ada"], instructions="Be new.", parameter_fields=["Angry", "Formal"])
    env.update(ids["Gil"], departments=["Legal"])
    env.delete(ids["Eve"])
    env.save(name="Hal", description="ADA's brother", departments=["Care"], parameter_fields=["Formal"])


def never_refreshed(env: Environment) -> None:
    rewritten(env, house(env))


def refreshed(env: Environment) -> None:
    never_refreshed(env)
    env.refresh()


def written_since(env: Environment) -> None:
    ids = house(env)
    env.refresh()
    rewritten(env, ids)


def refreshed_twice(env: Environment) -> None:
    ids = house(env)
    env.refresh()
    env.update(ids["Bea"], name="Ada Bea")
    env.refresh()
    rewritten(env, ids)


@pytest.mark.parametrize("history", [never_refreshed, refreshed, written_since, refreshed_twice])
def test_it_holds_what_search_pages_through(history: Callable[[Environment], None], env: Environment) -> None:
    history(env)
    for who in PEOPLE:
        for body in FILTERS:
            rows = exported(env, who=who, **body)
            assert [row["persona_id"] for row in rows] == sorted(paged_through(env, who, body)), (who, body)


class TestCells:
    HOSTILE: Final = (
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "=cmd|' /C calc'!A0",
        "\uff1d1+1",
        "\uff0b1",
        "\u200b=1",
        "'=1",
        "'plain'",
        'a "quoted", text',
        "two\r\nlines\rand\nmore",
        "a|b\\c\\|d|",
        "\\",
        "NULL",
        "nan",
        "007",
        "1e5",
        "true",
        ";=1",
        "👩‍⚕️ été \u2028 \u00a0",
        "日本語",
    )

    @pytest.fixture
    def personas(self, env: Environment) -> list[Persona]:
        """Save personas of hostile texts, and return them as they are stored, in the order of their ids."""
        ids = [
            env.save(name=text, description=text, instructions=text, examples=[text, f"|{text}"], voices=["Bass"])
            for text in self.HOSTILE
        ]
        ids.append(env.save(description="x" * 2_000, instructions="é" * 32_000, examples=["="] * 1))
        env.refresh()
        return [env.world.persona(each) for each in sorted(ids)]

    def test_csv_reads_back_every_text(self, env: Environment, personas: list[Persona]) -> None:
        found = [values(row) for row in exported(env)]

        assert [(row["name"], row["description"], row["instructions"], row["examples"]) for row in found] == [
            (
                each.name.text,
                each.form.description.text if each.form.description else "",
                each.form.instructions.text,
                [example.text for example in each.form.examples],
            )
            for each in personas
        ]

    def test_pandas_reads_the_same_cells(self, env: Environment, personas: list[Persona]) -> None:
        file = content(env.world, env.call("export", {}))
        read = pandas.read_csv(io.BytesIO(file), dtype=str, keep_default_na=False)
        assert read.to_dict("records") == cells(file)

    def test_no_cell_begins_as_a_formula(self, env: Environment, personas: list[Persona]) -> None:
        for row in exported(env):
            for name, cell in row.items():
                seen = normalize("NFKC", cell.lstrip(" \t\r\n\u200b"))
                assert not seen.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), name

    def test_it_is_rfc_4180_in_utf_8_with_a_mark(self, env: Environment) -> None:
        persona_id = env.save(name='A, "B"', description="Zoë\nand Bo")
        file = content(env.world, env.call("export", {}))
        assert file.decode() == (
            "\ufeffpersona_id,name,description,color,icon,instructions,active_flag,departments,parameter_fields,examples,"
            f'voices,version\r\n{persona_id},"A, ""B""","Zoë\nand Bo",Teal,Star,Ask before you answer.,false,,,,,1\r\n'
        )

    def test_what_was_exported_can_be_created_again(self, env: Environment, world: World) -> None:
        house(env)
        env.refresh()
        before = exported(env)
        env.delete(*(row["persona_id"] for row in before))
        assert exported(env) == []

        for row in before:
            given = {name: value for name, value in values(row).items() if value != ""}
            answer = env.call("create", {"personas": [given]})
            assert answer.status == 200, answer.text

        def told(rows: list[dict[str, str]]) -> list[list[str]]:
            return sorted([cell for name, cell in row.items() if name != "persona_id"] for row in rows)

        assert told(exported(env)) == told(before)

    def test_names_are_those_that_find_the_entry_again(self, env: Environment, world: World) -> None:
        world.add("colors", "Other teal", {"name": "Teal", "hex_code": "#0A0B0C", "description": None})
        env.save(color="#0a0b0c", parameter_fields=["Mood: Calm", "Formal"], departments=["Care", "Sales"])
        (row,) = exported(env)
        assert (row["color"], row["parameter_fields"]) == ("#0A0B0C", "Mood: Calm|Formal")
        assert row["departments"] == "Care|Sales"


class TestAnswer:
    def test_it_names_the_file(self, env: Environment, world: World) -> None:
        env.save()
        answer = env.call("export", {})
        assert answer.body.keys() == {"upload_id", "file_name", "row_count"}
        assert pandas.to_datetime(answer.body["file_name"], format="personas_export_%Y-%m-%d_%H%M%S.csv", utc=True)

    def test_no_match_is_a_file_of_the_header(self, env: Environment) -> None:
        env.save()
        answer = env.call("export", {"search": "nobody"})
        assert answer.body["row_count"] == 0
        assert content(env.world, answer).decode() == "\ufeff" + ",".join(HEADER) + "\r\n"

    def test_one_persona(self, env: Environment) -> None:
        ids = house(env)
        env.refresh()
        assert names(env, persona_id=ids["Bea"]) == ["Bea"]
        assert names(env, persona_id=ids["Bea"], search="Ada") == []

    @pytest.mark.parametrize("who", ["coach", "stranger"])
    def test_one_that_cannot_be_seen_is_404_as_one_that_is_not_there(self, who: str, env: Environment) -> None:
        persona_id = house(env)["Eve"]
        for asked in (persona_id, NOBODY):
            answer = env.call("export", {"persona_id": asked}, who=who)
            assert fault(answer) == (404, "not_found")
            assert answer.body["detail"] == f"There is no persona {asked}."
        assert objects(env.world) == []

    def test_unknown_fields_are_ignored(self, env: Environment) -> None:
        env.save()
        assert len(exported(env, group_id=NOBODY, page_size=3)) == 1


# ---- Where the personas come from ----------------------------------------------------------------------------------


def from_table(steps: Steps) -> list[str]:
    """Return the requests to the table in which personas were read."""
    keys = [str(each.params) for each in steps.requests if each.operation == "BatchGetItem"]
    return [each for each in keys if "persona#" in each]


class TestSource:
    def test_what_was_refreshed_is_read_from_the_blocks_alone(self, env: Environment) -> None:
        house(env)
        env.refresh()
        with env.stepping(Steps()) as steps:
            assert len(exported(env)) == 7
        assert from_table(steps) == []

    def test_only_what_was_written_since_is_read_from_the_table(self, env: Environment) -> None:
        ids = house(env)
        env.refresh()
        env.update(ids["Cleo"], name="Cleopatra")
        with env.stepping(Steps()) as steps:
            assert "Cleopatra" in names(env)
        (request,) = from_table(steps)
        assert ids["Cleo"] in request
        assert ids["Ada"] not in request

    def test_of_the_blocks_only_that_of_the_persona_is_fetched(
        self, env: Environment, views: Views, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given seven personas in four blocks
        monkeypatch.setattr("personas.views.export_segments.BLOCK_ENTRIES", 2)
        persona_id = sorted(house(env).values())[2]
        env.refresh()
        (segment,) = views.manifest.segments
        first, second, *_ = segment.blocks
        # When the third is exported
        with env.stepping(Steps()) as steps:
            env.call("export", {"persona_id": persona_id})
        # Then the second block is all that is read of them
        fetched = [each.params["Range"] for each in steps.requests if each.key == segment.key]
        assert fetched == [f"bytes={first.length}-{first.length + second.length - 1}"]

    def lose_manifest(self, views: Views) -> None:
        views.remove(views.key(EXPORT_VIEW))

    def damage_manifest(self, views: Views) -> None:
        views.put(views.key(EXPORT_VIEW), b"nonsense")

    def lose_segment(self, views: Views) -> None:
        views.remove(views.manifest.segments[0].key)

    def damage_block(self, views: Views) -> None:
        key = views.manifest.segments[0].key
        spoilt = bytearray(views.content(key))
        spoilt[-9] ^= 1
        views.put(key, bytes(spoilt))

    def cut_segment(self, views: Views) -> None:
        key = views.manifest.segments[0].key
        views.put(key, views.content(key)[:-9])

    @pytest.mark.parametrize("harm", [lose_manifest, damage_manifest, lose_segment, damage_block, cut_segment])
    def test_where_the_blocks_are_lost_the_table_serves(
        self, harm: Callable[["TestSource", Views], None], env: Environment, views: Views, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr("personas.views.export_segments.BLOCK_ENTRIES", 2)
        house(env)
        env.refresh()
        before = exported(env)
        harm(self, views)

        with env.stepping(Steps()) as steps:
            assert exported(env) == before

        assert from_table(steps)
        assert env.world.queued() == [GROUP]

    def test_the_log_tells_why_the_blocks_cannot_be_used(
        self, env: Environment, views: Views, logged: io.StringIO
    ) -> None:
        house(env)
        env.refresh()
        self.lose_segment(views)

        env.call("export", {})

        (warning,) = [each for each in map(json.loads, logged.getvalue().splitlines()) if each["level"] == "WARNING"]
        lost = views.manifest.segments[0].key
        assert (warning["key"], warning["reason"]) == (views.key(EXPORT_VIEW), f"{lost} is missing")


class TestRaces:
    """Somebody writes between the moment when the personas are chosen and the one when they are read."""

    @pytest.fixture
    def changed(self, env: Environment) -> Callable[[Callable[[str], object]], list[str]]:
        """Return a function that exports "Ada" as coach, while ``act`` changes one of that name; it returns names."""
        persona_id = env.save(name="Ada", departments=["Care"])
        other = Environment(env.world)

        def exporting(act: Callable[[str], object]) -> list[str]:
            def reading(request: Request) -> bool:
                return request.operation == "BatchGetItem" and "persona#" in str(request.params)

            with env.stepping(Steps.interrupted(0, lambda: act(persona_id), reading)) as steps:
                found = names(env, who="coach", search="ada")
            assert steps.met == 1
            return found

        self.other = other
        return exporting

    def test_a_persona_that_still_matches_is_there_as_it_is_now(self, changed: Any) -> None:
        assert changed(lambda each: self.other.update(each, name="Ada II")) == ["Ada II"]

    def test_one_that_no_longer_matches_is_left_out(self, changed: Any) -> None:
        assert changed(lambda each: self.other.update(each, name="Bea")) == []

    def test_one_that_may_no_longer_be_seen_is_left_out(self, changed: Any) -> None:
        assert changed(lambda each: self.other.update(each, departments=["Sales"])) == []

    def test_one_that_is_deleted_is_left_out(self, changed: Any) -> None:
        assert changed(self.other.delete) == []


# ---- What can go wrong ---------------------------------------------------------------------------------------------


class TestFailures:
    @pytest.fixture(autouse=True)
    def _small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let files have several parts without megabytes of personas."""
        monkeypatch.setattr("personas.store.objects.PART_BYTES", 4_000)
        monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 4_000)
        monkeypatch.setattr("personas.operations.export.LOADED_AT_ONCE", 3)

    @pytest.fixture
    def large(self, env: Environment) -> None:
        """Save a group whose file has five parts."""
        for number in range(10):
            env.save(name=f"Ada {number}", instructions=f"{number}" * 2_000)
        env.refresh()

    def failing(self, env: Environment, act: Callable[[], object], among: Callable[[Request], bool]) -> Answer:
        """Return the answer if something happens right before the second of those requests."""
        with env.stepping(Steps.interrupted(1, act, among)) as steps:
            answer = env.call("export", {})
        assert steps.met >= 2
        return answer

    def nothing_is_left(self, world: World) -> bool:
        return (objects(world), open_uploads(world), records(world)) == ([], [], [])

    @pytest.mark.usefixtures("large")
    def test_a_file_of_several_parts_is_whole(self, env: Environment) -> None:
        with env.stepping(Steps()) as steps:
            assert names(env) == [f"Ada {number}" for number in range(10)]
        assert [each.operation for each in steps.requests].count("UploadPart") == 6
        assert open_uploads(env.world) == []

    @pytest.mark.usefixtures("large")
    def test_where_a_part_cannot_be_stored_nothing_is_left(self, env: Environment) -> None:
        def fail() -> None:
            deadline().start(LAST_CALL)  # so that it is not tried again
            raise EndpointConnectionError(endpoint_url="https://s3.test")

        answer = self.failing(env, fail, lambda request: request.operation == "UploadPart")

        assert fault(answer) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        assert self.nothing_is_left(env.world)

    @pytest.mark.usefixtures("large")
    def test_where_the_blocks_cannot_be_fetched_nothing_is_left(
        self, env: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> None:
            deadline().start(LAST_CALL)  # so that it is not tried again
            raise EndpointConnectionError(endpoint_url="https://s3.test")

        monkeypatch.setattr("personas.views.export_segments.READ_AHEAD", 1)
        answer = self.failing(
            env, fail, lambda request: request.operation == "GetObject" and EXPORT_VIEW in request.key
        )

        assert fault(answer) == (503, "unavailable")
        assert self.nothing_is_left(env.world)

    @pytest.mark.usefixtures("large")
    def test_where_the_time_is_over_half_way_it_says_so_and_nothing_is_left(self, env: Environment) -> None:
        answer = self.failing(
            env, lambda: deadline().start(timedelta(seconds=4)), lambda request: request.operation == "UploadPart"
        )

        assert fault(answer) == (503, "export_unfinished")
        assert answer.headers["Retry-After"] == "30"
        assert self.nothing_is_left(env.world)

    @pytest.mark.usefixtures("large")
    def test_where_there_is_no_time_at_all_nothing_is_begun(self, env: Environment) -> None:
        answer = env.call("export", {}, remaining_ms=5_000)

        assert fault(answer) == (503, "export_unfinished")
        assert self.nothing_is_left(env.world)

    def test_where_it_cannot_be_recorded_nobody_is_told_of_it(self, env: Environment) -> None:
        env.save()

        def refuse() -> None:
            deadline().start(timedelta(0))
            raise EndpointConnectionError(endpoint_url="https://dynamodb.test")

        def puts_the_record(request: Request) -> bool:
            return request.operation == "PutItem" and of_the_table(request)

        with env.stepping(Steps.interrupted(0, refuse, puts_the_record)) as steps:
            answer = env.call("export", {})

        assert steps.met == 1
        assert fault(answer) == (503, "unavailable")
        assert records(env.world) == []
