"""Tests of eight or sixteen processes at once on the emulator.

No write is lost, none is made twice, and versions count the writes. moto cannot show this: in one process it loses
updates under threads.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import batched, count
from random import Random
from typing import Any, Final, cast
from uuid import uuid4

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from personas.contract.update import UpdatePersonaRequest
from personas.domain.history import PastVersion
from personas.domain.profile import Caller, Profile
from personas.errors import PersonasError
from personas.operations.update import update_personas
from personas.services import services
from personas.store.attempts import ConditionFailed
from personas.store.history import HistoryStore, HistoryTable
from personas.store.write_rule import OneTime
from personas_tools import invocation
from personas_tools.invocation import Json
from personas_tools.streams import Stream, StreamReader
from support.client import Answer, Client, Context, load_handler
from support.faults import Faults, Sending, closed, lost_after, lost_as_500, passed, timed_out, to
from support.racers import Call, Racers
from support.streamed import source_of
from support.versions import eventually
from support.warm import warm_client
from support.world import (
    ACTIVE,
    ALTO,
    CARE,
    GROUP,
    HEART,
    MOOD_CALM,
    NEEDED,
    PEOPLE,
    PLUM,
    STAR,
    TEAL,
    World,
    entry_id,
    result,
    text_id,
)

pytestmark = pytest.mark.emulator

PROCESSES: Final = 8
CROWD: Final = 16
_numbers = count()


@pytest.fixture(scope="module")
def world(emulated: World) -> World:
    return emulated


@pytest.fixture(scope="module")
def racers(world: World) -> Iterator[Racers]:
    """Start eight processes that call as the same profile."""
    started = Racers(world.aws.environment, {"x-api-key": world.key("root")}, PROCESSES)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def crowd(world: World) -> Iterator[Racers]:
    """Start sixteen such processes."""
    started = Racers(world.aws.environment, {"x-api-key": world.key("root")}, CROWD)
    started.start()
    yield started
    started.stop()


client = pytest.fixture(warm_client)


@pytest.fixture
def persona_id(client: Client) -> str:
    answer = client.call("create", {"personas": [{**NEEDED, "name": f"Racer {next(_numbers)}"}]})
    return str(result(answer)["persona_id"])


def statuses(answers: list[list[Answer]]) -> Counter[int]:
    return Counter(answer.status for some in answers for answer in some)


def version_of(world: World, persona_id: str) -> int:
    stored = world.stored(persona_id)
    assert stored is not None
    return stored.version


def entry_of(client: Client, draft_id: str) -> dict[str, Any]:
    (entry,) = [each for each in client.call("drafts").body["entries"] if each["id"] == draft_id]
    return dict(entry)


class TestDraftPatches:
    VERSIONS: Final = 15

    @pytest.fixture
    def draft_id(self, client: Client) -> str:
        return str(client.call("draft", {}).body["draft_id"])

    def test_of_those_that_expect_the_same_version_one_wins(
        self, racers: Racers, client: Client, draft_id: str
    ) -> None:
        answers = racers.race(
            [
                [
                    Call(
                        "draft", {"input_draft_id": draft_id, "expected_version": version, "name": f"{racer}/{version}"}
                    )
                    for version in range(1, self.VERSIONS + 1)
                ]
                for racer in range(PROCESSES)
            ]
        )
        wins = Counter(answer.body["new_version"] - 1 for some in answers for answer in some if answer.status == 200)
        assert statuses(answers) == {200: self.VERSIONS, 409: (PROCESSES - 1) * self.VERSIONS}
        assert wins == dict.fromkeys(range(1, self.VERSIONS + 1), 1)

    def test_the_version_ends_at_the_number_of_wins_and_the_last_winner_stands(
        self, racers: Racers, client: Client, draft_id: str
    ) -> None:
        answers = racers.race(
            [
                [
                    Call(
                        "draft", {"input_draft_id": draft_id, "expected_version": version, "name": f"{racer}.{version}"}
                    )
                    for version in range(1, 6)
                ]
                for racer in range(PROCESSES)
            ]
        )
        (last,) = [some[-1].body for some in answers if some[-1].status == 200]
        entry = entry_of(client, draft_id)
        assert entry["version"] == 1 + statuses(answers)[200] == 6
        assert entry["name_ids"] == [last["form_state"]["name_id"]]


class TestUpdates:
    CHANGES: Final[list[dict[str, object]]] = [
        {"description": "Set by the first."},
        {"color_id": PLUM},
        {"icon_id": HEART},
        {"active_flag": True},
        {"department_ids": [CARE]},
        {"parameter_field_ids": [MOOD_CALM]},
        {"examples": ["Set by the seventh."]},
        {"voice_ids": [ALTO]},
    ]
    """The change of each process: a field of its own."""

    def test_of_those_that_expect_the_same_version_one_wins(
        self, racers: Racers, world: World, persona_id: str
    ) -> None:
        versions, guard = range(1, 9), {"persona_id": persona_id}
        answers = racers.race(
            [
                [
                    Call(
                        "update", {"personas": [{**guard, "expected_version": each, **change, "name": f"{by} {each}"}]}
                    )
                    for each in versions
                ]
                for by, change in enumerate(self.CHANGES)
            ]
        )
        wins = Counter(result(answer)["version"] - 1 for some in answers for answer in some if answer.status == 200)
        assert wins == dict.fromkeys(versions, 1)
        assert version_of(world, persona_id) == 1 + len(versions)

    def test_that_expect_nothing_are_all_saved(
        self, racers: Racers, world: World, client: Client, persona_id: str
    ) -> None:
        answers = racers.race(
            [[Call("update", {"personas": [{"persona_id": persona_id, **change}]})] * 3 for change in self.CHANGES]
        )
        assert statuses(answers) == {200: 3 * PROCESSES}
        stored = world.stored(persona_id)
        assert stored is not None
        persona = stored.persona
        assert persona is not None
        # Each changes one field the first time, and nothing after.
        assert persona.version == 1 + PROCESSES
        assert persona.form.description is not None
        assert persona.form.description.text == "Set by the first."
        assert (persona.form.color_id, persona.form.icon_id, persona.form.active_flag_id) == (PLUM, HEART, ACTIVE)
        assert (persona.department_ids, persona.form.parameter_field_ids) == ((CARE,), (MOOD_CALM,))
        assert [example.text for example in persona.form.examples] == ["Set by the seventh."]
        assert persona.form.voice_ids == (ALTO,)

    def test_of_a_crowd_that_expects_nothing_all_get_through(
        self, crowd: Racers, world: World, persona_id: str
    ) -> None:
        answers = crowd.race(
            [
                [
                    Call("update", {"personas": [{"persona_id": persona_id, "description": f"{racer}/{number}"}]})
                    for number in range(4)
                ]
                for racer in range(CROWD)
            ]
        )
        assert statuses(answers) == {200: 4 * CROWD}
        versions = [result(answer)["version"] for some in answers for answer in some]
        assert sorted(versions) == list(range(2, 2 + 4 * CROWD))
        assert version_of(world, persona_id) == 1 + 4 * CROWD


class TestMerges:
    ROUNDS: Final = int(os.environ.get("MERGE_ROUNDS", "10"))
    """Rounds of ten clients at once: 100 of them are a thousand changes."""
    OWN: Final[Sequence[Callable[[int], dict[str, object]]]] = (
        lambda turn: {"name": f"Turn {turn}"},
        lambda turn: {"description": f"Turn {turn}"},
        lambda turn: {"instructions": f"Turn {turn}"},
        lambda turn: {"color_id": (TEAL, PLUM)[turn % 2]},
        lambda turn: {"icon_id": (STAR, HEART)[turn % 2]},
        lambda turn: {"active_flag": turn % 2 == 1},
        lambda turn: {"department_ids": ([], [CARE])[turn % 2]},
        lambda turn: {"parameter_field_ids": ([], [MOOD_CALM])[turn % 2]},
        lambda turn: {"examples": [f"Turn {turn}"]},
        lambda turn: {"voice_ids": ([], [ALTO])[turn % 2]},
    )
    """The field of each client, by the number of its turn."""

    def _raced(self, crowd: Racers, persona_id: str, turn: int, seen: Sequence[int], *, merge: bool) -> list[Answer]:
        guards = [{"persona_id": persona_id, "expected_version": version, "merge": merge} for version in seen]
        items = [{**guard, **own(turn)} for guard, own in zip(guards, self.OWN, strict=True)]
        calls = [[Call("update", {"personas": [item]})] for item in items]
        answers = crowd.race([*calls, *[[]] * (CROWD - len(calls))])
        return [answer for some in answers for answer in some]

    def test_of_ten_clients_with_a_field_each_all_get_through(
        self, crowd: Racers, world: World, persona_id: str
    ) -> None:
        seen = [1] * len(self.OWN)
        for turn in range(1, self.ROUNDS + 1):
            answers = self._raced(crowd, persona_id, turn, seen, merge=True)
            assert [answer.status for answer in answers] == [200] * len(self.OWN)
            seen = [result(answer)["version"] for answer in answers]
            form = world.persona(persona_id).form
            shown = (form.name, form.description, form.instructions, *form.examples)
            assert [each and each.text for each in shown] == [f"Turn {turn}"] * 4
            assert (form.color_id, form.icon_id) == ((TEAL, PLUM)[turn % 2], (STAR, HEART)[turn % 2])
            linked = [form.active_flag_id, form.department_ids, form.parameter_field_ids, form.voice_ids]
            assert [bool(each) for each in linked] == [turn % 2 == 1] * 4
        assert sorted(seen)[-1] == version_of(world, persona_id) == 1 + len(self.OWN) * self.ROUNDS

    def test_without_merge_all_but_one_collide(self, crowd: Racers, persona_id: str) -> None:
        answers = self._raced(crowd, persona_id, 1, [1] * len(self.OWN), merge=False)

        assert Counter(answer.status for answer in answers) == {200: 1, 409: len(self.OWN) - 1}

    def test_of_those_on_one_field_one_wins_and_the_others_are_told_what_stands(
        self, racers: Racers, persona_id: str
    ) -> None:
        guard = {"persona_id": persona_id, "expected_version": 1, "merge": True}
        calls = [[Call("update", {"personas": [{**guard, "description": f"By {by}"}]})] for by in range(PROCESSES)]
        answers = [answer for (answer,) in racers.race(calls)]

        (winner,) = [by for by, answer in enumerate(answers) if answer.status == 200]
        for by, answer in enumerate(answers):
            if by != winner:
                (conflict,) = answer.body["conflicts"]
                told = {name: conflict[name] for name in ("field", "yours", "stored", "version")}
                assert told == {"field": "description", "yours": f"By {by}", "stored": f"By {winner}", "version": 2}


class TestLostAnswers:
    def test_among_a_crowd_are_found_again(
        self, world: World, persona_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Every fourth write takes effect, and its answer is lost."""
        # Given sixteen writers on one persona, and a network that notes which writes take effect and loses answers
        faults, chance = Faults.installed(monkeypatch), Random(13)
        effects: Counter[str] = Counter()
        lost = [lost_after(closed()), lost_after(timed_out()), lost_as_500]

        def noted(send: Sending) -> AWSResponse:
            values = send.body["ExpressionAttributeValues"].values()
            (row,) = [value["M"] for value in values if "d" in value.get("M", {})]
            response = send()
            effects[row["d"]["S"]] += response.status_code == HTTPStatus.OK
            return response

        def perhaps(send: Sending) -> AWSResponse:
            return chance.choice([*lost, *[passed] * 9])(replace(send, deliver=lambda: noted(send)))

        faults.always(to("UpdateItem", "persona#"), perhaps)

        def write(tag: str) -> str:
            change = UpdatePersonaRequest.model_validate({"personas": [{"persona_id": persona_id, "description": tag}]})
            try:
                update_personas(services(), caller, change, OneTime())
            except PersonasError as error:
                return error.code
            return "saved"

        # When each of them writes four times
        caller = Caller(
            group_id=GROUP,
            profile_id=PEOPLE["root"].id,
            name="root",
            role="superadmin",
            department_ids=frozenset(),
            session_id="crowd",
        )
        tags = [f"writer {number}" for number in range(4 * CROWD)]
        with ThreadPoolExecutor(CROWD) as pool:
            told = dict(zip(tags, pool.map(write, tags), strict=True))

        # Then each write that was answered as saved took effect once, and the others are answered as unknown at most
        assert faults.count(to("UpdateItem", "persona#")) > len(tags)
        assert all(effects[tag] <= 1 for tag in tags)
        assert all(effects[tag] == 1 for tag in tags if told[tag] == "saved")
        assert set(told.values()) <= {"saved", "outcome_unknown"}
        assert Counter(told.values())["saved"] > len(tags) / 2
        assert version_of(world, persona_id) == 1 + effects.total()


