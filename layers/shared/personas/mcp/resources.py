"""The personas as resources: each is a page of Markdown, and the active ones are listed."""

import base64
from itertools import islice
from typing import Final

from mcp_types import (
    ListResourcesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)
from mcp_types.jsonrpc import INVALID_PARAMS

from personas.domain.profile import Caller
from personas.errors import NotFound
from personas.mcp.exchange import ProtocolError
from personas.mcp.listing import Entry, Listing, Place
from personas.mcp.persona_texts import markdown
from personas.mcp.prompts import id_or_none
from personas.operations.read import read_persona
from personas.services import Services

SCHEME: Final = "persona://"
ARGUMENT: Final = "id"
MARKDOWN: Final = "text/markdown"
TEMPLATE: Final = ResourceTemplate(
    name="persona",
    title="Persona",
    uri_template=f"{SCHEME}{{{ARGUMENT}}}",
    description="A persona as a page of Markdown.",
    mime_type=MARKDOWN,
)
PAGE_SIZE: Final = 50
_ID_BYTES: Final = 16
_FIRST: Final[Place] = (b"", b"")


def page(services: Services, caller: Caller, params: PaginatedRequestParams) -> ListResourcesResult:
    """Return a page of the active personas, by name. No write between two pages moves one across them."""
    place = _FIRST if params.cursor is None else _place_at(params.cursor)
    active = (each for each in Listing(services, caller).beginning_at(place) if each.is_active)
    entries = list(islice(active, PAGE_SIZE + 1))
    following = entries[PAGE_SIZE:]
    return ListResourcesResult(
        resources=[_resource(each) for each in entries[:PAGE_SIZE]],
        next_cursor=_cursor_to(following[0].place) if following else None,
    )


def read(services: Services, caller: Caller, params: ReadResourceRequestParams) -> ReadResourceResult:
    """Return a persona, active or not.

    Raises:
        NotFound: the caller sees none at this address.
    """
    persona_id = id_or_none(params.uri.removeprefix(SCHEME)) if params.uri.startswith(SCHEME) else None
    if persona_id is None:
        raise NotFound(f"There is no such resource; that of a persona is {TEMPLATE.uri_template}.")
    text = markdown(read_persona(services, caller, persona_id))
    return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, mime_type=MARKDOWN, text=text)])


def _resource(entry: Entry) -> Resource:
    return Resource(uri=SCHEME + entry.id, name=entry.row.name, description=entry.description, mime_type=MARKDOWN)


def _cursor_to(place: Place) -> str:
    name, persona_id = place
    return base64.urlsafe_b64encode(persona_id + name).decode()


def _place_at(cursor: str) -> Place:
    try:
        place = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except ValueError:
        place = b""
    if len(place) < _ID_BYTES:
        raise ProtocolError(INVALID_PARAMS, "The cursor is none of this list.")
    return place[_ID_BYTES:], place[:_ID_BYTES]
