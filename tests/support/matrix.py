"""Every operation under every fault at every call that it makes to AWS: what is tried, and how it is judged.

A *scenario* is a call of an operation on a known state. It is made once without faults, which shows the calls that it
makes and what it is to do. Then, from the same state and in a new environment, it is made again for every fault at
every one of those calls: once for that call alone, where the service may well get over it, and once for every call of
the kind, where it cannot. The answer and all that is stored afterwards are held against each other.
"""

import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, cast

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from personas.contract.problems import Problem
from personas.contract.registry import ROUTES
from personas.domain.text import Reference, TextKind
from personas.runtime import Parallel, utc_now
from personas.services import services
from personas.store import keys
from personas.store.attributes import Item, Value, decode_item
from personas.store.groups import Pointer
from personas.store.table import integer, mapping, text
from support.aws import Aws
from support.client import Answer, Client
from support.faults import (
    Faults,
    Match,
    Outcome,
    Sent,
    Waiting,
    changed,
    closed,
    half_done,
    lost_after,
    lost_as_500,
    lost_before,
    preceded,
    refused,
    slow,
    slow_to_connect,
    then,
    timed_out,
    unreachable,
)
from support.views import Views
from support.warm import unguarded_world, warm_client
from support.world import GROUP, NEEDED, World, result, text_id

type Verdict = Literal["done", "not done", "unknown"]

READ_TIMEOUT: Final = 3.0
"""What a request that times out costs, in seconds."""
NEAR_THE_LIMIT: Final = 26.0
"""After so many of its 29 seconds a function has no time for another attempt."""

_NUMBERED: Final = re.compile(r" Copy \d+$")


class InOrder(Parallel):
    """Makes the calls one after another, all of them, as threads would: so that the requests have numbers."""

    def run[T](self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """The results of ``calls``; the first error is raised once all have been made."""
        results: list[T] = []
        errors: list[Exception] = []
        for call in calls:
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001  # raised below, as a future would
                errors.append(error)
        if errors:
            raise errors[0]
        return results


# ---- Faults ----------------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """Something that goes wrong with a request, and with which requests it can."""

    name: str
    concerns: Callable[[Sent], bool]
    outcome: Outcome
    once_only: bool = False
    spoils: bool = False
    """Whether what it does to a view in S3 lasts in itself: then a form may lack what it would have offered."""


WRITES: Final = ("Put", "Update", "Delete", "BatchWrite", "Upload", "Create", "Complete", "Abort", "Send")


def _writes(sent: Sent) -> bool:
    return sent.operation.startswith(
        ("Put", "Update", "Delete", "Batch", "Upload", "Create", "Complete", "Abort", "Send")
    ) and (sent.operation != "BatchGetItem")


def _any(_: Sent) -> bool:
    return True


def _of(service: str, *operations: str) -> Callable[[Sent], bool]:
    return lambda sent: sent.service == service and (not operations or sent.operation in operations)


def faults(waiting: Waiting) -> tuple[Fault, ...]:
    """All faults; time passes by ``waiting``."""

    def taking(seconds: float, outcome: Outcome) -> Outcome:
        return then(outcome, partial(waiting.passes, seconds))

    late = partial(waiting.passes, NEAR_THE_LIMIT)
    item_writes = _of("dynamodb", "PutItem", "UpdateItem", "DeleteItem")
    reads = _of("s3", "GetObject")
    return (
        Fault("throttled", _of("dynamodb"), refused("ThrottlingException")),
        Fault("no throughput", _of("dynamodb"), refused("ProvisionedThroughputExceededException")),
        Fault("throttled", _of("s3"), refused("SlowDown", 503)),
        Fault("throttled", _of("sqs"), refused("ThrottlingException")),
        Fault("answered 500", _any, refused("InternalServerError", 500)),
        Fault("unreachable", _any, lost_before(unreachable())),
        Fault("slow to connect", _any, taking(1, lost_before(slow_to_connect()))),
        Fault("timed out before", _any, taking(READ_TIMEOUT, lost_before(timed_out()))),
        Fault("timed out after", _writes, taking(READ_TIMEOUT, lost_after(timed_out()))),
        Fault("connection reset before", _any, lost_before(closed())),
        Fault("connection reset after", _writes, lost_after(closed())),
        Fault("answered 500 after", _writes, lost_as_500),
        Fault("transaction conflict", item_writes, refused("TransactionConflictException")),
        Fault("half of a batch", _of("dynamodb", "BatchGetItem", "BatchWriteItem"), half_done),
        Fault("slow near the limit", _any, slow(NEAR_THE_LIMIT, waiting), once_only=True),
        Fault("timed out near the limit", _any, preceded(late, lost_before(timed_out())), once_only=True),
        Fault("lost near the limit", _writes, preceded(late, lost_after(timed_out())), once_only=True),
        Fault("object lost", reads, refused("NoSuchKey", 404), spoils=True),
        Fault("object lost", _of("s3", "HeadObject"), refused("404", 404), spoils=True),
        Fault("object damaged", reads, changed(_flipped), spoils=True),
        Fault("object cut off", reads, changed(_half), spoils=True),
        Fault("transfer broken off", reads, changed(_half, whole=False)),
    )


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :] if content else b"?"


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


