"""The commands `personas list`, `show` and `delete`: single personas, as the service shows them to the caller."""

import json
from itertools import batched, islice
from typing import Final
from uuid import uuid4

import click
import pydantic_core

from personas.contract.delete import DeletePersonaResponse
from personas.contract.get import GetPersonaResponse
from personas_tools.conditions import Conditions, on_conditions
from personas_tools.grid import Grid
from personas_tools.http_api import Api, on_api
from personas_tools.naming import known, persona_named, personas
from personas_tools.screen import confirm, say

BATCH: Final = 100
"""Personas that are deleted in one call."""


@click.command("list")
@click.option("--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all that a list tells.")
@on_api
@on_conditions
def list_personas(api: Api, conditions: Conditions, limit: int | None, as_json: bool) -> None:
    """List personas by name, all that you may see unless options narrow them down."""
    found = islice(personas(api, conditions), limit)
    if as_json:
        for persona in found:
            click.echo(persona.model_dump_json())
        return
    table = Grid("ID", "NAME", "ACTIVE", "CHANGED", "DESCRIPTION")
    for persona in found:
        table.add_row(
            persona.persona_id or "",
            persona.name or "",
            "no" if persona.is_inactive else "yes",
            str(persona.updated_at or "")[:10],
            persona.description or "",
        )
    if not table.row_count:
        click.echo("No persona matches.", err=True)
        return
    table.show()
    click.echo(f"{table.row_count} personas.", err=True)


@click.command("show")
@click.argument("reference", metavar="NAME|ID")
@click.option("--json", "as_json", is_flag=True, help="The whole answer of `get`.")
@on_api
def show_persona(api: Api, reference: str, as_json: bool) -> None:
    """Show a persona with all its texts and links."""
    persona_id = persona_named(api, reference)
    with known(persona_id):
        answer = api.read("get", {"persona_id": persona_id})
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    form = GetPersonaResponse.model_validate(answer)
    for label, value in _lines(form, persona_id):
        if value:
            say(f"{label + ':':<18}{value}")


def _lines(form: GetPersonaResponse, persona_id: str) -> list[tuple[str, str]]:
    """Return the lines of a persona: a label and the text beside it, an empty one where nothing is selected."""
    color, icon = form.colors and form.colors.resource, form.icons and form.icons.resource
    links = (form.parameter_fields and form.parameter_fields.current) or []
    return [
        ("id", persona_id),
        ("name", (form.names and form.names.resource and form.names.resource.name) or ""),
        (
            "description",
            (form.descriptions and form.descriptions.resource and form.descriptions.resource.description) or "",
        ),
        ("version", str(form.version or "")),
        ("active", "yes" if form.flags and form.flags.current else "no"),
        ("color", f"{color.name} ({color.hex_code})" if color else ""),
        ("icon", (icon and icon.name) or ""),
        ("departments", ", ".join(each.name or "" for each in (form.departments and form.departments.current) or [])),
        ("parameter fields", ", ".join(each.name or "" for each in links)),
        ("voices", ", ".join(each.voice or "" for each in (form.voices and form.voices.current) or [])),
        *(("example", each.example or "") for each in (form.examples and form.examples.current) or []),
        (
            "instructions",
            (form.instructions and form.instructions.resource and form.instructions.resource.template) or "",
        ),
    ]


@click.command("delete")
@click.argument("references", metavar="NAME|ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_api
def delete_personas(api: Api, references: tuple[str, ...], yes: bool) -> None:
    """Delete personas, each or not on its own."""
    named = {persona_named(api, each): each for each in references}
    asked = ", ".join(named.values()) if len(named) <= BATCH else f"{len(named)} personas"
    confirm(f"Delete {asked}?", yes=yes, otherwise="Say so with --yes.")
    kept = 0
    for batch in batched(named, BATCH, strict=False):
        body = pydantic_core.to_json({"persona_ids": batch})
        answer = api.call("delete", body, idempotency_key=str(uuid4()))
        results = answer.body.get("results")
        if not isinstance(results, list):
            raise api.refusal("delete", answer)
        for persona_id, result in zip(batch, DeletePersonaResponse(results=results).results, strict=True):
            kept += not result.success
            say(f"{'Deleted' if result.success else 'Kept'} {named[persona_id]}: {result.message}")
    if kept:
        raise click.ClickException(f"{kept} of {len(named)} were not deleted; the reasons stand above.")
