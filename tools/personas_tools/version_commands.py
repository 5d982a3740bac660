"""The commands `personas history`, `diff` and `restore --version`: versions of a persona, as the service has them."""

import json
from collections.abc import Iterator
from itertools import islice
from uuid import uuid4

import click
import pydantic_core

from personas.contract.base import PAGE_SIZE_MAX
from personas.contract.compare import ComparePersonaResponse, FieldDifference
from personas.contract.field_values import FieldValue, NamedEntry
from personas.contract.history import PersonaHistoryResponse, PersonaVersion
from personas.contract.restore import RestorePersonaResponse
from personas_tools.grid import Grid
from personas_tools.http_api import Api, on_api
from personas_tools.naming import known, persona_named
from personas_tools.screen import say


@click.command("history")
@click.argument("reference", metavar="NAME|ID")
@click.option("--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all that a history tells.")
@on_api
def show_history(api: Api, reference: str, limit: int | None, as_json: bool) -> None:
    """List the versions of a persona, latest first: who made each, and what it changed.

    A persona that was deleted goes by its id.
    """
    persona_id = persona_named(api, reference)
    with known(persona_id):
        versions = list(islice(_versions(api, persona_id), limit))
    if as_json:
        for version in versions:
            click.echo(version.model_dump_json())
        return
    table = Grid("VERSION", "AT", "KIND", "BY", "CHANGED")
    for version in versions:
        kind = version.kind if version.restored_from is None else f"{version.kind} from {version.restored_from}"
        author = version.changed_by
        by = (author.name or author.profile_id) if author else ""
        changed = ", ".join(version.changed)
        table.add_row(str(version.version), version.at[:19], kind, f"{by} (MCP)" if version.mcp else by, changed)
    table.show()


def _versions(api: Api, persona_id: str) -> Iterator[PersonaVersion]:
    """Yield the versions of a persona, page after page."""
    before: int | None = None
    while True:
        body = {"persona_id": persona_id, "page_size": PAGE_SIZE_MAX, "before_version": before}
        page = PersonaHistoryResponse.model_validate(api.read("history", body))
        if page.pending:
            click.echo(f"About to be recorded: {', '.join(map(str, page.pending))}.", err=True)
        yield from page.versions
        before = page.next_before_version
        if before is None:
            return


@click.command("diff")
@click.argument("reference", metavar="NAME|ID")
@click.argument("from_version", metavar="FROM", type=click.IntRange(1))
@click.argument("to_version", metavar="[TO]", type=click.IntRange(1), required=False)
@click.option("--json", "as_json", is_flag=True, help="The whole answer of `compare`.")
@on_api
def show_differences(api: Api, reference: str, from_version: int, to_version: int | None, as_json: bool) -> None:
    """Show what differs between two versions of a persona; without TO between one and the stored one."""
    persona_id = persona_named(api, reference)
    body = {"persona_id": persona_id, "from_version": from_version, "to_version": to_version}
    answer = api.read("compare", body)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    compared = ComparePersonaResponse.model_validate(answer)
    for difference in compared.differences:
        say(difference.field)
        for line in _lines(difference):
            say(f"  {line}")
    if not compared.differences:
        click.echo(f"Versions {compared.from_version} and {compared.to_version} do not differ.", err=True)


def _lines(difference: FieldDifference) -> Iterator[str]:
    """Yield the lines of a difference, as a unified diff has them."""
    if difference.diff is not None:
        # The two lines before name the sides, which the caller has just named.
        yield from difference.diff[2:]
        return
    removed, added = difference.removed, difference.added
    if not removed and not added:
        removed, added = difference.from_, difference.to
    yield from (f"-{each}" for each in _names(removed))
    yield from (f"+{each}" for each in _names(added))


def _names(value: FieldValue) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [each.name or each.id if isinstance(each, NamedEntry) else each for each in values]


@click.command("restore")
@click.argument("reference", metavar="NAME|ID")
@click.option("--version", type=click.IntRange(1), required=True, help="The version to bring back.")
@click.option("--expected-version", type=click.IntRange(1), help="Only if this is the version that is stored.")
@on_api
def restore_version(api: Api, reference: str, version: int, expected_version: int | None) -> None:
    """Bring back a version of a persona, as a new one. A persona that was deleted goes by its id.

    `personas restore --from-table` is another command, for operators: it saves a group's personas as a restored copy of
    the table has them, and has a --help of its own.
    """
    persona_id = persona_named(api, reference)
    body = {"persona_id": persona_id, "version": version, "expected_version": expected_version}
    answer = api.call("restore", pydantic_core.to_json(body), idempotency_key=str(uuid4()))
    if not answer.ok:
        raise api.refusal("restore", answer)
    restored = RestorePersonaResponse.model_validate(answer.body)
    say(f"{restored.message} That is version {restored.version}.")
