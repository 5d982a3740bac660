"""The conditions that search and export have in common."""

from typing import Annotated

from pydantic import Field

from personas.contract.base import FilterIds, ReadRequest, SearchText


class PersonaFilter(ReadRequest):
    """Conditions that a persona must all meet. A list means any of its ids."""

    search: Annotated[
        SearchText, Field(description="A part of the name or the description, taken literally, without case.")
    ] = None
    scenario_ids: Annotated[FilterIds, Field(description="Used in any of these scenarios.")] = None
    field_ids: Annotated[FilterIds, Field(description="Described by any of these fields.")] = None
    filter_department_ids: Annotated[FilterIds, Field(description="Assigned to any of these departments.")] = None
