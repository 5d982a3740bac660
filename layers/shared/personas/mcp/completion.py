"""Completion: from what somebody has typed to the personas that it could mean."""

from mcp_types import CompleteRequestParams, CompleteResult, Completion, PromptReference
from mcp_types.jsonrpc import INVALID_PARAMS

from personas.contract.base import PAGE_SIZE_MAX
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
    total, entries = Listing(services, caller, params.argument.value or None).page(0, PAGE_SIZE_MAX)
    values = list(dict.fromkeys(each.row.name if by_name else each.id for each in entries))
    return CompleteResult(completion=Completion(values=values, total=total, has_more=total > len(entries)))
