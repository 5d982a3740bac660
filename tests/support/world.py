"""A group to test with: its catalogue, its people and their keys, written through the real stores.

The catalogue and the people are constants, so that a test can name what it expects.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from personas.contract.persona_fields import TextKind
from personas.contract.registry import ROUTES
from personas.domain.catalogue import TEXT_IDS, Catalogue
from personas.domain.persona import Persona
from personas.domain.profile import ApiKey, Caller, Profile
from personas.domain.text import resource_id
from personas.domain.text import text_id as id_of_text
from personas.identity import digest_of, new_key
from personas.runtime import Deadline, utc_now
from personas.store import keys
from personas.store.attributes import Item, Value, encode
from personas.store.groups import GroupStore
from personas.store.keys import Key
from personas.store.personas import PersonaStore, Stored
from personas.store.table import Table
from personas_tools import library
from personas_tools.library_file import Library
from personas_tools.library_store import Entry, ResourceKind, ResourceStore
from personas_tools.profile_store import ProfileWriter
from support.aws import REGION, Aws, forget
from support.client import Answer, Client, Handler, load_handler
from support.iam import Guard

GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01"
OTHER_GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e02"
NOBODY: Final = "00000000-0000-4000-8000-000000000000"
"""An id that nothing has."""

LOADED_AT: Final = "2026-01-02T03:04:05+00:00"


def entry_id(kind: str, name: str, group: str = GROUP) -> str:
    """Return the id of an entry of the catalogue."""
    return resource_id(group, kind, name)


def text_id(kind: TextKind, text: str, group: str = GROUP) -> str:
    """Return the id of a text in a group that was founded with the secret that tests know."""
    return id_of_text(secret_of(group), kind, text)


def texts_of_bytes(size: int) -> dict[str, object]:
    """Return a name, instructions and examples of ``size`` bytes of UTF-8 together; each is within its own limit."""
    whole, rest = divmod(size - 3 - 96_000, 5_996)
    examples = [f"{number:02}" + "\N{EURO SIGN}" * 1_998 for number in range(whole)]
    last = "\N{EURO SIGN}" * (rest // 3) + "x" * (rest % 3)
    return {"name": "Ada", "instructions": "\N{EURO SIGN}" * 32_000, "examples": [*examples, last]}


def secret_of(group: str) -> bytes:
    """Return the secret with which tests found a group, so that the ids of its texts are known in every process."""
    return sha256(group.encode()).digest()


def parameter_field_id(parameter_id: str, field_id: str) -> str:
    """Return the id by which a persona links to a field of a parameter."""
    return entry_id("parameter_fields", f"{parameter_id}/{field_id}")


CARE: Final = entry_id("departments", "Care")
SALES: Final = entry_id("departments", "Sales")
LEGAL: Final = entry_id("departments", "Legal")
TEAL: Final = entry_id("colors", "Teal")
PLUM: Final = entry_id("colors", "Plum")
STAR: Final = entry_id("icons", "Star")
HEART: Final = entry_id("icons", "Beating heart")
ACTIVE: Final = entry_id("flags", "active")
ALTO: Final = entry_id("voices", "Alto")
BASS: Final = entry_id("voices", "Bass")
MOOD: Final = entry_id("parameters", "Mood")
TONE: Final = entry_id("parameters", "Tone")
FORMAT: Final = entry_id("parameters", "Format")
CALM: Final = entry_id("fields", "Mood/Calm")
ANGRY: Final = entry_id("fields", "Mood/Angry")
TONE_CALM: Final = entry_id("fields", "Tone/Calm")
FORMAL: Final = entry_id("fields", "Tone/Formal")
LETTER: Final = entry_id("fields", "Format/Letter")
MOOD_CALM: Final = parameter_field_id(MOOD, CALM)
MOOD_ANGRY: Final = parameter_field_id(MOOD, ANGRY)
TONE_IS_CALM: Final = parameter_field_id(TONE, TONE_CALM)
TONE_FORMAL: Final = parameter_field_id(TONE, FORMAL)

NEEDED: Final[Mapping[str, object]] = {
    "name": "Ada",
    "color": "Teal",
    "icon": "Star",
    "instructions": "Ask before you answer.",
}
"""A persona with no more than it needs, by value."""


def parameter(name: str, *field_ids: str, **others: Value) -> dict[str, Value]:
    """Return the row of a parameter that personas can have."""
    return {
        "name": name,
        "description": f"About {name}.",
        "value": name.lower(),
        "department_ids": [],
        "persona_parameter": True,
        "document_parameter": False,
        "scenario_parameter": False,
        "video_parameter": False,
        "field_ids": list(field_ids),
        "created_at": LOADED_AT,
        "active": True,
        "generated": False,
        "mcp": False,
        **others,
    }


def field_row(name: str, **others: Value) -> dict[str, Value]:
    """Return the row of a field."""
    return {
        "name": name,
        "description": f"{name} it is.",
        "value": name.lower(),
        "department_ids": [],
        "conditional_parameter_ids": [],
        "created_at": LOADED_AT,
        "active": True,
        "generated": False,
        "mcp": False,
        **others,
    }


def color(name: str, hex_code: str) -> dict[str, Value]:
    """Return the row of a color."""
    return {"name": name, "hex_code": hex_code, "description": None, "generated": False}


def icon(name: str, value: str) -> dict[str, Value]:
    """Return the row of an icon."""
    return {"name": name, "value": value, "description": None, "generated": False}


def department(name: str) -> dict[str, Value]:
    """Return the row of a department."""
    return {"name": name, "description": f"The {name} people.", "generated": False}


CATALOGUE: Final[tuple[Entry, ...]] = (
    Entry("departments", CARE, department("Care")),
    Entry("departments", SALES, department("Sales")),
    Entry("departments", LEGAL, department("Legal")),
    Entry("colors", TEAL, color("Teal", "#16818A")),
    Entry("colors", PLUM, color("Plum", "#6E2A59")),
    Entry("icons", STAR, icon("Star", "star")),
    Entry("icons", HEART, icon("Beating heart", "heart-pulse")),
    Entry("flags", ACTIVE, {"key": "active", "label": "Active", "description": "In use.", "generated": False}),
    Entry("voices", ALTO, {"voice": "Alto", "generated": False}),
    Entry("voices", BASS, {"voice": "Bass", "generated": False}),
    Entry("fields", CALM, field_row("Calm")),
    Entry("fields", ANGRY, field_row("Angry")),
    Entry("fields", TONE_CALM, field_row("Calm")),
    Entry("fields", FORMAL, field_row("Formal")),
    Entry("fields", LETTER, field_row("Letter")),
    Entry("parameters", MOOD, parameter("Mood", CALM, ANGRY)),
    Entry("parameters", TONE, parameter("Tone", TONE_CALM, FORMAL)),
    Entry("parameters", FORMAT, parameter("Format", LETTER, persona_parameter=False, document_parameter=True)),
)
"""The entries of the group's library. "Calm" is a field of two parameters; "Format" is for documents only."""


