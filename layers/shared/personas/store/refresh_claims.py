"""Claims on groups: a refresh that begins says so, that another one waits for it instead of doing the same work."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from personas.clock import in_milliseconds
from personas.errors import GroupFull
from personas.store import keys
from personas.store.attributes import Value
from personas.store.table import Table
from personas.store.write_rule import Later

CLAIM_LIFE: Final = timedelta(seconds=60)
"""The time after which a claim counts for nothing: its refresh has died, or takes so long that nobody waits for it."""


class RefreshClaims:
    """The claims on all groups. They save work and guard nothing: views are swapped in under another condition."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, group_id: str) -> datetime | None:
        """Claim the group; return the end of the claim, or None where another one holds.

        A group that has no room for a claim is refreshed without one.

        Raises:
            Unavailable: the claim cannot be written now.
        """
        now = self._table.now()
        ends = now + CLAIM_LIFE
        other = Later("ends_at", in_milliseconds(now), own="by")
        body: dict[str, Value] = {"ends_at": in_milliseconds(ends), "by": uuid4().hex}
        try:
            taken = self._table.put_plain(keys.refresh_claim(group_id), body, asked_for=False, guard=other)
        except GroupFull:
            return ends
        return ends if taken else None

    def release(self, group_id: str, ends: datetime) -> None:
        """Give up a claim; one that was taken since, after its end, stays.

        Raises:
            Unavailable: it cannot be given up now, and ends by itself.
        """
        self._table.delete_older(keys.refresh_claim(group_id), "ends_at", in_milliseconds(ends) + 1)
