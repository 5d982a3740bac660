"""The sequential rounds to AWS that each warm operation takes, as docs/architecture.md lists them under Rounds.

``support.rounds`` says what a round is and how rounds that overlap are accounted for.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from datetime import timedelta
from functools import partial
from itertools import count
from threading import Lock
from typing import Any, Final

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from personas.contract.base import ITEMS_MAX
from personas.identity import CACHE_LIFE, Authenticator
from personas.operations.bulk import CHUNK
from personas.operations.record_history import record_version
from personas.runtime import THREADS, Deadline, Parallel, dynamodb, s3
from personas.services import services
from personas.store import keys
from personas.store.attributes import Value, encode_item
from personas.store.groups import GroupStore
from personas.store.texts import TextDirectory
from personas.views.catalogues import CatalogueCache
from personas_tools.profile_store import ProfileWriter
from support.aws import forget_clients
from support.client import Answer, Client
from support.rounds import CountingParallel, Rounds, Watched, makespan
from support.streamed import Streamed
from support.warm import unguarded_world, warm_client
from support.world import (
    ACTIVE,
    ALTO,
    CARE,
    GROUP,
    MOOD_CALM,
    NEEDED,
    PEOPLE,
    PLUM,
    STAR,
    TEAL,
    Clock,
    World,
    color,
    text_id,
)

pytestmark = pytest.mark.usefixtures("over_http")

_numbers = count()


def new_text(of: str = "text") -> str:
    """Return a text that nobody has sent before."""
    return f"{of} {next(_numbers)}"


world = pytest.fixture(unguarded_world)


@pytest.fixture
def rounds(world: World) -> Iterator[Rounds]:
    """Count the rounds of everything that is called from now on, in one environment, whose clients nobody else uses."""
    counted = Rounds()
    services().parallel = CountingParallel(counted)
    counted.watch(dynamodb())
    yield counted
    forget_clients()


@pytest.fixture
def client(world: World, rounds: Rounds) -> Client:
    """Provide a warm client of the environment that is counted: identity and catalogue are held."""
    warm = warm_client(world)
    answered(warm.call("get", {}))
    return warm


@pytest.fixture(autouse=True)
def time_enough(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the deadline, and have identity grow no older: a slow machine must not change the count."""
    services().deadline = services().table.deadline = Deadline()
    clock = Clock()
    clock.replaces_monotonic(monkeypatch)
    services().authenticator = Authenticator(ProfileWriter(services().table), services().settings, clock)
    answered(client.call("drafts", {}))