def catalogue_of(changed: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None) -> Catalogue:
    """Return that library as the rules see it, with ``changed`` rows by kind and id instead or besides."""
    rows: dict[str, dict[str, Mapping[str, object]]] = {"group": {GROUP: {TEXT_IDS: secret_of(GROUP)}}}
    for entry in CATALOGUE:
        rows.setdefault(entry.kind, {})[entry.id] = entry.row
    for kind, entries in (changed or {}).items():
        rows.setdefault(kind, {}).update(entries)
    return Catalogue(GROUP, rows)


def caller_of(role: str, *departments: str) -> Caller:
    """Return a caller of the group, in that role and of those departments."""
    return Caller(
        group_id=GROUP,
        profile_id=NOBODY,
        name="Vera",
        role=role,
        department_ids=frozenset(departments),
        session_id=NOBODY,
    )


load_once: Final = cache(load_handler)
"""A handler, imported once a process: what it holds between calls lies in the package, where ``forget`` finds it."""


@dataclass(frozen=True)
class Person:
    """A profile to be: ``id`` is made from the name."""

    name: str
    role: str
    departments: tuple[str, ...] = ()
    group: str = GROUP

    @property
    def id(self) -> str:
        return resource_id(self.group, "profiles", self.name)

    def profile(self, role: str | None = None, departments: tuple[str, ...] | None = None) -> Profile:
        """Return their profile, with another role or other departments where given."""
        return Profile(
            id=self.id,
            group_id=self.group,
            name=self.name,
            role=self.role if role is None else role,
            department_ids=frozenset(self.departments if departments is None else departments),
        )