class Kind(NamedTuple):
    """What requests have in common that are of the same kind."""

    service: str
    operation: str
    table: str
    keys: str


def kind_of(sent: Sent) -> Kind:
    """The kind of a request: the operation, and what its keys begin with."""
    if sent.service == "s3":
        view = next((part for part in sent.path.split("/") if part.startswith("personas_")), "")
        return Kind(sent.service, sent.operation, "", view)
    return Kind(sent.service, sent.operation, sent.table, sent.keys[0].partition("#")[0] if sent.keys else "")


def nth(number: int) -> Match:
    """The request of that number, from 0."""
    met = iter(range(number + 1))

    def match(_: Sent) -> bool:
        return next(met, None) == number

    return match


# ---- What is stored --------------------------------------------------------------------------------------------------


class Backend:
    """What moto holds, looked at and put back without a request: most of a case would be that otherwise."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._tables = dynamodb_backends[ACCOUNT][aws.dynamodb.meta.region_name].tables
        self._s3 = s3_backends[ACCOUNT]["aws"]
        self._bucket = self._s3.buckets[aws.names["Bucket"]]

    def items(self, logical_id: str) -> list[Item]:
        """All items of a table, in no order."""
        table = self._tables[self._aws.names[logical_id]]
        return [
            decode_item({name: each.to_regular_json() for name, each in item.attrs.items()})
            for item in table.all_items()
        ]

    @property
    def uploads(self) -> list[str]:
        """The uploads that are neither completed nor aborted."""
        return list(self._bucket.multiparts)

    def held(self) -> "Held":
        """Everything as it stands."""
        tables = {name: deepcopy(self._tables[name].items) for name in _tables(self._aws)}
        return Held(tables, {key: self._object(key) for key in self._bucket.keys})

    def put_back(self, held: "Held") -> None:
        """Make everything as it was."""
        for name, items in held.tables.items():
            self._tables[name].items = deepcopy(items)
        self._bucket.multiparts.clear()
        name, s3 = self._aws.names["Bucket"], self._aws.s3
        standing = {key: self._object(key) for key in self._bucket.keys}
        for key in standing.keys() - held.objects.keys():
            s3.delete_object(Bucket=name, Key=key)
        for key, (content, superseded) in held.objects.items():
            if standing.get(key) != (content, superseded):
                s3.put_object(Bucket=name, Key=key, Body=content)

    def _object(self, key: str) -> tuple[bytes, bool]:
        found = self._bucket.keys[key]
        return found.value, bool(self._s3.tagger.get_tag_dict_for_resource(found.arn))


class Held(NamedTuple):
    """All tables and the bucket as they stood at a moment; of each object whether it was superseded."""

    tables: Mapping[str, Any]
    objects: Mapping[str, tuple[bytes, bool]]


def _tables(aws: Aws) -> tuple[str, str]:
    return aws.names["PersonasTable"], aws.names["IdempotencyTable"]


type Logical = Mapping[str, tuple[object, ...]]
"""What callers can see of what is stored: the contents of each persona and draft, without times.