class TestCreate:
    def test_of_the_same_id_exactly_one_is_saved(self, racers: Racers, world: World) -> None:
        persona_id = str(uuid4())
        answers = racers.race(
            [
                [Call("create", {"personas": [{**NEEDED, "id": persona_id, "name": f"Number {racer}"}]})]
                for racer in range(PROCESSES)
            ]
        )
        assert statuses(answers) == {200: 1, 409: PROCESSES - 1}
        winner = next(racer for racer, (answer,) in enumerate(answers) if answer.status == 200)
        stored = world.stored(persona_id)
        assert stored is not None
        assert stored.persona is not None
        assert (stored.version, stored.persona.name.text) == (1, f"Number {winner}")

    def test_in_the_place_of_a_deleted_one_exactly_one_is_saved(
        self, racers: Racers, world: World, client: Client, persona_id: str
    ) -> None:
        assert client.call("delete", {"persona_ids": [persona_id]}).status == 200
        call = Call("create", {"personas": [{**NEEDED, "id": persona_id}]})
        answers = racers.race([[call]] * PROCESSES)
        assert statuses(answers) == {200: 1, 409: PROCESSES - 1}
        assert version_of(world, persona_id) == 3

    def test_of_the_same_new_texts_all_are_saved(self, racers: Racers, client: Client) -> None:
        text = f"The same {uuid4()}"
        call = Call("create", {"personas": [{**NEEDED, "name": text, "examples": [text]}]})
        assert statuses(racers.race([[call]] * PROCESSES)) == {200: PROCESSES}
        assert client.call("draft", {"name_id": text_id("names", text)}).status == 200


