"""The commands `personas history purge` and `history replay`, for operators, and `personas listen`, for developers."""

import json
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import click

from personas.operations.send_events import event_of
from personas.store.history import HistoryStore, HistoryTable
from personas_tools import stack as local
from personas_tools.emulator import running
from personas_tools.replaying import failures, replay
from personas_tools.screen import Commands, OneOf
from personas_tools.store_options import Uuid, group_of, of_group, on_store
from personas_tools.streams import LOOK_EVERY, Stream, matches
from personas_tools.target import Target
from personas_tools.version_commands import show_history


@click.group("history", cls=Commands)
def looking_after() -> None:
    """Erase a persona's history, or record what could not be recorded."""


def _meant(arguments: Sequence[str]) -> click.Command:
    """Return what `personas history` is to do: one of the commands for operators, or the list of versions."""
    return looking_after if arguments and arguments[0] in looking_after.commands else show_history


@looking_after.command("purge")
@click.argument("persona_id", metavar="ID", type=Uuid())
@of_group
@on_store
def purge(target: Target, persona_id: str, group_id: str | None) -> None:
    """Erase the history of a persona, by id, for good.

    The persona itself stays as it is, and its next save records the version that stands now and the next one. Records
    that wait to be replayed may bring versions back: replay first.
    """
    table = HistoryTable.beside(target.table, target.resource("HistoryTable"))
    erased = HistoryStore(table).purge(group_of(target, group_id), persona_id)
    click.echo(f"{erased} items erased.")


@looking_after.command("replay")
@click.option("--dry-run", is_flag=True, help="Say what waits, and replay nothing.")
@on_store
def replay_failures(target: Target, dry_run: bool) -> None:
    """Hand the functions of the stream again what they could not work off: versions to record, events to send.

    A batch that succeeds leaves the bucket. The command can be run again: a version is recorded once, and an event may
    come twice.
    """
    left = 0
    for failure in failures(target):
        told = f"{failure.key}: {len(failure.records)} records"
        if dry_run:
            click.echo(f"  ? {told}")
            continue
        fault = replay(target, failure)
        left += fault is not None
        click.echo(f"  + {told}" if fault is None else f"  ! {told}: {fault}")
    if left:
        raise click.ClickException(f"{left} could not be replayed and stay where they are.")


history = OneOf(
    "history",
    [show_history, purge, replay_failures],
    _meant,
    "List the versions of a persona; `history purge ID` erases them, `history replay` records what was not.",
)


@click.command("listen")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=local.ROOT / ".local",
    envvar="PERSONAS_LOCAL",
    help="Where the running service keeps its data.  [default: .local]",
)
@click.option("--most", type=click.IntRange(1), help="End after so many.  [default: go on until Ctrl-C]")
def listen(folder: Path, most: int | None) -> None:
    """Print the events of the local service as a bus would be sent them, one JSON object a line, from now on."""
    address = running(folder)
    if address is None:
        raise click.ClickException("No service runs on this machine. Start it with `make run`.")
    stack = local.LocalStack(address, folder=folder)
    source = stack.stream_sources[0]
    stream = Stream(stack.streams(), source.table, from_now=True)
    list(stream.read(1))  # From here on.
    click.echo("Listening.", err=True)
    told = 0
    while most is None or told < most:
        for record in chain.from_iterable(stream.read(source.batch_size)):
            event = event_of(record) if matches(source.pattern, record) else None
            if event is not None:
                detail_type, detail = event
                line = {"source": "personas", "detail-type": detail_type, "detail": detail.model_dump(mode="json")}
                click.echo(json.dumps(line))
                told += 1
        time.sleep(LOOK_EVERY)
