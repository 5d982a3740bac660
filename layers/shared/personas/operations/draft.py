"""draft: keep what a form holds so far, one conditional write at a time."""

from collections.abc import Callable, Mapping
from functools import partial

from personas.contract.conflicts import FieldConflict
from personas.contract.draft import PatchPersonaDraftRequest, PatchPersonaDraftResponse
from personas.contract.persona_fields import FIELD_NAMES, FIELDS
from personas.contract.results import DraftFormState
from personas.domain.authorship import Stamp, Stamps, writer_of
from personas.domain.catalogue import Catalogue
from personas.domain.draft import Draft, Selection, differing
from personas.domain.permissions import may_write
from personas.domain.persona import Changes, Form, fields_of, laid_over
from personas.domain.profile import Caller
from personas.domain.selection import Links, links_unknown_to, select, too_long
from personas.errors import Fault, Forbidden, NotFound, Unavailable, VersionConflict
from personas.operations.bulk import invalid_item
from personas.operations.merging import FieldsChanged, conflicts_of
from personas.operations.persona_writes import prepare_writes
from personas.services import Services
from personas.store.attempts import ConditionFailed
from personas.store.drafts import StandingDraft
from personas.store.write_rule import Intent


def patch_draft(
    services: Services, caller: Caller, request: PatchPersonaDraftRequest, intent: Intent
) -> PatchPersonaDraftResponse:
    """Begin a draft of the caller, or lay the fields that were sent over one it has.

    One round where the environment knows every id and text of the patch, else two.

    Raises:
        Forbidden: the caller's role only reads.
        Invalid: an id names nothing, or the texts are too long.
        NotFound: the caller has no such draft.
        VersionConflict: the expected version is not the stored one; nothing was written.
    """
    verdict = may_write(caller)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    if intent.may_be_done:
        # Before anything is decided: what the patch names may be gone by now.
        draft_id = request.input_draft_id or intent.new_id()
        earlier = services.drafts.written(caller.group_id, caller.profile_id, draft_id, intent.write_id())
        if earlier is not None:
            return _answer(request, *earlier)
    changes, catalogue = _resolved(services, caller, request)
    if request.input_draft_id is None:
        return _begin(services, caller, request, changes, intent)
    return _patch(services, caller, request, request.input_draft_id, changes, catalogue, intent)


def _resolved(services: Services, caller: Caller, request: PatchPersonaDraftRequest) -> tuple[Changes, Catalogue]:
    """Return the changes of the patch, after the round that looks up what this environment does not know yet.

    The catalogue is the one by which they were made.
    """
    catalogue = _sufficient_catalogue(services, caller, request)
    drafts: list[Draft | None] = []
    beside: list[Callable[[], None]] = []
    draft_id = request.input_draft_id
    sends_restricted_links = bool(request.department_ids or request.parameter_field_ids)
    if catalogue is None and draft_id is not None and sends_restricted_links:
        # The draft keeps its links, also those that the caller is no longer offered.
        beside.append(lambda: drafts.append(services.drafts.get(caller.group_id, caller.profile_id, draft_id)))
    if not services.drafts.was_listed_recently(caller.group_id, caller.profile_id):
        # Before the draft, as its texts are: the clean-up of the directory must not miss a draft that is stored.
        beside.append(partial(services.drafts.list_drafter, caller.group_id, caller.profile_id))
    prepared = prepare_writes(services, caller.group_id, [request], beside=beside, catalogue=catalogue)

    already_linked = laid_over(Form(), drafts[0]).linked_ids if drafts and drafts[0] else ()
    selected = select(request, Links(prepared.catalogue, caller, already_linked), prepared.texts)
    faults = [*selected.faults, *selected.foreign, *too_long(text for _, text in Form.of(selected.changes).texts)]
    if faults:
        raise invalid_item("", [_as_sent(request, fault) for fault in faults])
    return selected.changes, prepared.catalogue


def _sufficient_catalogue(services: Services, caller: Caller, request: PatchPersonaDraftRequest) -> Catalogue | None:
    """Return the catalogue that this environment remembers, if it knows all that the patch links to; else None.

    It may be of any age: a draft that links to what was withdrawn since does no harm, because create and update check
    all links by the current catalogue.
    """
    catalogue = services.catalogues.cached(caller.group_id)
    if catalogue is None or catalogue.text_secret_or_none is None:
        return None
    return None if links_unknown_to(Links(catalogue, caller), request) else catalogue


def _as_sent(request: PatchPersonaDraftRequest, fault: Fault) -> Fault:
    """Return a fault under the name that the flag came by."""
    by_first_name = fault.field == "/active_flag_id" and "flag_id" in request.given
    return fault._replace(field="/flag_id") if by_first_name else fault