def change_of(persona_id: str, name: str = "description") -> Call:
    """Return an update that changes a text, whatever stands there."""
    return Call("update", {"personas": [{"persona_id": persona_id, name: f"Set {uuid4()}"}]})


class TestDelete:
    def test_of_the_same_persona_exactly_one_is_told_success(
        self, racers: Racers, world: World, persona_id: str
    ) -> None:
        answers = racers.race([[Call("delete", {"persona_ids": [persona_id]})]] * PROCESSES)
        assert statuses(answers) == {200: 1, 404: PROCESSES - 1}
        assert version_of(world, persona_id) == 2

    def test_against_updates_ends_deleted_and_every_success_is_a_version(
        self, racers: Racers, world: World, persona_id: str
    ) -> None:
        updates = [change_of(persona_id) for _ in range(20)]
        delete = Call("delete", {"persona_ids": [persona_id]})
        threes = [list(some) for some in batched(updates[:18], 3, strict=True)]
        answers = racers.race([*threes, [updates[18], delete], [updates[19], delete]])
        stored = world.stored(persona_id)
        assert stored is not None
        assert stored.persona is None
        assert statuses(answers).keys() == {200, 404}
        assert stored.version == 1 + statuses(answers)[200]

    def test_among_nine_updates_succeeds(self, crowd: Racers, world: World, persona_id: str) -> None:
        delete = Call("delete", {"persona_ids": [persona_id]})
        answers = crowd.race([[delete], *([change_of(persona_id)] for _ in range(9)), *[[]] * (CROWD - 10)])
        (deleted,) = answers[0]
        assert deleted.status == 200
        assert statuses(answers).keys() <= {200, 404}
        stored = world.stored(persona_id)
        assert stored is not None
        assert (stored.persona, stored.version) == (None, 1 + statuses(answers)[200])


