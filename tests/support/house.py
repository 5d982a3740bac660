"""A small group to test with: its catalogue, three people, and a clock that a test can move."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from unittest.mock import patch

from personas.domain.profile import ApiKey, Profile
from personas.domain.text import resource_id
from personas.identity import digest_of, new_key
from personas.runtime import Deadline, dynamodb, s3, utc_now
from personas.store.attributes import Value
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas_tools.library_store import Entry, ResourceKind, ResourceStore
from personas_tools.profile_store import ProfileWriter
from support.aws import Aws, forget
from support.client import Answer, Client, Context, event, load_handler
from support.iam import Guard
from support.world import secret_of

HOUSE: Final = "2f6c1f0e-58c1-4b9e-8d9a-3f1f2a6f7b01"
CREATED: Final = "2026-01-02T03:04:05+00:00"


def named(kind: str, name: str) -> str:
    """Return the id of an entry of the catalogue."""
    return resource_id(HOUSE, kind, name)


CARE, SALES = named("departments", "Care"), named("departments", "Sales")
TEAL, PLUM, GREY = named("colors", "Teal"), named("colors", "Plum"), named("colors", "Grey")
STAR: Final = named("icons", "Star")
ALTO: Final = named("voices", "Alto")
MOOD: Final = named("parameters", "Mood")
CALM, ANGRY = named("fields", "Calm"), named("fields", "Angry")
MOOD_CALM, MOOD_ANGRY = (named("parameter_fields", f"{MOOD}/{each}") for each in (CALM, ANGRY))
ACTIVE: Final = named("flags", "active")

_PARAMETER: Final[Mapping[str, Value]] = {
    "description": "",
    "value": "",
    "department_ids": [],
    "created_at": CREATED,
    "active": True,
    "generated": False,
    "mcp": False,
}
_USED_FOR: Final = {
    "persona_parameter": True,
    "document_parameter": False,
    "scenario_parameter": False,
    "video_parameter": False,
}


@dataclass
class House:
    """The group, and calls of its functions under their policies, each function in an environment of its own."""

    aws: Aws
    guard: Guard
    now: datetime = field(default_factory=utc_now)
    requests: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _keys: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict)
    _running: str = ""

    def __post_init__(self) -> None:
        self.table = Table(dynamodb(), self.aws.names["PersonasTable"], lambda: self.now, Deadline())
        GroupStore(self.table).ensure_secret(HOUSE, secret_of(HOUSE))
        self.add("departments", "Care", name="Care", description="")
        self.add("departments", "Sales", name="Sales", description="")
        for color, code in (("Teal", "#008080"), ("Plum", "#8E4585"), ("Grey", "#808080")):
            self.add("colors", color, name=color, description="", hex_code=code)
        self.add("icons", "Star", name="Star", description="", value="star")
        self.add("voices", "Alto", voice="Alto")
        self.add("parameters", "Mood", name="Mood", field_ids=[CALM, ANGRY], **_USED_FOR, **_PARAMETER)
        for each in ("Calm", "Angry"):
            self.add("fields", each, name=each, conditional_parameter_ids=[], **_PARAMETER)
        self.join("root", "superadmin")
        self.join("nurse", "instructional", CARE)
        self.join("seller", "instructional", SALES)

    def add(self, kind: ResourceKind, called: str, /, **row: Value) -> None:
        """Put an entry into the catalogue."""
        entry = Entry(kind, named(kind, called), {"generated": False, **row})
        ResourceStore(self.table).put(HOUSE, entry, f"house.{next(self._numbers)}")

    def join(self, who: str, role: str, *departments: str) -> None:
        """Store a profile and a key for it."""
        profile = Profile(
            id=named("profiles", who), group_id=HOUSE, name=who, role=role, department_ids=frozenset(departments)
        )
        profiles = ProfileWriter(self.table)
        profiles.put_profile(profile, (), f"house.{next(self._numbers)}")
        key = new_key(profile.id)
        stored = ApiKey(
            digest=digest_of(key), group_id=HOUSE, profile_id=profile.id, label=who, created_at=0, expires_at=None
        )
        profiles.put_key(stored, f"house.{next(self._numbers)}")
        self._keys[who] = key

    def call(self, operation: str, body: object = None, *, who: str = "root", remaining_ms: int = 29_000) -> Answer:
        """Call a function; it stays warm as long as no other is called."""
        if self._running != operation:
            self.restart()
            self._running = operation
        client = self._clients.setdefault(operation, Client())
        client.remaining_ms = remaining_ms
        with self.guard.acting_as(f"{operation.capitalize()}Function"):
            return client.invoke(operation, event(operation, body, {"x-api-key": self._keys[who]}))

    def work_through_queue(self, remaining_ms: int = 300_000) -> int:
        """Have refresh work through what is queued; how many messages there were."""
        url = self.aws.names["RefreshQueue"]
        messages = self.aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if messages:
            self.restart()
            records = [
                {"eventSource": "aws:sqs", "messageId": each["MessageId"], "body": each["Body"], "attributes": {}}
                for each in messages
            ]
            with self.guard.acting_as("RefreshFunction"):
                answer = load_handler("refresh")({"Records": records}, Context("test-refresh", remaining_ms))
            assert answer == {"batchItemFailures": []}
        return len(messages)

    def restart(self) -> None:
        """Begin the next call in a fresh environment."""
        forget()

    def save(self, who: str = "root", **fields: object) -> str:
        """Create a persona; its id."""
        needed = {"name": "Ada", "color": "Teal", "icon": "Star", "instructions": "Ask."}
        answer = self.call("create", {"personas": [{**needed, **fields}]}, who=who)
        assert answer.status == 200, answer.text
        persona_id: str = answer.body["results"][0]["persona_id"]
        return persona_id

    def get(self, who: str = "root", **body: object) -> dict[str, Any]:
        """Call get and return the answer's body."""
        answer = self.call("get", body, who=who)
        assert answer.status == 200, answer.text
        return answer.body

    def refresh(self, remaining_ms: int = 29_000) -> tuple[list[str], list[str]]:
        """Call refresh and return the names of the refreshed views and of the invalidated tags."""
        answer = self.call("refresh", remaining_ms=remaining_ms)
        assert answer.status == 200, answer.text
        return answer.body["refreshed_views"], answer.body["invalidated_tags"]

    def pointer(self, view: str) -> str:
        """Return the key of the object to which a view's pointer leads."""
        pointer = GroupStore(self.table).read(HOUSE).pointer(view)
        assert pointer is not None
        return pointer.key

    @contextmanager
    def clocked(self) -> Iterator["House"]:
        """Have the functions go by the house's clock."""
        for client in (dynamodb(), s3()):
            client.meta.events.register("before-send", self._sent)
        with patch("personas.services.utc_now", lambda: self.now):
            yield self
        for client in (dynamodb(), s3()):
            client.meta.events.unregister("before-send", self._sent)

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def _sent(self, event_name: str, **_: object) -> None:
        self.requests.append(event_name.rpartition(".")[2])
