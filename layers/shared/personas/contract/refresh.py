"""refresh: bring the views up to date."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import WireModel
from personas.contract.operation import Operation
from personas.contract.views import VIEWS


class PersonaRefreshResponse(WireModel):
    """The views and caches that were brought up to date."""

    success: Annotated[bool, Field(description="True if all views are up to date.")]
    refreshed_views: Annotated[
        list[str], Field(description=f"The views that changed, of {', '.join(view.name for view in VIEWS)}.")
    ]
    invalidated_tags: Annotated[list[str], Field(description="The caches that were dropped: personas, library.")]


OPERATION: Final = Operation(
    name="refresh",
    summary="Refresh the views",
    description=(
        "Brings the materialized views of the caller's group up to date and says which of them changed. It can be "
        "called at any time, also twice at once. No body is read."
    ),
    request=None,
    response=PersonaRefreshResponse,
    errors=(401, 409, 413, 429, 500, 503),
)