def _begin(
    services: Services, caller: Caller, request: PatchPersonaDraftRequest, changes: Changes, intent: Intent
) -> PatchPersonaDraftResponse:
    if request.expected_version != 0:
        raise VersionConflict(
            "A new draft has no version to expect: send expected_version 0, or the draft's id in input_draft_id.",
            errors=[Fault("/expected_version", "must be 0 for a new draft")],
            members={"expected_version": request.expected_version},
        )
    fields, texts = fields_of(changes)
    now = services.now().isoformat()
    draft = Draft(
        id=intent.new_id(),
        version=1,
        fields=fields,
        texts=texts,
        mcp=caller.mcp,
        session_id=caller.session_id,
        created_at=now,
        updated_at=now,
    )
    try:
        stored = services.drafts.create(caller.group_id, caller.profile_id, draft, intent.write_id())
    except ConditionFailed as lost:
        # The repeat of a call that was cut off, after the draft was saved so often that its beginning is no longer
        # among the recent writes.
        raise VersionConflict(f"The draft {draft.id} was begun already, and saved many times since.") from lost
    # A write whose answer was lost made version 1 all the same, though later ones may be stored by now.
    return _answer(request, 1, stored)


def _patch(
    services: Services,
    caller: Caller,
    request: PatchPersonaDraftRequest,
    draft_id: str,
    changes: Changes,
    catalogue: Catalogue,
    intent: Intent,
) -> PatchPersonaDraftResponse:
    fields, texts = fields_of(changes)

    def decide(standing: StandingDraft | None) -> StandingDraft:
        """Let the patch be laid over what stands there, though that is not what it expected."""
        if standing is None:
            raise NotFound(f"You have no draft {draft_id}.")
        stored, expected = standing.draft, request.expected_version
        if expected > stored.version or (expected < stored.version and not request.merge):
            raise _conflict(stored, expected, fields)
        if conflicts := _conflicts(caller, standing, expected, changes, catalogue):
            members = _state(stored, fields)
            refusal = FieldsChanged(conflicts, request, "", expected=expected, current=stored.version, members=members)
            refusal.errors = tuple(_as_sent(request, fault) for fault in refusal.errors)
            raise refusal
        return standing

    try:
        version, draft = services.drafts.patch(
            caller.group_id,
            caller.profile_id,
            draft_id,
            fields,
            texts,
            expected_version=request.expected_version,
            decide=decide,
            updated_at=services.now().isoformat(),
            write_id=intent.write_id(),
        )
    except ConditionFailed:
        raise Unavailable(
            "There was no time to save this over a later version of the draft: nothing was saved."
        ) from None
    return _answer(request, version, draft)


def _conflicts(
    caller: Caller, standing: StandingDraft, expected: int, changes: Changes, catalogue: Catalogue
) -> list[FieldConflict]:
    """Return the fields of a patch that have changed in the draft since the expected version: by its own profile."""
    draft, author = standing.draft, writer_of(caller).author
    times = {draft.version: draft.updated_at}
    versions = [standing.changed_in[field.id_name] for field in FIELDS]
    stamps = [Stamp(version, times.get(version, ""), author) for version in versions]
    stored = laid_over(Form(), draft)
    as_of = Stamps(draft.version, dict(zip(FIELD_NAMES, stamps, strict=True)))
    return conflicts_of(stored, stored.changed(changes), as_of, expected, catalogue)


def _conflict(stored: Draft, expected: int, fields: Mapping[str, Selection]) -> VersionConflict:
    return VersionConflict(
        f"Version {expected} of the draft was expected, and version {stored.version} is stored. Nothing was written.",
        members={"expected_version": expected, "current_version": stored.version, **_state(stored, fields)},
    )


def _state(stored: Draft, fields: Mapping[str, Selection]) -> dict[str, object]:
    """Return what a conflict tells of the draft that is stored; ``fields`` are those of the patch."""
    return {
        "draft_id": stored.id,
        "form_state": _form_state(stored).model_dump(mode="json"),
        "updated_at": stored.updated_at,
        "differing_fields": differing(fields, stored.fields),
    }


def _answer(request: PatchPersonaDraftRequest, version: int, draft: Draft) -> PatchPersonaDraftResponse:
    """Return the answer: the version that the call made, and the draft as it stands."""
    is_new = request.input_draft_id is None
    return PatchPersonaDraftResponse(
        success=True,
        draft_id=draft.id,
        new_version=version,
        message="The draft was created." if is_new else "The draft was saved.",
        form_state=_form_state(draft),
        merged=(request.merge and version != request.expected_version + 1) or None,
    )


def _form_state(draft: Draft) -> DraftFormState:
    return DraftFormState.model_validate(
        {name: list(value) if isinstance(value, tuple) else value for name, value in draft.fields.items()}
    )
