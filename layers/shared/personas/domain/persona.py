"""A persona as the rules see it: its form, and where it stands in its history."""

from dataclasses import dataclass, field
from typing import Final

from personas.domain.form import Form
from personas.domain.text import Text

HEAD_CHARACTERS: Final = 100
"""The length of the beginning of the instructions that a filter's options show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A persona of a group.

    ``version`` counts what callers saved; ``seq`` counts every write of the item, the loader's included. Times are
    RFC 3339 in UTC. Where its form has no active flag the persona is inactive.
    """

    id: str
    form: Form
    scenario_ids: tuple[str, ...] = ()
    active_scenario_ids: tuple[str, ...] = ()
    num_profiles: int = 0
    generated: bool = False
    mcp: bool = False
    created_at: str
    updated_at: str
    version: int = 1
    seq: int = field(default=0, compare=False)

    @property
    def name(self) -> Text:
        """Its name, which no persona is without."""
        if self.form.name is None:
            raise AssertionError("a persona has a name")
        return self.form.name

    @property
    def department_ids(self) -> tuple[str, ...]:
        """The departments that it is assigned to."""
        return self.form.department_ids
