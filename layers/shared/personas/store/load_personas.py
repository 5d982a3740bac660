"""Many personas read whole from the table at once."""

from collections.abc import Iterable
from functools import partial
from itertools import batched
from typing import Final

from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.runtime import Parallel
from personas.store.personas import PersonaStore, Stored
from personas.store.table import BATCH_READ_MAX

LOADED_AT_ONCE: Final = 8 * BATCH_READ_MAX
"""The most personas that are held whole: in 8 batches side by side they come as fast as a collection gives them."""


def load_personas(
    personas: PersonaStore, parallel: Parallel, group_id: str, persona_ids: Iterable[str]
) -> dict[str, Stored]:
    """Read at most ``LOADED_AT_ONCE`` personas, by id, in one round: those that exist, tombstones included.

    Items that cannot be read are left out and logged.
    """
    calls = [partial(personas.get_many, group_id, some) for some in batched(persona_ids, BATCH_READ_MAX, strict=False)]
    found: dict[str, Stored] = {}
    for batch in parallel.run(calls):
        for persona_id, stored in batch.items():
            if isinstance(stored, Unreadable):
                count_unreadable(stored)
            else:
                found[persona_id] = stored
    return found
