"""The persona or the tombstone under an id, as far as its caller may know."""

from personas.domain.permissions import SUPERADMIN
from personas.domain.profile import Caller
from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.services import Services
from personas.store.personas import Found, Stored


def read_persona(services: Services, caller: Caller, persona_id: str) -> Stored | None:
    """Read a persona or its tombstone.

    Raises:
        Unreadable: what stands there cannot be read, and the caller is a superadmin.
    """
    return visible_to(caller, services.personas.find(caller.group_id, persona_id))


def visible_to(caller: Caller, found: Found) -> Stored | None:
    """Return what was found, or None where the caller may not know of it.

    Nobody can say whose departments a persona is in that cannot be read: it exists for superadmins alone.

    Raises:
        Unreadable: it cannot be read, and the caller is a superadmin.
    """
    if not isinstance(found, Unreadable):
        return found
    if caller.role == SUPERADMIN:
        raise found
    count_unreadable(found)
    return None
