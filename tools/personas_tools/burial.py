"""The removal of a persona that cannot be read, for the command line."""

from collections.abc import Callable, Mapping

from personas.domain.authorship import TOOL, stamped_alike
from personas.errors import Unreadable
from personas.store import keys
from personas.store.attributes import Value, integer
from personas.store.authorship import AUTHORSHIP, packed_authorship
from personas.store.persona_rows import PROFILES
from personas.store.table import Table
from personas.store.tombstones import tombstone_end


def bury(table: Table, group_id: str, persona_id: str, count: Callable[[], int], write_id: str) -> None:
    """Leave a tombstone in the place of what cannot be read.

    ``count`` returns how many profiles name the persona, where the item does not say. While it does not, no profile
    that begins or ceases to name it can be stored.

    Raises:
        ConditionFailed: it was written in between.
    """
    key = keys.persona(group_id, persona_id)
    item = table.get(key)
    if item is None:
        return
    row = item.get("row")
    named = _number(row if isinstance(row, Mapping) else {}, PROFILES)
    num_profiles = count() if named is None else named
    now = table.now()
    version = (_number(item, "version") or 0) + 1
    body: dict[str, Value] = {
        "row": {PROFILES: num_profiles},
        "deleted": True,
        # Above any that a view may hold: see ``PersonaStore.insert``.
        "seq": max(int(now.timestamp() * 1000), (_number(item, "seq") or 0) + 1),
        "version": version,
        "copies": _number(item, "copies") or 0,
    }
    write = TOOL.write("deleted", now)
    body[AUTHORSHIP] = packed_authorship(write, stamped_alike(write.stamp(version, write_id)))
    if num_profiles == 0:
        body["expires_at"] = tombstone_end(now)
    table.put(key, body, prefix=keys.PERSONA_CHANGES, write_id=write_id, based_on=item)


def _number(item: Mapping[str, Value], name: str) -> int | None:
    """Return a number of an item that may not be readable."""
    try:
        return integer(item, name)
    except Unreadable:
        return None
