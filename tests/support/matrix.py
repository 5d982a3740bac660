"""Every operation under every fault at every call that it makes to AWS: the cases, and the checks of each.

A *scenario* is a call of an operation on a known state. It is made once without faults, which shows the calls that it
makes and what it is to do. Then, from the same state and in a new environment, it is made again for every fault at
every one of those calls: once for that call alone, where the service may well get over it, and once for every call of
the kind, where it cannot. The answer and all that is stored afterwards are held against each other.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from personas.contract.problems import Problem
from personas.errors import Conflict, PersonasError
from personas.operations.record_history import record_version
from personas.runtime import CLOCK_SKEW, deadline, utc_now
from personas.services import Services, services
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas.store.attributes import mapping, text
from personas.store.groups import GroupStore
from personas_tools.profile_store import ProfileWriter
from support import background
from support.aws import Aws
from support.background import failed, messages
from support.client import Answer, Context
from support.clocks import powertools_off, set_machine_off
from support.environments import shifted
from support.exported import query
from support.faults import Faults, Killed, Match, Sent, Waiting, refused
from support.in_order import InOrder
from support.mishaps import Fault, Kind, faults, kind_of, nth
from support.misplaced import Misplaced, snapshots
from support.stored import Backend, Base, Logical, leaks
from support.streamed import Streamed
from support.views import Views
from support.warm import Warm, unguarded_world, warm_client
from support.world import (
    GROUP,
    NEEDED,
    OTHER_GROUP,
    PEOPLE,
    World,
    color,
    icon,
    load_once,
    text_id,
)

type Verdict = Literal["done", "not done", "unknown"]

FUNCTION_LIMIT: Final = 300.0
"""The seconds that the function has that refreshes by queue and schedule."""
GATEWAY_LIMIT: Final = 29.0
"""The seconds within which a function must answer a request."""
CUT_OFF: Final = Answer(0, {}, "{}")
"""The answer of a function that was ended: nothing."""


# ---- Scenarios -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """A call of an operation; ``keys`` say of which parts of the state it tells something, by position."""

    name: str
    operation: str
    body: Callable[[Base], object] = lambda _base: {}
    keys: Callable[[Base], tuple[str, ...]] = lambda _base: ()
    keyed: bool = False
    behind: bool = False
    lost_views: bool = False
    in_chunks: bool = False
    """True where a bulk call reads and writes item after item, as it does a hundred after the other in life."""
    in_parts: bool = False
    """True where S3 is given what is longer than 150 bytes in parts, as it is in life what is longer than 8 MB."""
    never: Match | None = None
    """Requests that fail whatever else does, so that even the call without faults has to give up."""
    act: "Callable[[Lab, Base], Answer] | None" = None
    """The call, if it is not made by HTTP."""
    limit: float = GATEWAY_LIMIT
    status: int = HTTPStatus.OK
    """The status of the answer without faults."""
    pieces: int = 1
    """Into how many tests its cases are divided where all of them are tried."""
    merges: bool = False
    """True if it writes over a later version than the one that it expects."""

    @property
    def reads(self) -> bool:
        """True if its answer is all that there is to judge."""
        return self.operation in {"get", "search", "drafts", "docs", "download", "history", "compare"}

    @property
    def repeatable(self) -> bool:
        """True if a second call leaves the same state as one call."""
        return self.keyed or self.operation == "profile"

    def headers(self) -> dict[str, str]:
        return {"idempotency_key": "once"} if self.keyed else {}


def _two_new(_: Base) -> object:
    by_id = {name: value for name, value in NEEDED.items() if name not in {"name", "instructions"}}
    return {
        "personas": [
            {**NEEDED, "name": "Eve", "description": "New here.", "examples": ["Hello?", "Is this on?"]},
            {**by_id, "name": "Fay", "instructions_id": text_id("instructions", "Ask before you answer.")},
        ]
    }


def _two_changes(base: Base) -> object:
    return {
        "personas": [
            {
                "persona_id": base.ids["ada"],
                "expected_version": 1,
                "name": "Ada Lovelace",
                "examples": ["One.", "Two."],
            },
            {"persona_id": base.ids["bea"], "description": "Changed.", "active_flag": True},
        ]
    }


def _patch(base: Base) -> object:
    return {"input_draft_id": base.ids["draft"], "expected_version": 1, "name": "Third", "description": None}


def _merged_change(base: Base) -> object:
    """Return a change of a version after which the description was changed."""
    change = {"name": "Eli the Elder", "examples": ["One.", "Two."], "active_flag": True}
    return {"personas": [{"persona_id": base.ids["eli"], "expected_version": 1, "merge": True, **change}]}


def _merged_patch(base: Base) -> object:
    """Return a patch of a version after which the name was changed."""
    change = {"description": "Third.", "example_ids": []}
    return {"input_draft_id": base.ids["renamed draft"], "expected_version": 1, "merge": True, **change}


def _two(base: Base) -> tuple[str, ...]:
    return base.ids["ada"], base.ids["bea"]


def _both_ways(
    name: str, body: Callable[[Base], object], written: Callable[[Base], tuple[str, ...]], *, merges: bool = False
) -> list[Scenario]:
    operation = name.replace(",", "").partition(" ")[0]
    return [
        Scenario(name, operation, body, written, pieces=2, merges=merges),
        Scenario(f"{name}, keyed", operation, body, written, keyed=True, pieces=2, merges=merges),
    ]


def _second_part(sent: Sent) -> bool:
    return sent.operation == "UploadPart" and "partNumber=2" in sent.query


def _profile_put(lab: "Lab", base: Base) -> Answer:
    """Do the same as `personas profile put` for a profile that had Cy and gets Ada and Bea."""
    deadline().start(None)
    profile, table = PEOPLE["coach"].profile(role="admin"), services().table

    def put() -> dict[str, object]:
        GroupStore(table).mark(GROUP)
        ProfileWriter(table).put_profile(profile, _two(base), str(uuid4()))
        return {}

    return lab.told(put)


SCENARIOS: Final = (
    Scenario(
        "get",
        "get",
        lambda base: {"persona_id": base.ids["ada"], "draft_id": base.ids["draft"], "descriptions_search": "a"},
    ),
    Scenario("search", "search", lambda _: {"search": "a", "page_size": 100}),
    Scenario("drafts", "drafts"),
    Scenario("docs", "docs", lambda base: {"entity_id": base.ids["ada"]}),
    Scenario("history", "history", lambda base: {"persona_id": base.ids["eli"]}),
    Scenario("history of one", "history", lambda base: {"persona_id": base.ids["eli"], "version": 1}),
    Scenario("history of a deleted one", "history", lambda base: {"persona_id": base.ids["dee"], "page_size": 1}),
    Scenario(
        "compare",
        "compare",
        lambda base: {"persona_id": base.ids["eli"], "from_version": 1, "draft_id": base.ids["draft"]},
    ),
    *_both_ways("restore", lambda base: {"persona_id": base.ids["eli"], "version": 1}, lambda base: (base.ids["eli"],)),
    *_both_ways(
        "restore of a deleted one",
        lambda base: {"persona_id": base.ids["dee"], "version": 1},
        lambda base: (base.ids["dee"],),
    ),
    *_both_ways("create", _two_new, lambda _: ("new:Eve", "new:Fay")),
    *_both_ways("update", _two_changes, _two),
    *_both_ways("update, merged", _merged_change, lambda base: (base.ids["eli"],), merges=True),
    Scenario("create in chunks", "create", _two_new, lambda _: ("new:Eve", "new:Fay"), in_chunks=True, pieces=2),
    Scenario("update in chunks, keyed", "update", _two_changes, _two, keyed=True, in_chunks=True, pieces=2),
    *_both_ways("delete", lambda base: {"persona_ids": list(_two(base))}, _two),
    *_both_ways("duplicate", lambda base: {"persona_id": base.ids["ada"]}, lambda _: ("new:Ada Copy",)),
    *_both_ways("draft begun", lambda _: {"name": "Fresh", "examples": ["Hm."]}, lambda _: ("new draft",)),
    *_both_ways("draft patched", _patch, lambda base: (base.ids["draft"],)),
    *_both_ways("draft patched, merged", _merged_patch, lambda base: (base.ids["renamed draft"],), merges=True),
    Scenario("export", "export", behind=True, pieces=2),
    Scenario("export in parts", "export", behind=True, in_parts=True, pieces=2),
    Scenario(
        "export given up",
        "export",
        behind=True,
        in_parts=True,
        never=_second_part,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        pieces=2,
    ),
    Scenario("download", "download", lambda base: {"upload_id": base.ids["upload"]}, status=HTTPStatus.FOUND),
    Scenario("refresh", "refresh", behind=True, pieces=6),
    Scenario("refresh from nothing", "refresh", behind=True, lost_views=True, pieces=6),
    Scenario("refresh in parts", "refresh", behind=True, in_parts=True, pieces=8),
    Scenario(
        "queue",
        "queue",
        behind=True,
        act=lambda lab, _: lab.background(messages(*GROUPS)),
        limit=FUNCTION_LIMIT,
        pieces=16,
    ),
    Scenario(
        "schedule",
        "schedule",
        behind=True,
        act=lambda lab, _: lab.background(background.schedule()),
        limit=FUNCTION_LIMIT,
    ),
    Scenario(
        "profile put", "profile", keys=lambda base: (PEOPLE["coach"].id, *_two(base), base.ids["cy"]), act=_profile_put
    ),
)

GROUPS: Final[Mapping[str, str]] = {GROUP: "root", OTHER_GROUP: "stranger"}
"""The groups that a refresh may be about, each with somebody who may ask for one."""


# ---- Judging ---------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """One fault at one call, or at all calls of a kind, or with the clock."""

    scenario: Scenario
    fault: Fault
    number: int
    kind: Kind
    lasting: bool

    @property
    def gets_over_it(self) -> bool:
        """True if the service must succeed in spite of the fault."""
        return self.fault.passes and not self.lasting and self.scenario.never is None

    def __str__(self) -> str:
        kind = "/".join(filter(None, self.kind))
        return f"{self.scenario.name}: {self.fault.name} at {'every' if self.lasting else self.number} {kind}"


@dataclass
class Clean:
    """The answer, requests and state of a scenario without any fault."""

    answer: Answer
    sent: list[Sent]
    before: Logical
    after: Logical
    file: bytes | None
    """The file of the export that was made, if one was."""


class Judged(NamedTuple):
    """The faults that a case shows, and what it left behind that ends by itself (`docs/reliability.md`)."""

    wrong: list[str]
    left: list[str]


class Ground(NamedTuple):
    """A world, what is misplaced in it, and its two initial states."""

    world: World
    misplaced: Misplaced
    settled: Base
    behind: Base


@dataclass
class Lab:
    """A place to try scenarios: the ground that they start from, and the means to cause faults."""

    ground: Ground
    faults: Faults
    waiting: Waiting
    patch: pytest.MonkeyPatch
    _off: dict[int, timedelta] = field(default_factory=dict)
    """The error of the clock of every environment that has been told of it by AWS."""

    @property
    def world(self) -> World:
        return self.ground.world

    def base(self, scenario: Scenario) -> Base:
        return self.ground.behind if scenario.behind else self.ground.settled

    @property
    def backend(self) -> Backend:
        return self.ground.settled.backend

    def begin(self, scenario: Scenario) -> None:
        """Restore the initial state and start a new environment."""
        self.faults.clear()
        self._off.clear()
        self.faults.held.clear()
        base = self.base(scenario)
        base.backend.put_back(base.held._replace(objects={}) if scenario.lost_views else base.held)
        if scenario.in_chunks:
            self.patch.setattr("personas.operations.bulk.CHUNK", 1)
        if scenario.in_parts:
            self.patch.setattr("personas.store.objects.PART_BYTES", 150)
            self.patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
            self.patch.setattr("personas.operations.export.LOADED_AT_ONCE", 1)
        self._restart()

    # ---- Environments ----------------------------------------------------------------------------------------------

    @staticmethod
    def _restart(off: timedelta = timedelta()) -> None:
        """Start a new environment, but keep its clients, which hold nothing and take long to make."""
        services.cache_clear()
        set_machine_off(off, known=False)

    def _resume(self, environment: Services) -> None:
        """Return to an environment that was there before, with all that it holds."""
        services.cache_clear()
        set_machine_off(self._off.get(id(environment), timedelta()), known=True)
        with patch("personas.services.Services", return_value=environment):
            services()

    # ---- Calls -----------------------------------------------------------------------------------------------------

    def call(self, scenario: Scenario) -> Answer:
        """Return the answer, or `CUT_OFF` if the function was ended, as at the end of its time."""
        base = self.base(scenario)
        try:
            with self.waiting.cut_off_after(scenario.limit):
                if scenario.act:
                    return scenario.act(self, base)
                return warm_client(self.world).call(scenario.operation, scenario.body(base), **scenario.headers())
        except Killed:
            return CUT_OFF

    def background(self, event: dict[str, Any]) -> Answer:
        """Return the answer of the function that refreshes to an event that is no request."""
        return self.told(lambda: load_once("refresh")(event, Context("test-refresh", int(FUNCTION_LIMIT * 1000))))

    @staticmethod
    def told(act: Callable[[], Mapping[str, object]]) -> Answer:
        """Return the result of an act as an answer; an error becomes the problem that an answer would contain."""
        try:
            return Answer(HTTPStatus.OK, {}, json.dumps(act()))
        except ConditionFailed:
            error: PersonasError = Conflict("Somebody else keeps writing it.", code="contended")
        except PersonasError as raised:
            error = raised
        problem = Problem(
            type="about:blank",
            title=error.title,
            status=error.status,
            detail=error.detail,
            code=error.code,
            request_id="-",
        )
        headers = {"Content-Type": "application/json", "Retry-After": str(error.retry_after)}
        return Answer(error.status, headers, problem.model_dump_json(exclude_none=True))

    def clean(self, scenario: Scenario) -> Clean:
        """Make the call without faults."""
        self.begin(scenario)
        before, files = self.base(scenario).logical(), self.backend.files
        self._fail_ever(scenario)
        self.faults.sent.clear()
        answer = self.call(scenario)
        sent = list(self.faults.sent)
        assert answer.status == scenario.status, answer.text
        assert not scenario.merges or _says_merged(answer), answer.text
        made = [content for upload_id, content in self.backend.files.items() if upload_id not in files]
        return Clean(answer, sent, before, self.base(scenario).logical(), made[0] if made else None)

    def all_faults(self, scenario: Scenario) -> tuple[Fault, ...]:
        """Return all faults, those that do not concern this scenario among them."""
        return (*faults(self.waiting, self.faults, scenario.limit), *self.ground.misplaced.faults())

    def cases(self, scenario: Scenario, clean: Clean) -> Iterator[Case]:
        """Yield all cases of a scenario."""
        kinds = [kind_of(sent) for sent in clean.sent]
        for fault in self.all_faults(scenario):
            if fault.skew is not None:
                yield Case(scenario, fault, 0, Kind("clock"), lasting=False)
            met: set[Kind] = set()
            for number, (sent, kind) in enumerate(zip(clean.sent, kinds, strict=True)):
                if fault.concerns(sent) and not (scenario.never and scenario.never(sent)):
                    yield Case(scenario, fault, number, kind, lasting=False)
                    if kind not in met and not fault.once_only:
                        met.add(kind)
                        yield Case(scenario, fault, number, kind, lasting=True)

    def judge(self, case: Case, clean: Clean) -> Judged:
        """Return the faults that a case shows, and what it left behind."""
        left: list[str] = []
        try:
            return Judged([f"{case}: {each}" for each in self._found(case, clean, left)], left)
        except Exception as error:  # noqa: BLE001  # one case that breaks a test's assumption keeps none from being tried
            return Judged([f"{case}: {error!r}"], left)

    def _found(self, case: Case, clean: Clean, left: list[str]) -> list[str]:
        scenario, base = case.scenario, self.base(case.scenario)
        self.begin(scenario)
        if case.fault.skew is None:
            answer, wrong_clock = self._struck(case), None
        else:
            answer, wrong_clock = self._by_a_wrong_clock(scenario, case.fault.skew)
        found = list(self._ill_formed(case, answer))
        after = base.logical()
        if answer.status == scenario.status and scenario.reads:
            found += self._wrong_read(case, answer, clean.answer)
        if answer.status == scenario.status and scenario.merges and not _says_merged(answer):
            found.append("a merge is not told")
        found += self._half_saved(scenario, answer, clean, after)
        found += leaks(base.backend, clean.before, after, {base.ids["draft"], base.ids["renamed draft"], "new draft"})
        found += self._uploads(case, left)
        found += self._files(case, answer, clean, left)
        found += self._seen_by_the_next(base)
        if scenario.repeatable:
            found += self._repeated(case, clean)
        if scenario.operation == "schedule":
            found += self._scheduled(answer)
        if wrong_clock is not None:
            found += self._clocks_apart(base, wrong_clock)
        elif scenario.operation == "refresh":
            found += self._refreshed(case, answer)
        elif scenario.operation == "queue":
            found += self._worked_through(case, answer)
        if case.fault.late:
            found += self._arrived(case, answer, clean, left)
        return [f"{each} [{answer.status} {answer.text[:300]}]" for each in found]

    def _struck(self, case: Case) -> Answer:
        """Return the answer to the call under the fault; after that, all requests go through again."""
        if case.lasting:
            self.faults.always(lambda sent: kind_of(sent) == case.kind, case.fault.outcome)
        else:
            self.faults.plan(nth(case.number), case.fault.outcome)
        self._fail_ever(case.scenario)
        answer = self.call(case.scenario)
        self.faults.clear()
        if case.fault.ends:
            self._restart()
        return answer

    def _fail_ever(self, scenario: Scenario) -> None:
        if scenario.never:
            self.faults.always(scenario.never, refused("SlowDown", 503))

    # ---- The answer ------------------------------------------------------------------------------------------------

    @staticmethod
    def _ill_formed(case: Case, answer: Answer) -> Iterator[str]:
        if answer == CUT_OFF:
            if not case.fault.ends:
                yield "nothing is answered"
            return
        if answer.status in {HTTPStatus.OK, HTTPStatus.FOUND}:
            return
        if answer.headers.get("Content-Type") != "application/json":
            yield f"an error as {answer.headers}"
        problem = Problem.model_validate(answer.body)
        if problem.code == "contended" and case.fault.name == "cancelled: condition":
            return  # somebody else wrote the profile: that is what the store says
        if problem.status != answer.status or answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            yield "a passing fault is told as something else"
        elif not answer.headers.get("Retry-After"):
            yield "a 503 without Retry-After"

    @staticmethod
    def _wrong_read(case: Case, answer: Answer, right: Answer) -> Iterator[str]:
        if case.scenario.operation == "download":
            if _address(answer) != _address(right):
                yield f"a wrong address: {answer.headers}"
            return
        told, expected = answer.body, right.body
        does_without = case.fault.spoils or (case.kind.service == "s3" and (case.fault.takes_time or case.lasting))
        if does_without and case.scenario.operation == "get":
            told, expected = _selected(told), _selected(expected)
        if told != expected:
            yield "a wrong answer"

    def _verdicts(self, scenario: Scenario, answer: Answer) -> list[Verdict]:
        positions = len(scenario.keys(self.base(scenario)))
        if not positions:
            return []
        body = answer.body
        if "results" in body:
            return [_told(each) for each in body["results"]]
        if answer.status == HTTPStatus.OK:
            return ["done"] * positions
        return ["unknown" if _unsure(answer) else "not done"] * positions

    def _half_saved(self, scenario: Scenario, answer: Answer, clean: Clean, after: Logical) -> Iterator[str]:
        written = scenario.keys(self.base(scenario))
        for key, verdict in zip(written, self._verdicts(scenario, answer), strict=True):
            old, new, now = clean.before.get(key), clean.after.get(key), after.get(key)
            allowed = {"done": [new], "not done": [old], "unknown": [old, new]}[verdict]
            if now not in allowed:
                yield f"{key} was told {verdict} and is {now}"
        for key in (after.keys() | clean.before.keys()) - set(written):
            if after.get(key) != clean.before.get(key):
                yield f"{key} was touched"

    # ---- What is left ----------------------------------------------------------------------------------------------

    def _uploads(self, case: Case, left: list[str]) -> Iterator[str]:
        """Check that no upload is open, unless nobody could abort it: no name, a failing S3, or no environment left."""
        if not self.backend.uploads:
            return
        operation, fault = case.kind.operation, case.fault
        unnamed = operation == "CreateMultipartUpload" and fault.after
        not_aborted = operation == "AbortMultipartUpload" and not case.gets_over_it
        if unnamed or not_aborted or fault.ends:
            left.append("open upload")
        else:
            yield "an upload is left open"

    def _files(self, case: Case, answer: Answer, clean: Clean, left: list[str]) -> Iterator[str]:
        """Check that files are whole and that every record has its file; nobody can find a file without a record."""
        base = self.base(case.scenario)
        held = base.ids["upload"]
        files, records = dict(self.backend.files), dict(self.backend.exports)
        if case.scenario.lost_views:
            files[held] = b""
        if held not in files or held not in records:
            yield "an export is gone"
        new_files, new_records = files.keys() - {held}, records.keys() - {held}
        if any(files[each] != clean.file for each in new_files):
            yield "a file is not whole"
        if new_records - new_files:
            yield "a record is without its file"
        if case.scenario.operation != "export":
            if new_files:
                yield "a file has come from nowhere"
        elif answer.status == HTTPStatus.OK:
            told, expected = answer.body, clean.answer.body
            if {told["upload_id"]} != new_records or told["row_count"] != expected.get("row_count"):
                yield "the export that is told is not there"
        elif new_records and not _unsure(answer):
            yield "an export was told not done and is there"
        if new_files - new_records:
            if answer.status == HTTPStatus.OK:
                yield "a file is without its record"
            left.append("file without a record")

    def _seen_by_the_next(self, base: Base) -> Iterator[str]:
        """Check that the same environment answers the next calls by what is stored: its memory is not spoiled."""
        client = warm_client(self.world)
        partition = keys.group_partition(GROUP)
        stored = {
            keys.id_of(text(item, "sk")): item
            for item in base.backend.items("PersonasTable")
            if item["pk"] == partition and text(item, "sk").startswith(keys.PERSONAS) and "deleted" not in item
        }
        answer = client.call("search", {"page_size": 100})
        if answer.status != HTTPStatus.OK:
            yield f"the next search fails: {answer.text}"
            return
        shown = {row["persona_id"]: (row["name"], row["description"]) for row in answer.body["personas"]}
        rows = {persona_id: mapping(item, "row") for persona_id, item in stored.items()}
        if shown != {persona_id: (row["n"], row["d"]) for persona_id, row in rows.items()}:
            yield "the next search is wrong"
        ada = base.ids["ada"]
        form = client.call("get", {"persona_id": ada})
        if (form.status == HTTPStatus.OK) != (ada in stored):
            yield f"the next get is wrong: {form.text[:200]}"
        elif ada in stored and form.body["version"] != stored[ada]["version"]:
            yield f"the next get is behind: {form.text[:200]}"

    def _repeated(self, case: Case, clean: Clean) -> Iterator[str]:
        """Check that a repeat succeeds, under the same key if there is one, with the state of a faultless call."""
        if case.fault.ends:
            # Until its time would have been over, the ended call holds off a repeat.
            self.world.expire_idempotency("in_progress_expiration", 0)
        answer = self.call(case.scenario)
        if answer.status == HTTPStatus.CONFLICT and answer.body["code"] == "idempotency_in_progress":
            if case.kind.table != self.world.aws.names["IdempotencyTable"]:
                yield "the record of the key is stuck"
            # Its release got lost as well: it is free when the function's time would have been over.
            self.world.expire_idempotency("in_progress_expiration", 0)
            answer = self.call(case.scenario)
        if answer.status != HTTPStatus.OK:
            yield f"the repeat fails: {answer.text[:300]}"
        elif not all(each == "done" for each in self._verdicts(case.scenario, answer)):
            yield f"the repeat does not complete: {answer.text[:300]}"
        elif case.scenario.merges and not _says_merged(answer):
            yield f"the repeat does not tell the merge: {answer.text[:300]}"
        elif self.base(case.scenario).logical() != clean.after:
            yield f"the repeat leaves {self.base(case.scenario).logical()}"
        statuses = {record["status"] for record in self.backend.items("IdempotencyTable")}
        if case.scenario.keyed and statuses != {"COMPLETED"}:
            yield f"records of the key are left {statuses}"

    # ---- What comes late -------------------------------------------------------------------------------------------

    def _arrived(self, case: Case, answer: Answer, clean: Clean, left: list[str]) -> Iterator[str]:
        """Check that a request that takes effect only now changes nothing, unless the answer called it unknown."""
        scenario, base = case.scenario, self.base(case.scenario)
        before, records = base.logical(), self.backend.items("IdempotencyTable")
        self.faults.arrive()
        after = base.logical()
        if scenario.repeatable and self.backend.items("IdempotencyTable") != records:
            yield "what came late changes the record of the key"
        verdicts = self._verdicts(scenario, answer)
        if scenario.repeatable or "unknown" not in verdicts:
            if after != before:
                yield f"what came late leaves {after}"
        else:
            yield from self._half_saved(scenario, answer, clean, after)
        yield from self._seen_by_the_next(base)
        if scenario.repeatable:
            yield from self._repeated(case, clean)
        if scenario.operation in {"refresh", "queue", "schedule"}:
            yield from self._come_right(GROUPS if scenario.act else [GROUP])
        else:
            yield from self._unmarked_behind([GROUP])
        if self.backend.uploads:
            left.append("open upload")

    # ---- Views -----------------------------------------------------------------------------------------------------

    def _refreshed(self, case: Case, answer: Answer) -> Iterator[str]:
        """Check that the views are the old ones or the new, and that a refresh made the views that it reports."""
        if answer.status == HTTPStatus.OK and answer.body["refreshed_views"] and not self._agree(GROUP):
            yield "the views are not what they are told to be"
        elif case.gets_over_it and not self._agree(GROUP):
            yield "one fault keeps the views behind"
        yield from self._come_right([GROUP])

    def _worked_through(self, case: Case, answer: Answer) -> Iterator[str]:
        """Check that a group without a message is up to date, and that the others are after their next messages."""
        groups = dict(enumerate(GROUPS))
        stay = {groups[int(each)] for each in failed(answer.body)} if answer.status == HTTPStatus.OK else set(GROUPS)
        if case.gets_over_it and stay:
            yield f"one fault keeps {stay} behind"
        for group in GROUPS.keys() - stay:
            if not self._agree(group):
                yield f"{group} left the queue and is behind"
        yield from self._unmarked_behind(GROUPS)
        if stay:
            self._restart()
            again = self.background(messages(*stay))
            if again.status != HTTPStatus.OK or failed(again.body):
                yield f"the messages that come again fail: {again.text}"
        yield from self._come_right(GROUPS)

    def _scheduled(self, answer: Answer) -> Iterator[str]:
        """Check that all marked groups are queued, now or by the next schedule, and stay marked until their refresh."""
        if answer.status == HTTPStatus.OK and (answer.body["queued"], set(self.backend.queued)) != (2, set(GROUPS)):
            yield f"queued are {self.backend.queued}"
        if not all(Views(self.world, group).marked for group in GROUPS):
            yield "a mark is lost"
        self._restart()
        again = self.background(background.schedule())
        if again.status != HTTPStatus.OK or not set(self.backend.queued) >= GROUPS.keys():
            yield f"the next schedule queues {self.backend.queued}: {again.text}"
        worked = self.background(messages(*self.backend.queued))
        if worked.status != HTTPStatus.OK or failed(worked.body) or not all(map(self._agree, GROUPS)):
            yield f"what is queued is not refreshed: {worked.text}"

    def _come_right(self, groups: Iterable[str]) -> Iterator[str]:
        """Check that the next refresh updates the views and removes the mark, and that the weekly one cleans up."""
        yield from self._unmarked_behind(groups)
        for weekly in (False, True):
            self._restart()
            if weekly:
                services().now = services().table.now = shifted(utc_now, timedelta(days=9))
            for group in groups:
                again = warm_client(self.world, GROUPS[group]).call("refresh")
                if again.status != HTTPStatus.OK or not self._agree(group):
                    yield f"the {'weekly' if weekly else 'next'} refresh of {group} fails: {again.text}"
                    continue
                views = Views(self.world, group)
                if views.marked:
                    yield f"{group} stays marked"
                for key in views.pointed_at():
                    if views.superseded(key):
                        yield f"{key} is needed and superseded"
                if weekly and (objects := views.objects()) != (needed := views.needed()):
                    yield f"objects are left behind: {objects - needed}"

    def _unmarked_behind(self, groups: Iterable[str]) -> Iterator[str]:
        for group in groups:
            if not Views(self.world, group).marked and not self._agree(group):
                yield f"{group} is behind and not marked"

    def _agree(self, group: str) -> bool:
        try:
            Views(self.world, group).agree()
        except (AssertionError, ClientError):
            return False
        return True

    # ---- Clocks ----------------------------------------------------------------------------------------------------

    def _by_a_wrong_clock(self, scenario: Scenario, skew: timedelta) -> tuple[Answer, Services]:
        """Return the answer of an environment whose clock is wrong, and that environment.

        An environment that was there before goes on.
        """
        warm_client(self.world).call("search")
        before = services()
        learns = abs(skew) > CLOCK_SKEW
        self._restart(skew if learns else timedelta())
        wrong = services()
        if learns:
            self._off[id(wrong)] = skew
        else:
            wrong.now = wrong.table.now = shifted(utc_now, skew)
        with powertools_off(skew):
            self._fail_ever(scenario)
            answer = self.call(scenario)
            self.faults.clear()
        self._resume(before)
        return answer, wrong

    def _clocks_apart(self, base: Base, wrong: Services) -> Iterator[str]:
        """Check that each environment reads and refreshes what the other one writes, in whatever order."""
        right = services()
        for number, writer in enumerate((right, wrong)):
            self._resume(writer)
            change = {"persona_id": base.ids["cy"], "description": f"Written by clock {number}."}
            if warm_client(self.world).call("update", {"personas": [change]}).status != HTTPStatus.OK:
                yield f"clock {number} cannot write"
            for reader in (wrong, right):
                self._resume(reader)
                yield from self._seen_by_the_next(base)
            for refreshing in (wrong, right):
                self._resume(refreshing)
                answer = warm_client(self.world).call("refresh")
                if answer.status != HTTPStatus.OK or not self._agree(GROUP):
                    yield f"the views lack what clock {number} wrote: {answer.text}"
            self._restart()
            yield from self._seen_by_the_next(base)


def _told(result_item: Mapping[str, Any]) -> Verdict:
    if result_item["success"]:
        return "done"
    return "unknown" if result_item["code"] == "outcome_unknown" else "not done"


def _says_merged(answer: Answer) -> bool:
    """Return True if an answer says of all that it saved that it was merged."""
    saved = [each for each in answer.body.get("results", [answer.body]) if each["success"]]
    return all(each.get("merged") is True for each in saved)


def _unsure(answer: Answer) -> bool:
    """Return True if an answer other than success leaves open what was saved."""
    return answer == CUT_OFF or answer.body["code"] in {"outcome_unknown", "idempotency_unavailable"}


def _address(answer: Answer) -> tuple[str, str]:
    """Return the path and file name of a download; its signature differs at any other time."""
    address = answer.headers["Location"]
    return urlsplit(address).path, query(address)["response-content-disposition"]


def _selected(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a form without the options that it offers."""
    return {
        name: {each: value for each, value in section.items() if each not in {"resources", "suggestions", "show"}}
        if isinstance(section, dict)
        else section
        for name, section in body.items()
    }