class InThisProcess:
    """The function that records versions, beside the tests."""

    parallel = 1

    def __init__(self) -> None:
        self._handler = load_handler("record_history")

    def invoke(self, name: str, event: Json) -> invocation.Answer:
        """Return its answer to a batch."""
        return invocation.Answer(cast("Json", self._handler(cast("dict[str, Any]", event), Context(name, 60_000))))


@dataclass
class Saved:
    """The calls about a persona that succeeded: deletions by number, the others by the version that each made."""

    by_version: dict[int, Call] = field(default_factory=dict)
    deletions: int = 0

    def keep(self, calls: Iterable[Call], answers: Iterable[Answer]) -> None:
        """Add those of these calls that succeeded; the others found nothing there."""
        for call, answer in zip(calls, answers, strict=True):
            assert answer.status in {200, 404}, answer.text
            if answer.status != 200:
                continue
            if call.operation == "delete":
                self.deletions += 1
                continue
            version = answer.body["version"] if call.operation == "restore" else result(answer)["version"]
            assert version not in self.by_version, (version, call, self.by_version[version])
            self.by_version[version] = call


class TestRestores:
    ROUNDS: Final = int(os.environ.get("RESTORE_ROUNDS", "8"))
    """Rounds of eight clients at once, two calls each."""
    FORMER: Final = range(1, 9)
    """The versions that are brought back, each at most once a round: no restore finds what it would make."""

    @pytest.fixture
    def persona_id(self, client: Client, persona_id: str) -> str:
        """Return a persona of nine versions, which differ in every text."""
        for turn in self.FORMER:
            change = {name: value for own in TestMerges.OWN for name, value in own(turn).items()}
            answer = client.call("update", {"personas": [{"persona_id": persona_id, **change}]})
            assert answer.status == 200, answer.text
        return persona_id

    @pytest.fixture
    def recording(self, world: World, persona_id: str) -> StreamReader:
        """Return a reader of the stream that has recorded these versions; while it is on, it records what follows."""
        stream = Stream(boto3.client("dynamodbstreams"), world.table.name)
        reader = StreamReader(stream, source_of("RecordHistoryFunction"), InThisProcess(), world.aws.s3, "-")
        reader.drain()
        return reader

    @pytest.fixture
    def history(self, world: World) -> HistoryStore:
        return HistoryStore(HistoryTable.beside(world.table, world.aws.names["HistoryTable"]))

    def test_against_updates_and_deletes_each_success_is_a_version_and_none_is_lost(
        self,
        racers: Racers,
        world: World,
        client: Client,
        persona_id: str,
        recording: StreamReader,
        history: HistoryStore,
    ) -> None:
        # When four clients restore, three change a field of their own and one deletes, all at once,
        saved, random = Saved(), Random(16)
        with recording:
            for turn in range(self.ROUNDS):
                for call in self._before(turn, world, history, persona_id):
                    saved.keep([call], [client.call(call.operation, call.body)])
                calls = self._calls(persona_id, random)
                for some, answers in zip(calls, racers.race(calls), strict=True):
                    saved.keep(some, answers)

        # then each success made a version of its own, without a gap, and the history says of each what it was;
        last, first = version_of(world, persona_id), self.FORMER.stop
        found = history.versions(GROUP, persona_id, range(1, last + 1))
        past = {number: each for number, each in found.items() if isinstance(each, PastVersion)}
        assert sorted(past) == list(range(1, last + 1))
        kinds = [past[number].record.kind for number in range(first + 1, last + 1)]
        told = {number: f"{call.operation}d" for number, call in saved.by_version.items()}
        assert kinds == [told.get(number, "deleted") for number in range(first + 1, last + 1)]
        assert kinds.count("deleted") == saved.deletions > 0
        # an update changed its own field of what stood there, and a restore brought all of its version back,
        forms = {number: each.persona.form for number, each in past.items() if each.persona}
        for number, call in saved.by_version.items():
            sent = cast("dict[str, Any]", call.body)
            if call.operation == "restore":
                assert past[number].record.restored_from == sent["version"]
                assert forms[number] == forms[sent["version"]]
            else:
                ((name, text),) = ((name, text) for name, text in sent["personas"][0].items() if name != "persona_id")
                written = getattr(forms[number], name)
                assert written.text == text
                assert forms[number] == replace(forms[number - 1], **{name: written})
        # in the place of what stood there, or of a deletion.
        replaced = {past[number - 1].record.kind for number in saved.by_version if past[number].record.restored_from}
        assert "deleted" in replaced
        standing = world.stored(persona_id)
        assert standing is not None
        assert (standing.persona and standing.persona.form) == forms.get(last)

    def _before(self, turn: int, world: World, history: HistoryStore, persona_id: str) -> Iterator[Call]:
        """Yield the calls before a round: every second one begins with a deletion, the others with a new form."""
        stored = world.stored(persona_id)
        assert stored is not None
        if stored.persona is None:
            eventually(lambda: history.version(GROUP, persona_id, stored.version) is not None, wanted=True)
        if turn % 2 and stored.persona is not None:
            yield Call("delete", {"persona_ids": [persona_id]})
            eventually(lambda: history.version(GROUP, persona_id, stored.version + 1) is not None, wanted=True)
        elif turn % 2 == 0:
            if stored.persona is None:
                yield Call("restore", {"persona_id": persona_id, "version": self.FORMER.start})
            yield change_of(persona_id)

    def _calls(self, persona_id: str, random: Random) -> list[list[Call]]:
        """Return the calls of a round, two of each client."""
        former = random.sample(self.FORMER, len(self.FORMER))
        restores = [Call("restore", {"persona_id": persona_id, "version": version}) for version in former]
        updates = [change_of(persona_id, name) for name in ("name", "description", "instructions") for _ in range(2)]
        deletes = [Call("delete", {"persona_ids": [persona_id]})] * 2
        return [list(some) for some in batched([*restores, *updates, *deletes], 2, strict=True)]


