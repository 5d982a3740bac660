"""Nothing may be done that is never done: each permission of template.yaml is used by a call, or by AWS itself."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import boto3
import pytest

from personas.errors import Unavailable
from personas.store import keys
from personas_tools.template import Function
from support import background
from support.client import Client, Context
from support.environments import Environment, Request, Steps
from support.iam import Permission, permissions
from support.mcp import Mcp
from support.streamed import Streamed
from support.views import Views
from support.world import CARE, GROUP, NEEDED, NOBODY, PLUM, Clock, World, text_id

BUS: Final = "personas-events"
KNOWN: Final = text_id("descriptions", "A nurse.")

BY_AWS: Final = {
    "dynamodb:DescribeStream": "Lambda reads the stream.",
    "dynamodb:GetRecords": "Lambda reads the stream.",
    "dynamodb:GetShardIterator": "Lambda reads the stream.",
    "dynamodb:ListStreams": "Lambda reads the stream.",
    "sqs:DeleteMessage": "Lambda reads the queue.",
    "sqs:GetQueueAttributes": "Lambda reads the queue.",
    "sqs:ReceiveMessage": "Lambda reads the queue.",
    "s3:ListBucket": "S3 tells nobody else that an object is missing.",
    "Failures": "Lambda leaves in the bucket the records on which a stream's function fails.",
    "DownloadFunction s3:GetObject": "It signs an address, and whoever follows it does so by its permission.",
}
"""The actions, or statements, by which a function allows others to do something, and the reason."""


def is_by_aws(each: Permission) -> bool:
    return not BY_AWS.keys().isdisjoint({each.action, each.sid, f"{each.function} {each.action}"})


class Day:
    """A day's work of every function, in the course of which somebody else writes, and views and records are lost."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.client = world.client()
        self.history = Streamed(world.aws, world.guard)
        many = [{**NEEDED, "name": name, "description": "A nurse."} for name in ("Ada", "Bo")]
        self.ada, self.bo = (each["persona_id"] for each in self.does("create", {"personas": many})["results"])

    def does(self, operation: str, body: object = None, **headers: str) -> dict[str, Any]:
        """Call an operation in a new environment."""
        self.world.restart()
        answer = self.client.call(operation, body, **headers)
        assert answer.status == 200, answer.text
        return answer.body

    def does_once(self, operation: str, body: object, wrong: object) -> dict[str, Any]:
        """Call under an Idempotency-Key that is given up, because the call fails, and twice under another."""
        assert self.client.call(operation, wrong, idempotency_key=f"wrong-{operation}").status >= 400
        self.does(operation, body, idempotency_key=operation)
        return self.does(operation, body, idempotency_key=operation)

    def meeting(self, persona_id: str) -> AbstractContextManager[Steps]:
        """Have somebody else write a persona right before our write of it."""
        key, table = keys.persona(GROUP, persona_id), self.world.table

        def of_it(request: Request) -> bool:
            return request.operation in {"PutItem", "UpdateItem"} and persona_id in str(request.params)

        def write() -> None:
            table.put_plain(key, {**(table.get(key) or {"version": 1}), "seq": 77}, asked_for=True)

        return Environment(self.world).stepping(Steps.interrupted(0, write, of_it))

    def writes(self) -> None:
        color = {"color_id": NOBODY}
        by_id = {**NEEDED, "description_id": KNOWN}
        self.does_once("create", {"personas": [by_id]}, {"personas": [{**NEEDED, **color}]})
        with self.meeting(NOBODY):
            self.client.call("create", {"personas": [{**NEEDED, "id": NOBODY}]})
        renamed = {"persona_id": self.ada, "name": "Grace", "description_id": KNOWN}
        self.does_once("update", {"personas": [renamed]}, {"personas": [{"persona_id": self.ada, **color}]})
        with self.meeting(self.ada):
            self.does("update", {"personas": [{"persona_id": self.ada, "name": "Ada"}]})
        self.does("update", {"personas": [{"persona_id": each, "color_id": PLUM} for each in (self.ada, self.bo)]})
        copy = self.does_once("duplicate", {"persona_id": self.ada}, {"persona_id": NOBODY})["persona_id"]
        with self.meeting(self.bo):
            self.does("delete", {"persona_ids": [self.bo]})
        self.does_once("delete", {"persona_ids": [copy]}, {"persona_ids": [KNOWN]})

    def drafts(self) -> None:
        self.history.flow()
        draft_id = self.does_once("draft", {"name": "Draft"}, {"expected_version": 7})["draft_id"]
        for version, links in enumerate(({"description_id": KNOWN}, {"department_ids": [CARE]}), start=1):
            self.does("draft", {"input_draft_id": draft_id, "expected_version": version, **links})
        self.does("drafts")
        self.does("get", {"draft_id": draft_id})
        self.does("compare", {"persona_id": self.ada, "from_version": 1, "draft_id": draft_id})

    def records_versions(self) -> None:
        self.history.flow()
        self.world.update(self.ada, name="Lost")
        assert self.history.taken()
        self.world.update(self.ada, name="Ada")
        self.history.flow()
        self.does("history", {"persona_id": self.ada, "version": 1})
        self.does("history", {"persona_id": self.ada})
        self.does("compare", {"persona_id": self.ada, "from_version": 1, "to_version": 2})
        self.does_once("restore", {"persona_id": self.ada, "version": 1}, {"persona_id": self.ada, "version": 777})

    def talks_to_a_model(self) -> None:
        mcp = Mcp(self.client)
        eve = mcp.told("create_persona", name="Eve", color="Teal", icon="Star", instructions="Ask.")["persona_id"]
        mcp.told("edit_persona", persona_id=eve, expected_version=1, name="Ann")
        mcp.told("copy_persona", persona_id=eve)
        self.history.flow()
        mcp.told("persona_history", persona_id=eve)
        mcp.told("persona_history", persona_id=eve, version=1)
        mcp.told("delete_persona", persona_id=eve)

    def reads(self) -> None:
        self.does("docs", {"entity_id": self.ada})
        self.does("refresh")
        self.world.update(self.ada, instructions="Be new.")
        self.does("get", {"persona_id": self.ada, "descriptions_search": "n"})
        self.client.call("download", {"upload_id": self.does("export")["upload_id"]})
        # By now the views are too old for a group in which something may have happened since, and texts are unused.
        self.clock.passes(days=91)
        for operation in ("search", "export", "refresh"):
            self.does(operation)
        self.world.update(self.ada, name="Last")
        self.does("refresh")
        self.client.handlers["refresh"](background.schedule(), Context("test-refresh"))

    def loses_views(self) -> None:
        views = Views(self.world)
        for key in views.objects():
            views.remove(key)
        self.does("search")
        self.does("export")
        assert Mcp(self.client).told("find_personas")
        hurried = Client(self.client.headers, self.client.handlers, remaining_ms=4_000)
        assert hurried.call("get", {"descriptions_search": "n"}).status == 503

    def loses_parts_of_files(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr("personas.store.objects.PART_BYTES", 100)

        def lose(_number: int, request: Request) -> None:
            if request.operation == "UploadPart":
                raise Unavailable("not now")

        with Environment(self.world).stepping(Steps(lose)):
            for operation in ("export", "refresh"):
                assert self.client.call(operation).status == 503

    def tells_a_bus(self, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("EVENT_BUS", BUS)
        patch.setattr(self.world.guard, "names", {**self.world.guard.names, "EventBus": BUS})
        boto3.client("events").create_event_bus(Name=BUS)
        self.world.restart()
        Streamed(self.world.aws, self.world.guard, "send_events", self.clock).flow()


def test_each_is_used(
    world: World, deployed_functions: Mapping[str, Function], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given all that the functions may do
    allowed = {each for function in deployed_functions.values() for each in permissions(function)}
    # When they do all that they do
    day = Day(world, clock)
    day.writes()
    day.drafts()
    day.records_versions()
    day.talks_to_a_model()
    day.reads()
    day.loses_views()
    day.loses_parts_of_files(monkeypatch)
    day.tells_a_bus(monkeypatch)
    # Then they have used it, but for what AWS uses
    assert [each for each in sorted(allowed - world.guard.used) if not is_by_aws(each)] == []


def test_no_reason_is_left_over(deployed_functions: Mapping[str, Function]) -> None:
    allowed = [each for function in deployed_functions.values() for each in permissions(function)]
    words = {word for each in allowed for word in (each.action, each.sid, f"{each.function} {each.action}")}
    assert words >= BY_AWS.keys()
