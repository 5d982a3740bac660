"""The tools of the MCP server, in one table, and the call of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pydantic_core
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import ValidationError

from personas.contract import tools as models
from personas.contract.problems import field_errors
from personas.errors import Fault, Invalid, PersonasError
from personas.mcp import tool_reads, tool_writes
from personas.mcp.tool_errors import is_defect, told_to_a_model
from personas.observability import add_log_fields, record_error

if TYPE_CHECKING:
    from pydantic import BaseModel

    from personas.domain.profile import Caller
    from personas.services import Services

_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS: Final = ToolAnnotations(destructive_hint=False, idempotent_hint=False, open_world_hint=False)
_OVERWRITES: Final = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool: its description for a model, its arguments and its result, and the function that it calls."""

    description: str
    arguments: type[models.Arguments]
    result: type[models.ToolResult]
    call: Callable[[Services, Caller, Any], models.ToolResult]
    annotations: ToolAnnotations


TOOLS: Final[Mapping[str, _Tool]] = {
    "find_personas": _Tool(
        "Find personas by part of their name or description, by department or field; without arguments, all of them,"
        " by name. It gives the ids that other tools take. total counts all matches; for more, call again with offset ="
        " next_offset.",
        models.FindArguments,
        models.FoundPersonas,
        tool_reads.find_personas,
        _READS,
    ),
    "read_persona": _Tool(
        "Read one persona whole: its fields, and the version that edit_persona asks for.",
        models.PersonaArguments,
        models.PersonaRead,
        tool_reads.read,
        _READS,
    ),
    "list_choices": _Tool(
        "List the names that a color, icon, department, parameter field or voice can have. Use it before you create or"
        " edit; where total is more than you get, narrow by search.",
        models.ChoicesArguments,
        models.Choices,
        tool_reads.list_choices,
        _READS,
    ),
    "create_persona": _Tool(
        "Create a persona. Write instructions to the model that will play it: who it is, what it wants, how it talks."
        " Without active_flag it is not in use yet. Ask which departments may see it, unless that is clear.",
        models.CreateArguments,
        models.Saved,
        tool_writes.create,
        _ADDS,
    ),
    "edit_persona": _Tool(
        'Change fields of a persona; those that you leave out stay, "" or [] empties one, a list replaces the whole'
        " list. Read it first. Changes that others made to other fields since your expected_version are kept; if they"
        " changed the same field, nothing is saved and you are told what stands there.",
        models.EditArguments,
        models.Edited,
        tool_writes.edit,
        _OVERWRITES,
    ),
    "copy_persona": _Tool(
        "Make a copy that is not in use, to change it without touching the original.",
        models.PersonaArguments,
        models.Saved,
        tool_writes.copy,
        _ADDS,
    ),
    "delete_persona": _Tool(
        "Delete a persona; one that an active scenario uses stays. restore_persona brings it back, by this id: keep it."
        " Confirm with the person first.",
        models.PersonaArguments,
        models.Saved,
        tool_writes.delete,
        _OVERWRITES,
    ),
    "persona_history": _Tool(
        "List the versions of a persona, latest first: when, by whom, which fields; of a deleted one, too. With"
        " version, show that one with all its fields.",
        models.HistoryArguments,
        models.History,
        tool_reads.history,
        _READS,
    ),
    "restore_persona": _Tool(
        "Bring a persona back to an earlier version, as a new version; a deleted one, to life.",
        models.RestoreArguments,
        models.Saved,
        tool_writes.restore,
        _OVERWRITES,
    ),
}


@cache
def listed() -> list[Tool]:
    """Return the tools as a client reads them."""
    return [
        Tool(
            name=name,
            description=tool.description,
            input_schema=_schema(tool.arguments),
            output_schema=_schema(tool.result),
            annotations=tool.annotations,
        )
        for name, tool in TOOLS.items()
    ]


def call(services: Services, caller: Caller, name: str, arguments: Mapping[str, object]) -> CallToolResult:
    """Call one of the tools. An error that a model can do something about is a result that says so.

    Raises:
        PersonasError: a defect of the service.
    """
    tool = TOOLS[name]
    add_log_fields(tool=name)
    try:
        result = tool.call(services, caller, _checked(tool.arguments, arguments))
    except PersonasError as error:
        if is_defect(error):
            raise
        record_error(error)
        text = told_to_a_model(error, services.catalogues.cached(caller.group_id))
        return CallToolResult(content=[TextContent(text=text)], is_error=True)
    told = result.model_dump(mode="json", exclude_none=True)
    return CallToolResult(content=[TextContent(text=pydantic_core.to_json(told).decode())], structured_content=told)


def _checked(model: type[models.Arguments], arguments: Mapping[str, object]) -> models.Arguments:
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        faults = [Fault(each.field, each.message) for each in field_errors(error.errors(include_url=False))]
        raise Invalid("The arguments are not those of this tool.", errors=faults) from None


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model, without the titles and descriptions that say nothing new."""
    schema: dict[str, Any] = _without_titles(model.model_json_schema())
    for each in (schema, *schema.get("$defs", {}).values()):
        each.pop("description", None)
    return schema


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, dict):
        # A property may bear one of these names, and is an object then.
        told = {key: each for key, each in schema.items() if key not in {"title", "default"} or isinstance(each, dict)}
        return {key: _without_titles(value) for key, value in told.items()}
    return [_without_titles(each) for each in schema] if isinstance(schema, list) else schema