class TestDuplicate:
    def test_eight_at_once_have_eight_names(self, racers: Racers, world: World, client: Client) -> None:
        name = f"Original {next(_numbers)}"
        answer = client.call("create", {"personas": [{**NEEDED, "name": name}]})
        call = Call("duplicate", {"persona_id": result(answer)["persona_id"]})
        answers = racers.race([[call]] * PROCESSES)
        assert statuses(answers) == {200: PROCESSES}
        copies = [world.stored(some[0].body["persona_id"]) for some in answers]
        names = {stored.persona.name.text for stored in copies if stored and stored.persona}
        assert names == {f"{name} Copy", *(f"{name} Copy {number}" for number in range(2, PROCESSES + 1))}

    def test_and_none_counts_as_a_change_of_the_source(self, racers: Racers, world: World, persona_id: str) -> None:
        update = Call("update", {"personas": [{"persona_id": persona_id, "icon_id": HEART, "expected_version": 1}]})
        answers = racers.race([[update]] + [[Call("duplicate", {"persona_id": persona_id})]] * (PROCESSES - 1))
        assert statuses(answers) == {200: PROCESSES}
        assert version_of(world, persona_id) == 2


class TestIdempotencyKey:
    def race(self, racers: Racers, operation: str, body: object) -> tuple[list[Answer], dict[str, str]]:
        headers = {"idempotency_key": str(uuid4())}
        answers = racers.race([[Call(operation, body, headers)]] * PROCESSES)
        return [answer for (answer,) in answers], headers

    def test_has_one_effect(self, racers: Racers, world: World) -> None:
        name = f"Once {uuid4()}"
        self.race(racers, "create", {"personas": [{**NEEDED, "name": name}]})
        assert world.names().count(name) == 1

    def test_all_are_told_the_same_or_to_wait(self, racers: Racers) -> None:
        answers, _ = self.race(racers, "create", {"personas": [{**NEEDED, "name": f"Once {uuid4()}"}]})
        assert {answer.status for answer in answers} <= {200, 409}
        assert len({answer.text for answer in answers if answer.status == 200}) == 1
        assert {answer.body["code"] for answer in answers if answer.status == 409} <= {"idempotency_in_progress"}

    def test_those_that_had_to_wait_are_told_the_same_later(self, racers: Racers, client: Client) -> None:
        body = {"personas": [{**NEEDED, "name": f"Once {uuid4()}"}]}
        answers, headers = self.race(racers, "create", body)
        (first,) = {answer.text for answer in answers if answer.status == 200}
        assert client.call("create", body, **headers).text == first

    def test_an_update_counts_once(self, racers: Racers, world: World, persona_id: str) -> None:
        self.race(racers, "update", {"personas": [{"persona_id": persona_id, "color_id": PLUM}]})
        assert version_of(world, persona_id) == 2

    def test_a_copy_is_made_once(self, racers: Racers, world: World, client: Client) -> None:
        name = f"Once {uuid4()}"
        answer = client.call("create", {"personas": [{**NEEDED, "name": name}]})
        self.race(racers, "duplicate", {"persona_id": result(answer)["persona_id"]})
        assert [each for each in world.names() if each.startswith(name)] == [name, f"{name} Copy"]

    def test_a_draft_is_begun_once(self, racers: Racers, client: Client) -> None:
        before = len(client.call("drafts").body["entries"])
        self.race(racers, "draft", {"color_id": TEAL})
        assert len(client.call("drafts").body["entries"]) == before + 1


def test_profiles_that_are_assigned_at_once_are_all_counted(world: World, persona_id: str) -> None:
    def assign(number: int) -> None:
        profile = Profile(
            id=entry_id("profiles", f"{persona_id}/{number}"), group_id=GROUP, name=f"{number}", role="learner"
        )
        while True:
            try:
                return world.profiles.put_profile(profile, [persona_id], f"assign.{number}")
            except ConditionFailed:
                continue

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(assign, range(PROCESSES)))
    stored = world.stored(persona_id)
    assert stored is not None
    assert stored.persona is not None
    assert stored.persona.num_profiles == PROCESSES
