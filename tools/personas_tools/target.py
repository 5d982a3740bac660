"""The store that a command works on: the local one, or that of a stack in AWS."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from personas.clock import Clock, machine_time
from personas.runtime import CONNECT_TIMEOUT, READ_TIMEOUT, Deadline
from personas.store import keys
from personas.store.table import Table
from personas_tools import stack as local

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TABLE_OUTPUT: Final = "PersonasTableName"
_CONNECTIONS: Final = 32


class TargetError(Exception):
    """There is no such store, or it cannot be told; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A store to work on; ``stack`` is there for the local one only, ``outputs`` for that of a deployed stack."""

    table: Table
    stack: local.LocalStack | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)

    def resource(self, logical_id: str) -> str:
        """Return the physical name of a table or a bucket of the stack.

        Raises:
            TargetError: the table was given by its name alone.
        """
        if self.stack is not None:
            return self.stack.names[logical_id]
        output = f"{logical_id}Name"
        if output not in self.outputs:
            raise TargetError(f"Say by --stack which stack is meant: its output {output} is needed.")
        return self.outputs[output]

    def s3(self) -> "S3Client":
        """Return a client of the S3 in which the stack's bucket is."""
        return boto3.client("s3") if self.stack is None else self.stack.s3()

    def beside(self, name: str) -> Table:
        """Return another table of the same account or emulator, such as a copy that was restored.

        Raises:
            TargetError: there is none of that name.
        """
        other = self.table.named(name)
        try:
            other.get(keys.group(""))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise TargetError(f"There is no table {name} beside {self.table.name}. Check its name.") from error
        return other


@contextlib.contextmanager
def opened(stack_name: str | None, table_name: str | None, folder: Path) -> Iterator[Target]:
    """Yield the store of a deployed stack, that of a table by its name, or else the local one in ``folder``.

    Raises:
        TargetError: the stack has no personas table.
        EmulatorError: the local store cannot be started.
        StackError: the local store does not fit the template.
    """
    if table_name is not None:
        yield Target(deployed_table(table_name))
        return
    if stack_name is not None:
        outputs = _outputs_of(stack_name)
        yield Target(deployed_table(outputs[_TABLE_OUTPUT]), outputs=outputs)
        return
    with local.connected(folder) as stack:
        yield Target(local_table(stack), stack)


def local_table(stack: local.LocalStack) -> Table:
    """Return the local stack's table. Emulator and tools share one clock."""
    os.environ.pop("AWS_PROFILE", None)  # of the developer's own; botocore insists on it wherever it is set
    session = boto3.Session(
        aws_access_key_id=stack.access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.access["AWS_SECRET_ACCESS_KEY"],
        region_name=local.REGION,
    )
    # An empty mapping, and not None, keeps a proxy of the environment out of the way.
    config = _config().merge(Config(proxies={}))
    client = session.client("dynamodb", endpoint_url=stack.endpoint, config=config)
    return Table(client, stack.personas_table, machine_time, Deadline())


def deployed_table(name: str) -> Table:
    """Return a table in AWS, reached with the credentials and in the region of the caller's own AWS configuration."""
    client = boto3.client("dynamodb", config=_config())
    clock = Clock()
    clock.listen(client.meta.events.register)
    client.describe_table(TableName=name)  # so that the first write is stamped by AWS's time
    return Table(client, name, clock.now, Deadline())


def _config() -> Config:
    # The store repeats calls by itself, with a new time stamp for each.
    return Config(
        connect_timeout=CONNECT_TIMEOUT.total_seconds(),
        read_timeout=READ_TIMEOUT.total_seconds(),
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS,
    )


def _outputs_of(stack_name: str) -> dict[str, str]:
    stacks = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {str(each["OutputKey"]): str(each["OutputValue"]) for each in stacks[0].get("Outputs", [])}
    if _TABLE_OUTPUT not in outputs:
        raise TargetError(f"The stack {stack_name} has no output {_TABLE_OUTPUT}: is it one of this service?")
    return outputs
