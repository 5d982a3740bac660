"""The options by which a command finds its store and its group, and the errors of the way there as plain lines."""

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Concatenate

import click
from botocore.exceptions import BotoCoreError, ClientError
from pydantic_core import PydanticCustomError

from personas.contract.base import canonical_id
from personas.errors import PersonasError, Unreadable
from personas.observability import on_a_terminal
from personas.store.attempts import ConditionFailed
from personas_tools import stack as local
from personas_tools.aws_errors import explained
from personas_tools.demo import GROUP
from personas_tools.emulator import EmulatorError
from personas_tools.library_file import LibraryError
from personas_tools.target import Target, TargetError, opened


class Uuid(click.ParamType[str]):
    """The id of a group, a profile or a persona, in its canonical form."""

    name = "uuid"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id, or fail."""
        try:
            return canonical_id(value)
        except PydanticCustomError:
            self.fail(f"{value!r} is not a UUID", param, ctx)


@contextlib.contextmanager
def _plain_errors(wanted: str) -> Iterator[None]:
    """Turn what can go wrong on the way to the store ``wanted`` into one line for the user."""
    try:
        yield
    except LibraryError as error:
        raise click.ClickException("\n".join(["The library was not loaded.", *error.faults])) from error
    except ConditionFailed as error:
        raise click.ClickException("Somebody else keeps writing the same entries. Try again.") from error
    except Unreadable as error:
        raise click.ClickException(
            f"What is stored at {error.key!r} cannot be read: {error.reason}. docs/runbook.md says under"
            " UnreadableItemsAlarm how it is mended."
        ) from error
    except PersonasError as error:
        raise click.ClickException(error.detail) from error
    except (ClientError, BotoCoreError) as error:
        raise click.ClickException(explained(error, wanted)) from error
    except (TargetError, EmulatorError, local.StackError) as error:
        raise click.ClickException(str(error)) from error


def on_store[**P](command: Callable[Concatenate[Target, P], None]) -> Callable[..., None]:
    """Give a command the options that say which store it works on, and hand it that store."""

    @click.option("--stack", "stack_name", help="A deployed stack, by its name.")
    @click.option("--table", "table_name", help="A deployed table, by its name.")
    @click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=local.ROOT / ".local",
        envvar="PERSONAS_LOCAL",
        help="Where the local store is, which is used unless --stack or --table is given.  [default: .local]",
    )
    @wraps(command)
    def wrapped(
        stack_name: str | None, table_name: str | None, folder: Path, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        if stack_name is not None and table_name is not None:
            raise click.UsageError("Give --stack or --table, not both.")
        wanted = f"the stack {stack_name}" if stack_name else f"the table {table_name}" if table_name else "the store"
        with on_a_terminal(), _plain_errors(wanted), opened(stack_name, table_name, folder) as target:
            command(target, *args, **kwargs)

    return wrapped


of_group = click.option(
    "--group", "group_id", type=Uuid(), help="The group, by its id. Locally the demo group unless given."
)


def group_of(target: Target, group_id: str | None) -> str:
    """Return the group that a command is for: the one that was named, or the demo group of a local store."""
    if group_id is not None:
        return group_id
    if target.stack is None:
        raise click.UsageError("Say which group of the deployed store is meant: --group UUID.")
    return GROUP
