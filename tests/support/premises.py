"""A group as a walk finds it: empty tables, warm environments, callers with keys, and a command line, by one clock.

The command line is the real one, run in this process on the same table. Nothing is shared with other walks but the
bucket, which is emptied at the end.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from personas.identity import Authenticator
from personas.operations.record_history import record_version
from personas.runtime import Deadline, dynamodb
from personas.services import services
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas_tools.cli import main
from personas_tools.profile_store import ProfileWriter
from personas_tools.target import Target
from personas_tools.template import TableRequest
from support.aws import Aws, as_it_is, create_tables, forget
from support.client import Answer, Client, event
from support.environments import Environment
from support.iam import Guard
from support.streamed import Streamed
from support.swapped import VIEWS
from support.transport import Handlers, connect

COPY: Final = "restored-copy"
BEGIN: Final = datetime.now(UTC).replace(microsecond=0)


@contextmanager
def repeatable() -> Iterator[None]:
    """Have ids and secrets come again, as hypothesis needs where it takes the same steps once more."""
    chance = Random(0).randbytes
    with patch("os.urandom", chance), patch("secrets.token_bytes", chance):
        yield


@dataclass
class Premises:
    """The tables, the environments and the keys. ``now`` is the time for all of them."""

    aws: Aws
    guard: Guard
    definitions: Mapping[str, TableRequest]
    folder: Path
    group: str = field(init=False)
    now: datetime = BEGIN
    keys: dict[str, str] = field(default_factory=dict)
    environments: list[Environment] = field(default_factory=list)

    def __post_init__(self) -> None:
        forget()
        self._tables = ExitStack()
        self._tables.enter_context(as_it_is(self.aws))
        personas = {"PersonasTable": self.definitions["PersonasTable"]}
        create_tables(self.aws.dynamodb, personas, {"PersonasTable": COPY})
        self.table = Table(dynamodb(), self.aws.names["PersonasTable"], self._clock, Deadline())
        # The caller is looked up before an environment of ours is asked for its services.
        known_by = services()
        known_by.authenticator = Authenticator(ProfileWriter(self.table), known_by.settings, self._clock)
        self.environments = [self._environment() for _ in range(3)]
        self.streamed = Streamed(self.aws, self.guard, clock=self._clock)
        # Last: whatever fails before leaves chance as it is.
        self._chance = ExitStack()
        self._chance.enter_context(repeatable())
        self.group = str(uuid4())

    def close(self) -> None:
        """Leave nothing behind."""
        self._chance.close()
        self._tables.close()

    # ---- Calls -------------------------------------------------------------------------------------------------------

    def key(self, who: str) -> str:
        """Return the API key of one of the callers."""
        return self.keys[who]

    def renew(self, place: int) -> None:
        """Put a new environment, which knows nothing, in the place of another."""
        self.environments[place] = self._environment()

    def call(
        self, place: int, who: str, operation: str, body: object = None, *, remaining_ms: int = 29_000, **headers: str
    ) -> Answer:
        """Call an operation as one of the callers, in one of the environments."""
        sent = {"x-api-key": self.keys[who], **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.answer(place, operation, event(operation, body, sent), remaining_ms)

    def answer(self, place: int, operation: str, raw: dict[str, Any], remaining_ms: int = 29_000) -> Answer:
        """Send an event to an operation."""
        answer = self.environments[place].invoke(operation, raw, remaining_ms)
        return Answer(answer["statusCode"], answer.get("headers", {}), answer.get("body") or "")

    def stored(self, exported: Answer) -> bytes:
        """Return the file behind the answer of an export, and remove it from the bucket."""
        (key,) = self.objects("exports/")
        assert exported.body["upload_id"] in key
        content: bytes = self._bucket[key].value
        self._bucket.pop(key)
        return content

    def _environment(self) -> Environment:
        return Environment(self, self._clock)

    def _clock(self) -> datetime:
        return self.now

    # ---- The command line --------------------------------------------------------------------------------------------

    def command(self, *words: str, typed: str | None = None) -> Result:
        """Run a command on the table."""
        target = Target(self.table)

        @contextmanager
        def opened(*_: object) -> Iterator[Target]:
            yield target

        with patch("personas_tools.store_options.opened", opened):
            result = CliRunner().invoke(main, [*words, "--group", self.group], input=typed)
        return _ended(result)

    def run(self, *words: str, typed: object = None) -> str:
        """Run a command that must succeed; what it prints."""
        result = self.command(*words, typed=None if typed is None else json.dumps(typed))
        assert result.exit_code == 0, result.output
        return result.stdout

    def on_service(self, place: int, who: str, *words: str) -> Result:
        """Run a command that calls the service, which answers in one of the environments."""
        handlers = Handlers(_Within(premises=self, place=place))
        with pytest.MonkeyPatch.context() as commands:
            connect(commands, handlers)
            return _ended(CliRunner().invoke(main, [*words, "--key", self.keys[who]]))

    def record(self) -> None:
        """Record the versions that were written since the last time, as the function behind the stream does."""
        for record in self.streamed.taken():
            record_version(self.environments[0].services, record)

    # ---- What lies in AWS --------------------------------------------------------------------------------------------

    def objects(self, prefix: str) -> list[str]:
        """Return the keys of the bucket's objects that begin with that prefix."""
        return [key for key in self._bucket if key.startswith(prefix)]

    @property
    def _bucket(self) -> Any:
        """The objects as moto has them, by key."""
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.aws.names["Bucket"]].keys

    def pointed_to(self) -> set[str]:
        """Return the keys of the objects to which the group's record points."""
        record = GroupStore(self.table).read(self.group)
        pointers = (record.pointer(view) for view in VIEWS)
        return {each.key for each in pointers if each is not None}

    def take_copy(self) -> None:
        """Do what restoring the table to this moment does: the same items are in another table."""
        tables = dynamodb_backends[DEFAULT_ACCOUNT_ID][self.aws.dynamodb.meta.region_name].tables
        tables[COPY].items = deepcopy(tables[self.aws.names["PersonasTable"]].items)

    def drain(self) -> list[dict[str, Any]]:
        """Take all messages from the queue, as Lambda hands them over."""
        queue, records = self.aws.names["RefreshQueue"], []
        while found := self.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                records.append(
                    {
                        "eventSource": "aws:sqs",
                        "messageId": message["MessageId"],
                        "body": message["Body"],
                        "attributes": {},
                    }
                )
        return records

    def wait(self, time: timedelta) -> None:
        """Let time pass."""
        self.now += time


@dataclass
class _Within(Client):
    """A client of the handlers in one of the environments."""

    premises: Premises = field(kw_only=True)
    place: int = 0

    def invoke(self, operation: str, raw: dict[str, Any]) -> Answer:
        with redirect_stdout(io.StringIO()):
            return self.premises.answer(self.place, operation, raw)


def _ended(result: Result) -> Result:
    """Return the result of a command that ended by itself, with success or not; raise any other error."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
