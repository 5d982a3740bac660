"""The one prompt: it has a model play a persona. Thousands of prompts, one a persona, would flood a client's menu."""

from typing import Final

from mcp_types import GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument
from mcp_types.jsonrpc import INVALID_PARAMS

from personas.contract.base import canonical_id
from personas.domain.profile import Caller
from personas.errors import Conflict, NotFound
from personas.mcp.exchange import ProtocolError
from personas.mcp.listing import Listing
from personas.mcp.persona_texts import messages
from personas.operations.read import Read, read_persona
from personas.services import Services

NAME: Final = "play_persona"
ARGUMENT: Final = "persona"
PROMPT: Final = Prompt(
    name=NAME,
    title="Play a persona",
    description="Have the model take the part of a persona, by its instructions and examples.",
    arguments=[PromptArgument(name=ARGUMENT, description="The name of the persona, or its id.", required=True)],
)
_NAMED_MAX: Final = 5
"""The ids that an answer tells of several personas with one name."""


def get(services: Services, caller: Caller, params: GetPromptRequestParams) -> GetPromptResult:
    """Return the messages by which a model plays a persona.

    Raises:
        ProtocolError: there is no such prompt, or no persona is named.
        NotFound: the caller sees no persona of this name or id.
        Conflict: it sees several of this name.
    """
    if params.name != NAME:
        raise ProtocolError(INVALID_PARAMS, f"There is no such prompt: the one that there is is {NAME}.")
    wanted = (params.arguments or {}).get(ARGUMENT, "").strip()
    if not wanted:
        raise ProtocolError(INVALID_PARAMS, f"The argument {ARGUMENT} is required: the name of a persona, or its id.")
    read = _named(services, caller, wanted)
    name = read.persona.name.text
    return GetPromptResult(description=f"Play {name}.", messages=[*messages(read)])


def _named(services: Services, caller: Caller, wanted: str) -> Read:
    persona_id = id_or_none(wanted)
    if persona_id is None:
        ids = [each.id for each in Listing(services, caller).named(wanted)]
        if not ids:
            raise NotFound("There is no persona of this name.")
        if len(ids) > 1:
            raise Conflict(f"Several personas have this name; give the id of one: {', '.join(ids[:_NAMED_MAX])}.")
        (persona_id,) = ids
    return read_persona(services, caller, persona_id)


def id_or_none(text: str) -> str | None:
    """Return the id that a text is, in its canonical form, or None."""
    try:
        return canonical_id(text)
    except ValueError:
        return None