def hurry(patching: pytest.MonkeyPatch) -> None:
    """Leave out of a case what has tests of its own, and would be most of it."""
    patching.setattr("personas.services.parallel", InOrder)
    patching.setattr("personas.operations.maintenance.TEXT_SHARDS", 1)
    # The claim of a refresh that died is not waited for.
    patching.setattr("personas.operations.refresh.PATIENCE", timedelta())


NOT_IN_VIEWS: Final = "Not in the views yet."


def made(aws: Aws) -> Ground:
    """Lay the ground on empty tables; every case begins with a copy of it."""
    world = unguarded_world(aws)
    world.add("colors", "Teal", color("Teal", "#16818A"), OTHER_GROUP)
    world.add("icons", "Star", icon("Star", "star"), OTHER_GROUP)
    warm, views = Warm(world), {group: Views(world, group) for group in GROUPS}

    def refresh_all() -> None:
        for who in GROUPS.values():
            warm.done("refresh", who=who)

    ids = {"ada": _saved(warm, "Ada")}
    refresh_all()
    older = snapshots(views)
    ids |= {name: _saved(warm, name.capitalize()) for name in ("bea", "cy", "dee", "eli")}
    warm.update(ids["eli"], description=NOT_IN_VIEWS)
    ids["other"] = _saved(warm, "Olga", "stranger", voices=[])
    world.assign(ids["cy"], "coach")
    ids["draft"] = warm.draft(name="First", description="A draft.", examples=["So?"])
    ids["renamed draft"] = warm.draft(name="Zoe", description="Another.", examples=["And?"])
    warm.done("draft", {"input_draft_id": ids["renamed draft"], "expected_version": 1, "name": "Zora"})
    warm.delete(ids["dee"])
    refresh_all()
    for of_group in views.values():
        of_group.expire()
    misplaced = Misplaced(snapshots(views), older)
    ids["upload"] = warm.done("export")["upload_id"]
    marks = [{name: {"S": value} for name, value in keys.mark(group).attributes().items()} for group in GROUPS]
    for mark in marks:
        aws.dynamodb.delete_item(TableName=world.table.name, Key=mark)
    # No operation writes versions, so that they stay as they are for all cases.
    for record in Streamed(aws, world.guard).taken():
        record_version(services(), record)
    backend = Backend(aws)
    settled = Base(backend, backend.held(), ids)
    world.restart()
    warm.update(ids["cy"], description=NOT_IN_VIEWS)
    warm.update(ids["other"], "stranger", description=NOT_IN_VIEWS)
    warm.delete(ids["bea"])
    # As old as marks are that a refresh may take away.
    ago = int((utc_now() - timedelta(minutes=10)).timestamp() * 1000)
    for group in GROUPS:
        world.set(keys.mark(group), "marked_at", ago)
    return Ground(world, misplaced, settled, Base(backend, backend.held(), ids))


def _saved(warm: Warm, name: str, who: str = "root", **others: object) -> str:
    fields = {"description": f"About {name}.", "examples": [f"{name} speaks."], "voices": ["Alto"], **others}
    return warm.save(who, name=name, **fields)
