"""Completion: from what somebody has typed to the personas that it could mean."""

from mcp_types import CompleteRequestParams, CompleteResult, Completion, PromptReference
from mcp_types.jsonrpc import INVALID_PARAMS
from pydantic import ValidationError

from personas.contract.base import PAGE_SIZE_MAX, SEARCH_MAX
from personas.contract.tools import TypedText
from personas.domain.profile import Caller
from personas.mcp import prompts, resources
from personas.mcp.exchange import ProtocolError
from personas.mcp.listing import Listing
from personas.services import Services


def complete(services: Services, caller: Caller, params: CompleteRequestParams) -> CompleteResult:
    """Return the names of the personas whose name or description contains what was typed; for a resource, their ids.

    Raises:
        ProtocolError: the reference or the argument is none of this server's.
    """
    by_name = isinstance(params.ref, PromptReference)
    referred = params.ref.name if isinstance(params.ref, PromptReference) else params.ref.uri
    known = (prompts.NAME, prompts.ARGUMENT) if by_name else (resources.TEMPLATE.uri_template, resources.ARGUMENT)
    if (referred, params.argument.name) != known:
        raise ProtocolError(INVALID_PARAMS, "There is nothing to complete by this reference and argument.")
    try:
        typed = TypedText(text=params.argument.value)
    except ValidationError:
        raise ProtocolError(INVALID_PARAMS, f"A text has at most {SEARCH_MAX} characters, and no NUL.") from None
    total, entries = Listing(services, caller, typed.text).page(0, PAGE_SIZE_MAX)
    values = list(dict.fromkeys(each.row.name if by_name else each.id for each in entries))
    more = total > len(entries)
    # Several personas may have one name, so how many values there are is known only of those that were looked at.
    return CompleteResult(completion=Completion(values=values, total=None if more else len(values), has_more=more))