By id where the id was there before; by name where it is new, and then there may be several.
"""


@dataclass(frozen=True)
class Base:
    """A state to begin from, what it holds, and its parts by name."""

    backend: Backend
    held: Held
    ids: Mapping[str, str]

    def logical(self) -> Logical:
        """What callers could see of the store as it stands."""
        found: dict[str, list[object]] = {}
        known = set(self.ids.values())
        for item in self.backend.items("PersonasTable"):
            kind, _, item_id = text(item, "sk").partition("#")
            if kind not in {"persona", "draft"}:
                continue
            row = {name: value for name, value in mapping(item, "row").items() if name not in _TIMES}
            name = _NUMBERED.sub(" Copy", str(row.get("n", "")))
            shown = (name, {**row, "n": name, "ni": None}, item.get("texts"), item["version"], item.get("deleted"))
            key = item_id if item_id in known else f"new:{name}" if kind == "persona" else "new draft"
            found.setdefault(key, []).append(shown)
        return {key: tuple(sorted(contents, key=str)) for key, contents in found.items()}


_TIMES: Final = frozenset({"ct", "ut"})


def leaks(backend: Backend, before: Logical, after: Logical, drafts: Container[str]) -> Iterator[str]:
    """What is stored and should not be, or not in this way; ``drafts`` are the keys that are no personas."""
    items = backend.items("PersonasTable")
    standing = {(item["pk"], item["sk"]) for item in items}
    for item in items:
        pk, sk = text(item, "pk"), text(item, "sk")
        if pk.startswith("text#"):
            kind, _, entry_id = sk.partition("#")
            stored = _unpacked(cast("bytes", item["text"]))
            if (
                text_id(cast("TextKind", kind), stored) != entry_id
                or integer(item, "used_at") > utc_now().timestamp() + 9
            ):
                yield f"the clean-up would not find {pk} {sk}"
        if sk.startswith("draft#") and (f"draft#{GROUP}", f"drafter#{pk.rpartition('#')[2]}") not in standing:
            yield f"the clean-up would not find the texts of {sk}"
        for reference in _references(mapping(item, "row")):
            if keys.text(GROUP, *reference) not in standing:
                yield f"{sk} gives out an id that the directory does not know: {reference}"
    old, new = ({key: each for key, each in state.items() if key not in drafts} for state in (before, after))
    if old != new and keys.mark(GROUP) not in standing:
        yield "a persona changed and its group is not marked"


def _unpacked(packed: bytes) -> str:
    try:
        return zlib.decompress(packed).decode()
    except zlib.error:
        # moto keeps what comes in a batch as it came over the wire.
        return zlib.decompress(b64decode(packed)).decode()


_TEXT_COLUMNS: Final[Mapping[str, TextKind]] = {
    "ni": "names",
    "di": "descriptions",
    "ii": "instructions",
    "ex": "examples",
}
_TEXT_FIELDS: Final[Mapping[str, TextKind]] = {
    "name_id": "names",
    "description_id": "descriptions",
    "instructions_id": "instructions",
    "example_ids": "examples",
}


def _references(row: Mapping[str, Value]) -> Iterator[Reference]:
    for name, kind in {**_TEXT_COLUMNS, **_TEXT_FIELDS}.items():
        value = row.get(name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield Reference(kind, each)


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

    @property
    def writes(self) -> bool:
        return ROUTES[self.operation].writes

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


def _two(base: Base) -> tuple[str, ...]:
    return base.ids["ada"], base.ids["bea"]


def _both_ways(name: str, body: Callable[[Base], object], written: Callable[[Base], tuple[str, ...]]) -> list[Scenario]:
    operation = name.partition(" ")[0]
    return [Scenario(name, operation, body, written), Scenario(f"{name}, keyed", operation, body, written, keyed=True)]


SCENARIOS: Final = (
    Scenario(
        "get",
        "get",
        lambda base: {"persona_id": base.ids["ada"], "draft_id": base.ids["draft"], "descriptions_search": "a"},
    ),
    Scenario("search", "search", lambda _: {"search": "a", "page_size": 100}),
    Scenario("drafts", "drafts"),
    Scenario("docs", "docs", lambda base: {"entity_id": base.ids["ada"]}),
    *_both_ways("create", _two_new, lambda _: ("new:Eve", "new:Fay")),
    *_both_ways("update", _two_changes, _two),
    *_both_ways("delete", lambda base: {"persona_ids": list(_two(base))}, _two),
    *_both_ways("duplicate", lambda base: {"persona_id": base.ids["ada"]}, lambda _: ("new:Ada Copy",)),
    *_both_ways("draft begun", lambda _: {"name": "Fresh", "examples": ["Hm."]}, lambda _: ("new draft",)),
    *_both_ways("draft patched", _patch, lambda base: (base.ids["draft"],)),
    Scenario("refresh", "refresh", behind=True),
    Scenario("refresh from nothing", "refresh", behind=True, lost_views=True),
)


# ---- Judging ---------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """One fault at one call, or at all calls of a kind."""

    scenario: Scenario
    fault: Fault
    number: int
    kind: Kind
    lasting: bool

    def __str__(self) -> str:
        kind = "/".join(filter(None, self.kind))
        return f"{self.scenario.name}: {self.fault.name} at {'every' if self.lasting else self.number} {kind}"


@dataclass
class Clean:
    """What a scenario does where nothing goes wrong."""

    answer: Answer
    sent: list[Sent]
    before: Logical
    after: Logical


@dataclass
class Lab:
    """Where scenarios are tried: a world, its two states to begin from, and the means to make things go wrong."""

    world: World
    faults: Faults
    waiting: Waiting
    settled: Base
    behind: Base

    def base(self, scenario: Scenario) -> Base:
        return self.behind if scenario.behind else self.settled

    def begin(self, scenario: Scenario) -> None:
        """The state to begin from, and a new environment."""
        self.faults.clear()
        base = self.base(scenario)
        base.backend.put_back(base.held._replace(objects={}) if scenario.lost_views else base.held)
        self._restart()

    @staticmethod
    def _restart() -> None:
        """A new environment, but for its clients, which hold nothing and take long to make."""
        services.cache_clear()

    def call(self, scenario: Scenario) -> Answer:
        body = scenario.body(self.base(scenario))
        return warm_client(self.world).call(scenario.operation, body, **scenario.headers())

    def clean(self, scenario: Scenario) -> Clean:
        """Make the call without faults."""
        self.begin(scenario)
        before = self.base(scenario).logical()
        self.faults.sent.clear()
        answer = self.call(scenario)
        sent = list(self.faults.sent)
        assert answer.status == HTTPStatus.OK, answer.text
        return Clean(answer, sent, before, self.base(scenario).logical())

    def cases(self, scenario: Scenario, clean: Clean) -> Iterator[Case]:
        """All cases of a scenario."""
        kinds = [kind_of(sent) for sent in clean.sent]
        for fault in faults(self.waiting):
            met: set[Kind] = set()
            for number, (sent, kind) in enumerate(zip(clean.sent, kinds, strict=True)):
                if fault.concerns(sent):
                    yield Case(scenario, fault, number, kind, lasting=False)
                    if kind not in met and not fault.once_only:
                        met.add(kind)
                        yield Case(scenario, fault, number, kind, lasting=True)

    def judge(self, case: Case, clean: Clean) -> list[str]:
        """What is wrong with what a case did; nothing if nothing is."""
        scenario, base = case.scenario, self.base(case.scenario)
        self.begin(scenario)
        if case.lasting:
            self.faults.always(lambda sent: kind_of(sent) == case.kind, case.fault.outcome)
        else:
            self.faults.plan(nth(case.number), case.fault.outcome)
        answer = self.call(scenario)
        self.faults.clear()
        found = list(self._ill_formed(case, answer))
        after = base.logical()
        if answer.status == HTTPStatus.OK and not scenario.writes and scenario.operation != "refresh":
            found += self._wrong_read(case, answer, clean.answer)
        found += self._half_saved(scenario, answer, clean, after)
        found += leaks(base.backend, clean.before, after, {base.ids["draft"], "new draft"})
        found += self._uploads(case)
        found += self._seen_by_the_next(base)
        if scenario.keyed:
            found += self._repeated(case, clean)
        if scenario.operation == "refresh":
            found += self._views(case, answer)
        return [f"{case}: {each} [{answer.status} {answer.text[:300]}]" for each in found]

    # ---- The answer ------------------------------------------------------------------------------------------------

    @staticmethod
    def _ill_formed(case: Case, answer: Answer) -> Iterator[str]:
        if answer.status == HTTPStatus.OK:
            return
        if answer.headers.get("Content-Type") != "application/problem+json":
            yield f"an error as {answer.headers}"
        problem = Problem.model_validate(answer.body)
        if problem.status != answer.status or answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            yield "a passing fault is told as something else"
        elif not answer.headers.get("Retry-After"):
            yield "a 503 without Retry-After"

    @staticmethod
    def _wrong_read(case: Case, answer: Answer, right: Answer) -> Iterator[str]:
        told, expected = answer.body, right.body
        if case.fault.spoils and case.scenario.operation == "get":
            told, expected = _selected(told), _selected(expected)
        if told != expected:
            yield "a wrong answer"

    def _verdicts(self, scenario: Scenario, answer: Answer) -> list[Verdict]:
        body = answer.body
        positions = len(scenario.keys(self.base(scenario)))
        if "results" in body:
            return [_told(each) for each in body["results"]]
        if answer.status == HTTPStatus.OK:
            return ["done"] * positions
        unknown = body["code"] in {"outcome_unknown", "idempotency_unavailable"}
        return ["unknown" if unknown else "not done"] * positions

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

    def _uploads(self, case: Case) -> Iterator[str]:
        if self.settled.backend.uploads and case.kind.operation not in {
            "AbortMultipartUpload",
            "CreateMultipartUpload",
        }:
            yield "an upload is left open"

    def _seen_by_the_next(self, base: Base) -> Iterator[str]:
        """The same environment answers the next calls by what is stored: nothing it holds was spoiled."""
        client = warm_client(self.world)
        stored = {
            keys.id_of(text(item, "sk")): item
            for item in base.backend.items("PersonasTable")
            if text(item, "sk").startswith(keys.PERSONAS) and "deleted" not in item
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
        """The repeat under the same key succeeds, and all is as if nothing had gone wrong."""
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
        elif self.base(case.scenario).logical() != clean.after:
            yield f"the repeat leaves {self.base(case.scenario).logical()}"
        statuses = {record["status"] for record in self.settled.backend.items("IdempotencyTable")}
        if statuses != {"COMPLETED"}:
            yield f"records of the key are left {statuses}"

    def _views(self, case: Case, answer: Answer) -> Iterator[str]:
        """The views are the old ones or the new; the next refresh brings them up to date, the weekly one cleans up."""
        views = Views(self.world)
        if answer.status == HTTPStatus.OK and answer.body["refreshed_views"]:
            views.agree()
        self._restart()
        again = warm_client(self.world).call("refresh")
        if again.status != HTTPStatus.OK:
            yield f"the next refresh fails: {again.text}"
            return
        views.agree()
        for pointer in cast("Mapping[str, object]", views.record.row["snapshots"]).values():
            found = Pointer.read(pointer)
            if found is not None and views.superseded(found.key):
                yield f"{found.key} is needed and superseded"
        services().table.now = lambda: utc_now() + timedelta(days=9)
        if warm_client(self.world).call("refresh").status != HTTPStatus.OK:
            yield "the weekly refresh fails"
        elif views.objects() != views.needed():
            yield f"objects are left behind: {views.objects() - views.needed()}"


def _told(result_item: Mapping[str, Any]) -> Verdict:
    if result_item["success"]:
        return "done"
    return "unknown" if "may or may not" in result_item["message"] else "not done"


def _selected(body: Mapping[str, Any]) -> dict[str, Any]:
    """A form without what it offers besides."""
    return {
        name: {each: value for each, value in section.items() if each not in {"resources", "suggestions", "show"}}
        if isinstance(section, dict)
        else section
        for name, section in body.items()
    }


def made(aws: Aws, faults: Faults, waiting: Waiting) -> Lab:
    """A lab on empty tables."""
    world = unguarded_world(aws)
    client = warm_client(world)
    ids = {name: _saved(client, name.capitalize()) for name in ("ada", "bea", "cy", "dee")}
    answer = client.call("draft", {"name": "First", "description": "A draft.", "examples": ["So?"]})
    assert answer.status == HTTPStatus.OK, answer.text
    ids["draft"] = answer.body["draft_id"]
    assert client.call("delete", {"persona_ids": [ids["dee"]]}).status == HTTPStatus.OK
    assert client.call("refresh").status == HTTPStatus.OK
    mark = keys.mark(GROUP)
    aws.dynamodb.delete_item(TableName=world.table.name, Key={"pk": {"S": mark.pk}, "sk": {"S": mark.sk}})
    backend = Backend(aws)
    settled = Base(backend, backend.held(), ids)
    world.restart()
    change = {"persona_id": ids["cy"], "description": "Not in the views yet."}
    assert client.call("update", {"personas": [change]}).status == HTTPStatus.OK
    assert client.call("delete", {"persona_ids": [ids["bea"]]}).status == HTTPStatus.OK
    return Lab(world, faults, waiting, settled, Base(backend, backend.held(), ids))


def _saved(client: Client, name: str) -> str:
    fields = {"description": f"About {name}.", "examples": [f"{name} speaks."], "voices": ["Alto"]}
    answer = client.call("create", {"personas": [{**NEEDED, "name": name, **fields}]})
    assert answer.status == HTTPStatus.OK, answer.text
    return cast("str", result(answer)["persona_id"])