def api_key(
    key: str, profile_id: str | None, group: str, *, expires_at: int | None = None, revoked: bool = False
) -> ApiKey:
    """Return what is stored of an API key."""
    return ApiKey(
        digest=digest_of(key),
        group_id=group,
        profile_id=profile_id,
        label="test",
        created_at=0,
        expires_at=expires_at,
        revoked=revoked,
    )


PEOPLE: Final[Mapping[str, Person]] = {
    person.name: person
    for person in (
        Person("root", "superadmin"),
        Person("admin", "admin", (CARE, SALES)),
        Person("coach", "instructional", (CARE,)),
        Person("seller", "instructional", (SALES,)),
        Person("loner", "instructional"),
        Person("learner", "learner", (CARE,)),
        Person("stranger", "superadmin", group=OTHER_GROUP),
    )
}


_KEYS: Final = {who: new_key(person.id) for who, person in PEOPLE.items()}

_LOADED: Final[dict[DynamoType, Any]] = {}
"""The items of moto's table after the first time."""


def load_group(aws: Aws) -> None:
    """Found the groups, with their catalogue and people: through the stores once in this process, then by a copy.

    Only moto's tables can hold a copy; on the emulator all is written each time.
    """
    here = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables.get(aws.names["PersonasTable"])
    if here is not None and _LOADED:
        here.items.update(deepcopy(_LOADED))
        return
    table = Table(aws.dynamodb, aws.names["PersonasTable"], utc_now, Deadline())
    for group in (OTHER_GROUP, GROUP):
        GroupStore(table).ensure_secret(group, secret_of(group))
    for entry in CATALOGUE:
        ResourceStore(table).put(GROUP, entry, uuid4().hex)
    profiles = ProfileWriter(table)
    for who, person in PEOPLE.items():
        profiles.put_profile(person.profile(), (), uuid4().hex)
        profiles.put_key(api_key(_KEYS[who], person.id, person.group), uuid4().hex)
    if here is not None:
        _LOADED.update(deepcopy(here.items))


CLOCKS: Final = ("wall", "monotonic")


@dataclass
class Clock:
    """A clock that stands still until a test moves it: the one on the wall, and the monotonic one where a test asks.

    ``running`` are the seconds that the monotonic one has counted.
    """

    moment: datetime = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
    running: float = 0.0

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, frozen: str = "", **time: float) -> None:
        """Let time pass, by the names of ``timedelta``, unless that one of ``CLOCKS`` is frozen."""
        passed = timedelta(**time)
        if frozen != "wall":
            self.moment += passed
        if frozen != "monotonic":
            self.running += passed.total_seconds()

    def replaces_monotonic(self, patch: pytest.MonkeyPatch) -> None:
        """Have the service's monotonic clock be this one, too."""
        patch.setattr("personas.clock.monotonic", lambda: self.running)


class Calls(ABC):
    """The calls that most tests make of a service, and that go well there."""

    @abstractmethod
    def call(self, operation: str, body: object = None, *, who: str = "root") -> Answer:
        """Call an operation as one of ``PEOPLE``."""

    def done(self, operation: str, body: object = None, *, who: str = "root") -> dict[str, Any]:
        """Call an operation and return the answer's body."""
        answer = self.call(operation, body, who=who)
        assert answer.status == 200, answer.text
        return answer.body

    def save(self, who: str = "root", /, **fields: object) -> str:
        """Create a persona: what is needed, and ``fields`` instead or besides; its id."""
        given = {name: value for name, value in NEEDED.items() if not {name, f"{name}_id"} & fields.keys()}
        (saved,) = self.done("create", {"personas": [{**given, **fields}]}, who=who)["results"]
        return cast("str", saved["persona_id"])

    def draft(self, who: str = "root", /, **fields: object) -> str:
        """Begin a draft; its id."""
        return cast("str", self.done("draft", fields, who=who)["draft_id"])

    def update(self, persona_id: str, who: str = "root", /, **fields: object) -> None:
        """Update a persona."""
        self.done("update", {"personas": [{"persona_id": persona_id, **fields}]}, who=who)

    def delete(self, *persona_ids: str) -> None:
        """Delete personas."""
        self.done("delete", {"persona_ids": list(persona_ids)})

    def refresh(self) -> list[str]:
        """Refresh the group; the views that changed."""
        return list(self.done("refresh")["refreshed_views"])

    def search(self, *, who: str = "root", **body: object) -> dict[str, Any]:
        """Search and return the answer's body."""
        return self.done("search", body, who=who)

    def found(self, *, who: str = "root", **body: object) -> list[str]:
        """Return the names that a search finds, in its order."""
        return [persona["name"] for persona in self.search(who=who, page_size=100, **body)["personas"]]


