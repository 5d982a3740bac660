"""read: one persona as it is, without the form that `get` lays around it."""

from typing import NamedTuple

from personas.domain.catalogue import Catalogue
from personas.domain.permissions import may_see
from personas.domain.persona import Persona
from personas.domain.profile import Caller
from personas.errors import NotFound
from personas.services import Services
from personas.store.personas import visible_to


class Read(NamedTuple):
    """A persona, and the catalogue that names what it links to."""

    persona: Persona
    catalogue: Catalogue


def read_persona(services: Services, caller: Caller, persona_id: str) -> Read:
    """Read a persona and the changes of the catalogue in one round.

    Raises:
        NotFound: the persona cannot be seen.
        Unreadable: it cannot be read, and the caller is a superadmin.
    """
    catalogue, found = services.parallel.gather(
        lambda: services.catalogues.current(caller.group_id),
        lambda: services.personas.find(caller.group_id, persona_id),
    )
    stored = visible_to(caller, found)
    persona = stored.persona if stored else None
    if persona is None or not may_see(caller, persona.department_ids):
        raise NotFound(f"There is no persona {persona_id}.")
    return Read(persona, catalogue)