def answered(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    return answer.body


def persona(**fields: object) -> dict[str, object]:
    return {**NEEDED, **fields}


def create(client: Client, *personas: dict[str, object]) -> list[str]:
    results = answered(client.call("create", {"personas": list(personas)}))["results"]
    return [result["persona_id"] for result in results]


def forget_texts() -> None:
    """Empty the text directory, as in an environment that has not seen any texts."""
    services().texts = TextDirectory(services().table)


class TestAccounting:
    """The ruler, before anything is measured by it."""

    @pytest.mark.parametrize(
        ("costs", "threads", "lasts"),
        [
            ([], 4, 0),
            ([1], 4, 1),
            ([1, 1, 1, 1], 4, 1),
            ([1, 1, 1, 1, 1], 4, 2),
            ([1, 2], 4, 2),
            ([3, 1, 1, 1], 2, 3),
            ([1, 1, 1, 3], 2, 4),
            ([0, 0, 0], 1, 0),
            ([1] * 100, 32, 4),
        ],
    )
    def test_a_block_lasts_as_long_as_its_last_thread(self, costs: list[int], threads: int, lasts: int) -> None:
        assert makespan(costs, threads) == lasts

    def test_requests_outside_of_a_block_wait_for_each_other(self, wire: "Wire") -> None:
        wire.request()
        wire.request()
        assert wire.rounds.taken == 2

    def test_requests_in_a_block_overlap(self, wire: "Wire") -> None:
        wire.request()
        wire.parallel.run([partial(wire.request, times) for times in (1, 2, 0)])
        wire.request()
        assert wire.rounds.taken == 1 + 2 + 1

    def test_every_request_is_seen(self, wire: "Wire") -> None:
        wire.parallel.run([wire.request] * 3)
        assert wire.rounds.requests == ["GetItem"] * 3

    def test_counting_starts_from_nothing(self, wire: "Wire") -> None:
        wire.request()
        with wire.rounds.counting():
            wire.request()
        assert (wire.rounds.taken, wire.rounds.requests) == (1, ["GetItem"])

    def test_results_come_in_order(self, wire: "Wire") -> None:
        assert wire.parallel.run([partial(int, text) for text in "312"]) == [3, 1, 2]

    def test_a_failing_call_counts_and_its_error_is_raised_when_all_have_ended(self, wire: "Wire") -> None:
        ended: list[str] = []

        def fails() -> None:
            wire.request(2)
            raise LookupError

        with pytest.raises(LookupError):
            wire.parallel.run([fails, lambda: ended.append("second")])
        assert (wire.rounds.taken, ended) == (2, ["second"])

    def test_a_block_within_a_block_is_an_error(self, wire: "Wire") -> None:
        with pytest.raises(AssertionError, match="in parallel itself"):
            wire.parallel.run([lambda: wire.parallel.run([wire.request])])

    def test_two_calls_of_different_types_are_a_block(self, wire: "Wire") -> None:
        wire.parallel.gather(wire.request, wire.request)
        assert wire.rounds.taken == 1


class Wire:
    """A client that sends nothing, but says that it does as botocore says it."""

    def __init__(self) -> None:
        self.rounds = Rounds()
        self.parallel = CountingParallel(self.rounds)
        self.meta = self.events = self
        self._handlers: list[Callable[..., None]] = []
        self.rounds.watch(self)

    def register(self, event_name: str, handler: Callable[..., None]) -> None:
        assert event_name == "before-send"
        self._handlers.append(handler)

    def request(self, times: int = 1) -> None:
        for handler in self._handlers * times:
            handler(event_name="before-send.dynamodb.GetItem", request=None)


@pytest.fixture
def wire() -> Wire:
    return Wire()


class TestIdentity:
    @pytest.fixture
    def later(self, world: World, rounds: Rounds) -> Callable[[float], None]:
        """Return a function that moves the clock of the identity cache."""
        clock = Clock()
        services().authenticator = Authenticator(ProfileWriter(services().table), services().settings, clock)

        def move(seconds: float) -> None:
            clock.moment += timedelta(seconds=seconds)

        return move

    def test_takes_no_round_within_a_minute(
        self, client: Client, rounds: Rounds, later: Callable[[float], None]
    ) -> None:
        answered(client.call("drafts", {}))
        later(CACHE_LIFE.total_seconds() - 1)
        with rounds.counting():
            answered(client.call("drafts", {}))
        assert rounds.requests == ["Query"]

    def test_takes_one_round_after_a_minute(
        self, client: Client, rounds: Rounds, later: Callable[[float], None]
    ) -> None:
        answered(client.call("drafts", {}))
        later(CACHE_LIFE.total_seconds())
        with rounds.counting():
            answered(client.call("drafts", {}))
        assert (rounds.taken, rounds.requests) == (2, ["BatchGetItem", "Query"])

    def test_takes_one_round_for_a_caller_that_is_new_here(self, world: World, client: Client, rounds: Rounds) -> None:
        stranger = warm_client(world, "admin")
        with rounds.counting():
            answered(stranger.call("drafts", {}))
        assert rounds.taken == 2

    def test_a_refused_key_costs_one_round(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            answer = client.call("get", {}, x_api_key="psk.group.unknown")
        assert (answer.status, rounds.taken) == (401, 1)


class TestGet:
    def test_a_blank_form(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            answered(client.call("get", {}))
        assert rounds.taken == 1

    def test_a_persona_with_a_draft_laid_over_it(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona())
        draft_id = answered(client.call("draft", {"name": new_text()}))["draft_id"]
        with rounds.counting():
            answered(client.call("get", {"persona_id": persona_id, "draft_id": draft_id}))
        assert (rounds.taken, len(rounds.requests)) == (1, 3)

    def test_a_search_for_texts(self, client: Client, rounds: Rounds) -> None:
        rounds.watch(s3())
        searches = {"descriptions_search": "t", "instructions_search": "t"}
        create(client, persona(description=new_text()))
        with rounds.counting():
            answered(client.call("get", searches))
        assert (rounds.taken, rounds.requests) == (3, ["Query", "Query", "BatchGetItem"])
        with rounds.counting():
            answered(client.call("get", searches))
        assert (rounds.taken, rounds.requests) == (1, ["Query", "Query"])
        create(client, *(persona(description=new_text()) for _ in range(100)))
        with rounds.counting():
            answered(client.call("get", searches))
        assert (rounds.taken, rounds.requests) == (2, ["Query", "Query", "BatchGetItem"])
        answered(client.call("refresh"))
        with rounds.counting():
            answered(client.call("get", searches))
        assert (rounds.taken, Counter(rounds.requests)) == (3, Counter(["Query"] * 3 + ["GetObject"]))


LINKS: Final[Mapping[str, object]] = {
    "color_id": TEAL,
    "icon_id": STAR,
    "flag_id": ACTIVE,
    "department_ids": [CARE],
    "parameter_field_ids": [MOOD_CALM],
    "voice_ids": [ALTO],
}


class TestDraft:
    def test_a_new_one_of_known_ids(self, client: Client, rounds: Rounds) -> None:
        answered(client.call("draft", {}))
        with rounds.counting():
            answered(client.call("draft", LINKS))
        assert rounds.taken == 1

    def test_a_patch_of_known_ids(self, client: Client, rounds: Rounds) -> None:
        draft_id = answered(client.call("draft", {}))["draft_id"]
        with rounds.counting():
            answered(client.call("draft", {"input_draft_id": draft_id, "expected_version": 1, **LINKS}))
        assert rounds.taken == 1

    def test_a_patch_of_texts_seen_before_by_id_and_by_value(self, client: Client, rounds: Rounds) -> None:
        name, example = new_text("name"), new_text("example")
        draft_id = answered(client.call("draft", {"name": name, "examples": [example]}))["draft_id"]
        patch = {"name_id": text_id("names", name), "examples": [example]}
        with rounds.counting():
            answered(client.call("draft", {"input_draft_id": draft_id, "expected_version": 1, **patch}))
        assert rounds.taken == 1

    def test_a_patch_of_new_texts(self, client: Client, rounds: Rounds) -> None:
        draft_id = answered(client.call("draft", {}))["draft_id"]
        patch = {"name": new_text(), "description": new_text(), "examples": [new_text() for _ in range(50)]}
        with rounds.counting():
            answered(client.call("draft", {"input_draft_id": draft_id, "expected_version": 1, **patch}))
        assert rounds.taken == 2

    def test_an_id_that_the_cached_catalogue_does_not_know(self, world: World, client: Client, rounds: Rounds) -> None:
        color_id = world.add("colors", "Rust", color("Rust", "#B7410E"))
        with rounds.counting():
            answered(client.call("draft", {"color_id": color_id}))
        assert rounds.taken == 2

    def test_ids_of_texts_that_this_environment_has_not_seen(self, client: Client, rounds: Rounds) -> None:
        name = new_text()
        answered(client.call("draft", {"name": name}))
        forget_texts()
        with rounds.counting():
            answered(client.call("draft", {"name_id": text_id("names", name)}))
        assert rounds.taken == 2

    def test_a_conflict(self, client: Client, rounds: Rounds) -> None:
        draft_id = answered(client.call("draft", {}))["draft_id"]
        with rounds.counting():
            answer = client.call("draft", {"input_draft_id": draft_id, "expected_version": 7, **LINKS})
        assert (answer.status, rounds.taken) == (409, 1)


def test_drafts_takes_one_round(client: Client, rounds: Rounds) -> None:
    for _ in range(3):
        answered(client.call("draft", {"color_id": TEAL}))
    with rounds.counting():
        assert len(answered(client.call("drafts", {}))["entries"]) == 3
    assert rounds.taken == 1


class TestCold:
    """The first call of an environment for its group, its caller known: ids of texts wait for the group's secret."""

    @pytest.fixture
    def cold(self, client: Client) -> Client:
        services().catalogues = CatalogueCache(services().table)
        return client

    @pytest.mark.parametrize(("texts", "taken"), [({}, 2), ({"name": "Cold"}, 3)])
    def test_a_draft(self, cold: Client, rounds: Rounds, texts: Mapping[str, object], taken: int) -> None:
        with rounds.counting():
            answered(cold.call("draft", {**LINKS, **texts}))
        assert rounds.taken == taken

    def test_a_create(self, cold: Client, rounds: Rounds) -> None:
        with rounds.counting():
            create(cold, persona(name=new_text()))
        assert rounds.taken == 3

    def test_an_update_without_texts(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona())
        services().catalogues = CatalogueCache(services().table)
        with rounds.counting():
            answered(client.call("update", {"personas": [{"persona_id": persona_id, "color_id": PLUM}]}))
        assert rounds.taken == 2

    def test_a_copy(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona())
        services().groups = GroupStore(services().table)
        with rounds.counting():
            answered(client.call("duplicate", {"persona_id": persona_id}))
        assert rounds.taken == 3


class TestDocs:
    def test_takes_no_round_by_itself(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            answered(client.call("docs", {}))
        assert rounds.requests == []

    def test_takes_one_for_the_name_of_a_persona(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona())
        with rounds.counting():
            answered(client.call("docs", {"entity_id": persona_id}))
        assert rounds.requests == ["GetItem"]


class TestCreate:
    def test_one(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            create(client, persona(name=new_text(), examples=[new_text() for _ in range(50)]))
        assert rounds.taken == 2

    def test_one_with_an_id_of_its_own(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            create(client, persona(id="5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2eff"))
        assert rounds.taken == 2

    def test_as_many_as_there_are_threads(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            create(client, *(persona() for _ in range(THREADS)))
        assert rounds.taken == 2

    def test_a_hundred(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            create(client, *(persona(name=new_text()) for _ in range(100)))
        assert rounds.taken == 1 + 4

    def test_a_hundred_with_all_texts_that_they_can_have(self, client: Client, rounds: Rounds) -> None:
        personas = [
            persona(
                name=new_text(),
                description=new_text(),
                instructions=new_text(),
                examples=[new_text() for _ in range(50)],
            )
            for _ in range(100)
        ]
        with rounds.counting():
            create(client, *personas)
        assert rounds.taken <= 15

    def test_a_hundred_with_all_text_ids_that_they_can_have(self, world: World, client: Client, rounds: Rounds) -> None:
        examples = [[new_text() for _ in range(50)] for _ in range(100)]
        for some in examples:
            answered(client.call("draft", {"examples": some}))
        forget_texts()
        personas = [persona(example_ids=[text_id("examples", text) for text in some]) for some in examples]
        with rounds.counting():
            create(client, *personas)
        assert rounds.taken <= 15


class InFlight:
    """The most requests of a client that are under way at the same time."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = Lock()

    def watch(self, *clients: Watched) -> None:
        """Count the requests of these clients."""
        for client in clients:
            client.meta.events.register("before-call", partial(self._count, 1))
            client.meta.events.register("after-call", partial(self._count, -1))

    def _count(self, by: int, **_: object) -> None:
        with self._lock:
            self._now += by
            self.most = max(self.most, self._now)


class TestAThousand:
    """Ten chunks, one after the other: each takes what a hundred take, and no more of it side by side."""

    CHUNKS: Final = ITEMS_MAX // CHUNK
    WRITES: Final = 4

    def test_take_ten_times_the_rounds_of_a_hundred(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            ids = create(client, *(persona(name=new_text()) for _ in range(ITEMS_MAX)))
        assert rounds.taken == self.CHUNKS * (1 + self.WRITES)
        with rounds.counting():
            answered(client.call("update", {"personas": [{"persona_id": each, "color_id": PLUM} for each in ids]}))
        assert rounds.taken == self.CHUNKS * (1 + self.WRITES)
        assert Counter(rounds.requests)["BatchGetItem"] == self.CHUNKS

    def test_have_no_more_requests_in_flight_than_there_are_threads(self, client: Client) -> None:
        # Given an environment as it is in life
        services().parallel = Parallel()
        in_flight = InFlight()
        in_flight.watch(dynamodb())
        # When as many texts as a chunk can bring, and a thousand personas, are saved
        create(client, *(persona(name=new_text(), examples=[new_text()]) for _ in range(ITEMS_MAX)))
        # Then the threads bound what is under way
        assert 1 < in_flight.most <= THREADS


class TestUpdate:
    def test_one_that_changes_nothing(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona(color="Teal"))
        with rounds.counting():
            answered(client.call("update", {"personas": [{"persona_id": persona_id, "color": "Teal"}]}))
        assert rounds.taken == 1

    def test_one_that_is_merged(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona())
        answered(client.call("update", {"personas": [{"persona_id": persona_id, "description": new_text()}]}))
        change = {"persona_id": persona_id, "name": new_text(), "expected_version": 1, "merge": True}
        with rounds.counting():
            answered(client.call("update", {"personas": [change]}))
        assert rounds.taken == 2

    def test_one(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona())
        change = {"persona_id": persona_id, "name": new_text(), "expected_version": 1}
        with rounds.counting():
            answered(client.call("update", {"personas": [change]}))
        assert rounds.taken == 2

    def test_more_than_there_are_threads(self, client: Client, rounds: Rounds) -> None:
        ids = create(client, *(persona() for _ in range(THREADS + 1)))
        with rounds.counting():
            answered(client.call("update", {"personas": [{"persona_id": each, "name": new_text()} for each in ids]}))
        assert rounds.taken == 1 + 2


class TestDelete:
    def test_one(self, client: Client, rounds: Rounds) -> None:
        ids = create(client, persona())
        with rounds.counting():
            answered(client.call("delete", {"persona_ids": ids}))
        assert rounds.taken == 2

    def test_more_than_there_are_threads(self, client: Client, rounds: Rounds) -> None:
        ids = create(client, *(persona() for _ in range(THREADS + 1)))
        with rounds.counting():
            answered(client.call("delete", {"persona_ids": ids}))
        assert rounds.taken == 1 + 2


class TestDuplicate:
    def test_takes_three_rounds_at_most(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona(name=new_text()))
        with rounds.counting():
            answered(client.call("duplicate", {"persona_id": persona_id}))
        assert 2 <= rounds.taken <= 3

    def test_the_second_copy_too(self, client: Client, rounds: Rounds) -> None:
        (persona_id,) = create(client, persona(name=new_text()))
        answered(client.call("duplicate", {"persona_id": persona_id}))
        with rounds.counting():
            answered(client.call("duplicate", {"persona_id": persona_id}))
        assert 2 <= rounds.taken <= 3


class TestVersions:
    @pytest.fixture
    def changed(self, world: World, client: Client) -> str:
        """Save a persona twice, and have that recorded."""
        (persona_id,) = create(client, persona(name=new_text(), examples=[new_text() for _ in range(50)]))
        answered(client.call("update", {"personas": [{"persona_id": persona_id, "examples": []}]}))
        record_all(world)
        return persona_id

    @pytest.fixture
    def deleted(self, world: World, client: Client, changed: str) -> str:
        """Delete that persona."""
        answered(client.call("delete", {"persona_ids": [changed]}))
        record_all(world)
        return changed

    def test_a_page_is_one_query_beside_the_persona(self, client: Client, rounds: Rounds, changed: str) -> None:
        with rounds.counting():
            answered(client.call("history", {"persona_id": changed}))
        assert (rounds.requests, rounds.taken) == (["GetItem", "Query"], 1)

    def test_one_version_is_one_round(self, client: Client, rounds: Rounds, changed: str) -> None:
        with rounds.counting():
            answered(client.call("history", {"persona_id": changed, "version": 1}))
        assert (rounds.requests, rounds.taken) == (["Query", "GetItem", "BatchGetItem"], 1)

    @pytest.mark.parametrize("asked", [{}, {"to_version": 2}, {"draft": True}])
    def test_a_comparison_is_one_round(
        self, client: Client, rounds: Rounds, changed: str, asked: Mapping[str, object]
    ) -> None:
        draft = {"draft_id": answered(client.call("draft", {"name": "D"}))["draft_id"]} if "draft" in asked else asked
        with rounds.counting():
            answered(client.call("compare", {"persona_id": changed, "from_version": 1, **draft}))
        assert rounds.taken == 1

    def test_a_restore_takes_three(self, client: Client, rounds: Rounds, changed: str) -> None:
        forget_texts()
        services().groups = GroupStore(services().table)
        with rounds.counting():
            answered(client.call("restore", {"persona_id": changed, "version": 1}))
        assert rounds.taken == 3

    def test_one_that_changes_nothing_takes_one(self, client: Client, rounds: Rounds, changed: str) -> None:
        with rounds.counting():
            answered(client.call("restore", {"persona_id": changed, "version": 2}))
        assert rounds.taken == 1

    def test_a_deleted_persona_takes_one_more_to_read(self, client: Client, rounds: Rounds, deleted: str) -> None:
        for operation, asked in (("history", {}), ("history", {"version": 1}), ("compare", {"from_version": 1})):
            with rounds.counting():
                answered(client.call(operation, {"persona_id": deleted, **asked}))
            assert rounds.taken == 2

    def test_and_two_more_to_restore(self, client: Client, rounds: Rounds, deleted: str) -> None:
        forget_texts()
        with rounds.counting():
            answered(client.call("restore", {"persona_id": deleted, "version": 1}))
        assert rounds.taken == 5

    @pytest.mark.parametrize("versions", [300, pytest.param(10_000, marks=pytest.mark.slow)])
    def test_every_page_of_them_is_one_query(self, world: World, client: Client, rounds: Rounds, versions: int) -> None:
        # Given a persona with so many versions, of which the items beside the records have 200 KB each
        (persona_id,) = create(client, persona())
        world.set(keys.persona(GROUP, persona_id), "version", versions)
        pages = range(versions, 0, -100)
        fill_history(world, persona_id, versions, whole=pages)
        # When it is read to its end, a hundred at a time
        read, before = [], None
        for _ in pages:
            with rounds.counting():
                page = answered(
                    client.call("history", {"persona_id": persona_id, "page_size": 100, "before_version": before})
                )
            # Then each page is one query, and no version is missing.
            assert (rounds.requests.count("Query"), rounds.taken) == (1, 1)
            read += [each["version"] for each in page["versions"]]
            before = page["next_before_version"]
        assert read == list(range(versions, 0, -1))
        assert before is None


def record_all(world: World) -> None:
    """Record the versions that were written, as the function behind the stream does."""
    for record in Streamed(world.aws, world.guard).taken():
        record_version(services(), record)


def fill_history(world: World, persona_id: str, versions: int, whole: Container[int]) -> None:
    """Put the records of so many versions into moto's memory, and beside those of ``whole`` an item of 200 KB."""
    name = world.aws.names["HistoryTable"]
    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][world.aws.dynamodb.meta.region_name].tables[name]
    for version in range(1, versions + 1):
        for prefix in (keys.VERSION_RECORDS, keys.WHOLE_VERSIONS):
            if prefix == keys.WHOLE_VERSIONS and version not in whole:
                continue
            attributes: dict[str, Value] = {
                **keys.version(GROUP, persona_id, prefix, version).attributes(),
                "at": "2026-11-28T05:00:00+00:00",
                "version": version,
                "kind": "updated",
                "by": {"id": PEOPLE["root"].id, "name": "root"},
                "mcp": False,
                "changed": ["name"],
                "restored_from": None,
                "departments": [CARE],
            }
            if prefix == keys.WHOLE_VERSIONS:
                attributes["texts"] = bytes(200_000)
            table.put_item(encode_item(attributes))


class TestExport:
    @pytest.fixture
    def upload_id(self, client: Client, rounds: Rounds) -> str:
        """Export a refreshed group whose view this environment holds."""
        rounds.watch(s3())
        create(client, persona(), persona())
        answered(client.call("refresh"))
        return str(answered(client.call("export", {}))["upload_id"])

    @pytest.mark.usefixtures("upload_id")
    def test_one_that_fits_a_part_takes_five_rounds(self, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            answered(client.call("export", {}))
        # The view brought up to date; the manifest, the blocks, the file and its record, one after the other.
        assert rounds.requests == ["Query", "Query", "GetObject", "GetObject", "PutObject", "PutItem"]
        assert rounds.taken == 5

    @pytest.mark.usefixtures("upload_id")
    def test_what_was_written_since_costs_one_more(self, client: Client, rounds: Rounds) -> None:
        create(client, persona(), persona())
        with rounds.counting():
            assert answered(client.call("export", {}))["row_count"] == 4
        assert rounds.taken == 6

    def test_a_download_takes_one(self, upload_id: str, client: Client, rounds: Rounds) -> None:
        with rounds.counting():
            answer = client.call("download", {"upload_id": upload_id})
        assert (answer.status, rounds.taken, rounds.requests) == (302, 1, ["GetItem"])


def test_an_idempotency_key_costs_the_three_rounds_of_its_record(client: Client, rounds: Rounds) -> None:
    with rounds.counting():
        answered(client.call("create", {"personas": [persona()]}, idempotency_key="rounds"))
    assert rounds.taken == 2 + 3