@dataclass
class World(Calls):
    """The group, which ``load_group`` has loaded, its people, and AWS under them.

    Every operation that it calls runs in an environment of its own that holds nothing from others, and may do what
    template.yaml allows its function. Of environments that stay warm, a test makes as many as it needs, around this one
    world: `support.environments`.
    """

    aws: Aws
    guard: Guard
    table: Table = field(init=False)
    personas: PersonaStore = field(init=False)
    profiles: ProfileWriter = field(init=False)
    resources: ResourceStore = field(init=False)
    _handlers: dict[str, Handler] = field(init=False)
    _running: str | None = None

    def __post_init__(self) -> None:
        self.table = Table(self.aws.dynamodb, self.aws.names["PersonasTable"], utc_now, Deadline())
        self.personas = PersonaStore(self.table)
        self.profiles = ProfileWriter(self.table)
        self.resources = ResourceStore(self.table)
        self._handlers = {operation: self._handler(operation) for operation in ROUTES}

    # ---- The group ---------------------------------------------------------------------------------------------------

    def add(self, kind: ResourceKind, name: str, row: Mapping[str, Value], group: str = GROUP) -> str:
        """Put an entry into a catalogue; its id."""
        added = entry_id(kind, name, group)
        self.resources.put(group, Entry(kind, added, row), self._write_id())
        return added

    def settings(self, **row: Value) -> None:
        """Set the group's settings."""
        self.resources.put(GROUP, Entry("group", GROUP, {"name": "House", "ai_generate": [], **row}), self._write_id())

    def cast(self, scenario: str, *persona_ids: str, active: bool = True) -> None:
        """Load a scenario that uses these personas, as the library loader does."""
        file = {"scenarios": [{"name": scenario, "active": active, "personas": list(persona_ids)}]}
        library.load(self.table, GROUP, Library.model_validate(file))

    def assign(self, persona_id: str, *people: str) -> None:
        """Assign a persona to these of ``PEOPLE``."""
        for who in people:
            self.profile(who, personas=(persona_id,))

    # ---- Its people --------------------------------------------------------------------------------------------------

    def profile(
        self,
        who: str,
        *,
        role: str | None = None,
        departments: tuple[str, ...] | None = None,
        personas: tuple[str, ...] = (),
    ) -> None:
        """Store the profile of one of ``PEOPLE`` anew, with another role, other departments or personas where given."""
        self.profiles.put_profile(PEOPLE[who].profile(role, departments), personas, self._write_id())

    def issue(
        self, profile_id: str | None, *, group: str = GROUP, expires_at: int | None = None, revoked: bool = False
    ) -> str:
        """Issue an API key that names a profile, or only a group."""
        key = new_key(profile_id)
        self.profiles.put_key(api_key(key, profile_id, group, expires_at=expires_at, revoked=revoked), self._write_id())
        return key

    def key(self, who: str) -> str:
        """Return the API key of one of ``PEOPLE``."""
        return _KEYS[who]

    def client(self, who: str = "root", **headers: str) -> Client:
        """Return a client with the API key of one of ``PEOPLE``."""
        return Client({"x-api-key": self.key(who)}, self._handlers).with_headers(**headers)

    def anyone(self, **headers: str) -> Client:
        """Return a client with no credentials but those in ``headers``."""
        return Client({}, self._handlers).with_headers(**headers)

    def call(self, operation: str, body: object = None, *, who: str = "root") -> Answer:
        """Call an operation as one of ``PEOPLE``."""
        return self.client(who).call(operation, body)

    # ---- What is stored ----------------------------------------------------------------------------------------------

    def stored(self, persona_id: str, group: str = GROUP) -> Stored | None:
        """Return the item that the table has under a persona's key."""
        return self.personas.get(group, persona_id)

    def persona(self, persona_id: str, group: str = GROUP) -> Persona:
        """Return the stored persona of that id."""
        stored = self.stored(persona_id, group)
        assert stored is not None
        assert stored.persona is not None
        return stored.persona

    def names(self) -> list[str]:
        """Return the names of the group's stored personas, sorted."""
        changes = self.table.changes(keys.group_partition(GROUP), keys.PERSONA_CHANGES, None)
        return sorted(str(change.row["n"]) for change in changes if not change.deleted)

    def contents(self) -> list[Item]:
        """Return every stored persona and draft, for tests that nothing was written."""
        found = self.aws.dynamodb.scan(TableName=self.table.name)["Items"]
        wanted = [raw for raw in found if raw["sk"]["S"].startswith(("persona#", "draft#"))]
        return sorted(cast("list[Item]", wanted), key=str)

    def set(self, key: Key, name: str, value: Value) -> None:
        """Change one attribute of an item behind the service's back."""
        self.aws.dynamodb.update_item(
            TableName=self.table.name,
            Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            UpdateExpression="SET #name = :value",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": encode(value)},
        )

    def queued(self) -> list[str]:
        """Take the messages from the queue of refreshes; the groups that they name."""
        queue, groups = self.aws.names["RefreshQueue"], list[str]()
        while found := self.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            groups += [json.loads(message["Body"])["group_id"] for message in found]
        return groups

    def idempotency_records(self) -> list[dict[str, Any]]:
        """Return the records of Idempotency-Keys."""
        return cast("list[dict[str, Any]]", self.aws.dynamodb.scan(TableName=self._idempotency_table)["Items"])

    def expire_idempotency(self, attribute: str, moment: int) -> None:
        """Set a time of every record of an Idempotency-Key; one that is deleted meanwhile stays deleted."""
        for record in self.idempotency_records():
            with suppress(self.aws.dynamodb.exceptions.ConditionalCheckFailedException):
                self.aws.dynamodb.update_item(
                    TableName=self._idempotency_table,
                    Key={"id": record["id"]},
                    UpdateExpression="SET #name = :moment",
                    ConditionExpression="attribute_exists(id)",
                    ExpressionAttributeNames={"#name": attribute},
                    ExpressionAttributeValues={":moment": {"N": str(moment)}},
                )

    def remember_instead(self, answer: Mapping[str, object]) -> None:
        """Put an answer in the place of the one that is remembered under the only Idempotency-Key."""
        (record,) = self.idempotency_records()
        remembered = {**record, "data": {"S": json.dumps(answer)}}
        self.aws.dynamodb.put_item(TableName=self._idempotency_table, Item=remembered)

    # ---- How it runs -------------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Begin the next call in a fresh execution environment."""
        forget()

    @property
    def _idempotency_table(self) -> str:
        return self.aws.names["IdempotencyTable"]

    def _handler(self, operation: str) -> Handler:
        """Return a handler under its function's policies, without the memory of other functions."""

        def handle(event: dict[str, Any], context: object) -> dict[str, Any]:
            if self._running != operation:
                forget()
                self._running = operation
            handler = load_once(operation)
            with self.guard.acting_as(f"{operation.capitalize()}Function"):
                return handler(event, context)

        return handle

    def _write_id(self) -> str:
        return uuid4().hex


def result(answer: Answer, position: int = 0) -> dict[str, Any]:
    """Return one of the results in a bulk call's answer."""
    return cast("dict[str, Any]", answer.body["results"][position])


def fault(answer: Answer) -> tuple[int, str]:
    """Return the status and the code of a problem."""
    return answer.status, cast("str", answer.body["code"])


def pointers(answer: Answer) -> list[str]:
    """Return the fields at fault in a problem."""
    return [error["field"] for error in answer.body.get("errors", [])]
