"""A persona as the rules see it: what it links to, its own texts, and where it stands in its history."""

from dataclasses import dataclass, field
from typing import Final, Literal

from personas.domain.text import Text

HEAD_CHARACTERS: Final = 100
"""How much of the instructions stands for the whole in a filter's options."""

ListLink = Literal["department_ids", "parameter_field_ids", "voice_ids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A persona of a group.

    ``version`` counts what callers saved; ``seq`` counts every write of the item, the loader's included. Times are
    RFC 3339 in UTC. ``active_flag_id`` is None for an inactive persona.
    """

    id: str
    name: Text
    description: Text | None = None
    instructions: Text
    color_id: str
    icon_id: str
    active_flag_id: str | None = None
    department_ids: tuple[str, ...] = ()
    parameter_field_ids: tuple[str, ...] = ()
    examples: tuple[Text, ...] = ()
    voice_ids: tuple[str, ...] = ()
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
    def texts(self) -> tuple[Text, ...]:
        """Every text of it, each once for each place it stands in."""
        optional = (self.description,) if self.description else ()
        return (self.name, *optional, self.instructions, *self.examples)
