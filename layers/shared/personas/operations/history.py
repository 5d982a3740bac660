"""history: the versions of a persona."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Final

from personas.contract.history import PersonaHistoryRequest, PersonaHistoryResponse, PersonaVersion
from personas.contract.persona_fields import SHOWN_FIELDS
from personas.domain.catalogue import Catalogue
from personas.domain.history import PastVersion, VersionRecord
from personas.domain.permissions import SUPERADMIN, may_see
from personas.domain.profile import Caller
from personas.domain.shown_values import changed_by, values_of
from personas.operations.version_reads import Current, current_version, version_seen
from personas.services import Services
from personas.store.history import RecordPage

READ_FURTHER: Final = 500
"""The records that are read at once where many of a page are not for the caller."""
STREAM_REMEMBERS: Final = timedelta(hours=24)
"""The time for which the stream keeps what it has not delivered."""


def show_history(services: Services, caller: Caller, request: PersonaHistoryRequest) -> PersonaHistoryResponse:
    """Read the persona and a page of its versions in one round; one more for a deleted persona, and for hidden ones.

    Raises:
        NotFound: the persona or the version cannot be seen.
        Unreadable: what stands there cannot be read, and the caller is a superadmin.
    """
    if request.version is not None:
        return _one_version(services, caller, request.persona_id, request.version)
    persona_id, before = request.persona_id, request.before_version
    found, page = services.parallel.gather(
        lambda: services.personas.find(caller.group_id, persona_id),
        # With the version that the page ends at: if that is recorded, no version below it is pending.
        lambda: services.history.page(
            caller.group_id, persona_id, None if before is None else before + 1, request.page_size + 2
        ),
    )
    current = current_version(services, caller, persona_id, found)
    before = current.version + 1 if before is None else min(before, current.version + 1)
    recorded = _recorded(services, caller, persona_id, current, page)
    latest = next(recorded, None)
    standing = [] if latest and latest.version == current.version else [current.record]
    all_below = (
        record
        for record in chain(standing, [latest] if latest else [], recorded)
        if record.version < before and may_see(caller, record.department_ids)
    )
    shown = list(islice(all_below, request.page_size + 1))
    pending = _pending(services, caller, persona_id, current, before, latest.version if latest else 0)
    more = len(shown) > request.page_size
    return _answer(persona_id, current, map(_told, shown[: request.page_size]), pending, more=more)


def _one_version(services: Services, caller: Caller, persona_id: str, number: int) -> PersonaHistoryResponse:
    catalogue, found, past = services.parallel.gather(
        lambda: services.catalogues.current(caller.group_id),
        lambda: services.personas.find(caller.group_id, persona_id),
        lambda: services.history.versions(caller.group_id, persona_id, [number]),
    )
    current = current_version(services, caller, persona_id, found)
    version = version_seen(caller, persona_id, number, current, past)
    return _answer(persona_id, current, [_told_whole(version, catalogue)])


def _recorded(
    services: Services, caller: Caller, persona_id: str, current: Current, page: RecordPage
) -> Iterator[VersionRecord]:
    """Yield the records of a page and of all that come after it, as they are asked for, up to the current version.

    A table that was restored to a point in time may have forgotten versions that the history still has, one under the
    current number, too.
    """
    standing = current.version, current.record.at
    while True:
        yield from (
            record
            for record in page.records
            if record.version < current.version or (record.version, record.at) == standing
        )
        if page.below is None:
            return
        page = services.history.page(caller.group_id, persona_id, page.below, READ_FURTHER)


def _pending(
    services: Services, caller: Caller, persona_id: str, current: Current, before: int, latest: int
) -> list[int]:
    """Return the versions below ``before`` and the current one that are about to be recorded.

    ``latest`` is the highest recorded one up to ``before``, or 0. Of which departments a pending version is nobody
    knows, unless the persona has the same ones since.
    """
    if before < current.version and latest < before:
        top = services.history.page(caller.group_id, persona_id, current.version + 1, 1)
        latest = top.records[0].version if top.records else 0
    since = 1 if caller.role == SUPERADMIN else current.stored.authorship.stamps.fields["departments"].version
    if latest == 0 and not _is_awaited(services, current):
        return []
    return list(range(max(latest + 1, since), min(before, current.version)))


def _is_awaited(services: Services, current: Current) -> bool:
    """Tell whether a version of which no record is there, nor of one before it, will be recorded at all.

    Nothing is recorded of a persona that was last written by an earlier release, or was purged. Of one that this
    release has written once, the versions from before are told as pending until that first save is recorded.
    """
    if services.settings.history_days == 0 or current.stored.authorship.write is None:
        return False
    return services.now() - datetime.fromisoformat(current.record.at) < STREAM_REMEMBERS


def _answer(
    persona_id: str,
    current: Current,
    versions: Iterable[PersonaVersion],
    pending: Iterable[int] = (),
    *,
    more: bool = False,
) -> PersonaHistoryResponse:
    shown = list(versions)
    return PersonaHistoryResponse(
        persona_id=persona_id,
        current_version=current.version,
        deleted=current.stored.persona is None,
        versions=shown,
        next_before_version=shown[-1].version if more else None,
        pending=list(pending),
    )


def _told_whole(version: PastVersion, catalogue: Catalogue) -> PersonaVersion:
    told = _told(version.record)
    return told.model_copy(update={"values": values_of(version.persona.form, catalogue)}) if version.persona else told


def _told(record: VersionRecord) -> PersonaVersion:
    return PersonaVersion(
        version=record.version,
        kind=record.kind,
        at=record.at,
        changed_by=changed_by(record.changed_by),
        mcp=record.mcp,
        changed=[name for name, _ in SHOWN_FIELDS if name in record.changed],
        restored_from=record.restored_from,
        values=None,
    )
